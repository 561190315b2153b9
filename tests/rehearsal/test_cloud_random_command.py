"""The simulated Random and Command providers."""

from __future__ import annotations

import base64
import json
import os
import string
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.cloud.command import COMMAND, LocalCommand, RemoteCommand
from rehearsal.cloud.random import RANDOM, RandomBytes, RandomId, RandomPassword, RandomString, RandomUuid
from rehearsal.cloud.store import DISKS
from rehearsal.cloud.wire import UNKNOWN, plain, secret_keys
from tests.rehearsal.cloud_world import Client, Refused, secret, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD, STRING = RandomPassword.type_name, RandomString.type_name
LOCAL, REMOTE = LocalCommand.type_name, RemoteCommand.type_name


@pytest.fixture
def chance(tmp_path: Path) -> Iterator[Client]:
    with world(tmp_path, RANDOM) as client:
        yield client


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Client]:
    with world(tmp_path, COMMAND) as client:
        yield client


@pytest.mark.parametrize(
    ("inputs", "alphabet"),
    [
        ({"length": 40}, string.ascii_letters + string.digits + "!@#$%&*()-_=+[]{}<>:?"),
        ({"length": 40, "special": False}, string.ascii_letters + string.digits),
        ({"length": 40, "special": False, "upper": False, "numeric": False}, string.ascii_lowercase),
        ({"length": 40, "special": False, "upper": False, "number": False}, string.ascii_lowercase),
        ({"length": 40, "lower": False, "upper": False, "numeric": False, "overrideSpecial": "_-"}, "_-"),
    ],
)
def test_a_password_is_drawn_from_what_is_allowed(chance: Client, inputs: dict[str, Any], alphabet: str) -> None:
    made, properties = chance.create_raw(PASSWORD, inputs)
    drawn = plain(properties)["result"]
    assert made == "none"
    assert secret_keys(properties) == {"result"}
    assert len(drawn) == inputs["length"]
    assert set(drawn) <= set(alphabet)
    assert drawn != chance.create(PASSWORD, inputs)[1]["result"]


def test_a_password_holds_the_least_number_of_each(chance: Client) -> None:
    inputs = {"length": 9, "minLower": 2, "minUpper": 3, "minNumeric": 2, "minSpecial": 2, "overrideSpecial": "#"}
    drawn = chance.create(PASSWORD, inputs)[1]["result"]
    counts = [sum(c in a for c in drawn) for a in (string.ascii_lowercase, string.ascii_uppercase, string.digits, "#")]
    assert counts == [2, 3, 2, 2]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"length": 3, "minLower": 4}, "must be at least 4"),
        ({"length": 0}, "must be at least 1"),
        ({}, "this property is required"),
        ({"length": 4, "lower": False, "upper": False, "numeric": False, "special": False}, "no character left"),
    ],
)
def test_a_password_that_cannot_be_is_refused_at_preview(chance: Client, inputs: dict[str, Any], words: str) -> None:
    assert words in chance.check(PASSWORD, inputs)["length"]


def test_a_length_that_is_not_known_yet_passes(chance: Client) -> None:
    assert chance.check(PASSWORD, {"length": UNKNOWN}) == {}


def test_a_value_lives_in_the_state_alone(chance: Client) -> None:
    made, state = chance.create(STRING, {"length": 12})
    assert made == state["result"]
    assert chance.read(STRING, made, {"length": 12}, state) == (made, {"length": 12}, state)
    assert state["result"] not in (chance.store.folder / "cloud.json").read_text(encoding="utf-8")
    chance.delete(STRING, made, state)
    with pytest.raises(Refused, match="importing is not simulated"):
        chance.read(STRING, "given", {}, {})


def test_every_change_makes_a_new_value(chance: Client) -> None:
    assert chance.diff(PASSWORD, {"length": 9}, {"length": 9, "keepers": {"a": "b"}}) == (["keepers"], ["keepers"])
    assert chance.diff(PASSWORD, {"length": 9}, {"length": 10}) == (["length"], ["length"])
    assert chance.diff(PASSWORD, {"length": 9}, {"length": 9}) == ([], [])


def test_an_id_is_spelled_four_ways(chance: Client) -> None:
    made, outputs = chance.create(RandomId.type_name, {"byteLength": 5, "prefix": "p-"})
    drawn = base64.urlsafe_b64decode(made + "=" * (-len(made) % 4))
    assert len(drawn) == 5
    assert outputs["hex"] == f"p-{drawn.hex()}"
    assert outputs["dec"] == f"p-{int.from_bytes(drawn, 'big')}"
    assert outputs["b64Std"] == f"p-{base64.b64encode(drawn).decode()}"
    assert outputs["b64Url"] == f"p-{made}"


def test_a_uuid_is_one(chance: Client) -> None:
    made, outputs = chance.create(RandomUuid.type_name, {})
    assert str(uuid.UUID(made)) == made == outputs["result"]


def test_bytes_are_secret(chance: Client) -> None:
    made, properties = chance.create_raw(RandomBytes.type_name, {"length": 32})
    outputs = plain(properties)
    assert (made, secret_keys(properties)) == ("none", {"base64", "hex"})
    assert base64.b64decode(outputs["base64"]).hex() == outputs["hex"]
    assert len(outputs["hex"]) == 64


def test_a_command_is_noted_and_not_run(commands: Client, tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    inputs = {"create": f"touch {witness}", "delete": f"touch {witness}"}
    made, state = commands.create(LOCAL, inputs)
    assert (state["stdout"], state["stderr"]) == ("", "")
    assert commands.read(LOCAL, made, inputs, state) == (made, inputs, state)
    changed = {**inputs, "update": f"touch {witness}"}
    assert commands.update(LOCAL, made, state, changed) == {**changed, "stdout": "", "stderr": ""}
    commands.delete(LOCAL, made, changed)
    noted = commands.store.view()["command"]
    assert [run["operation"] for run in noted["runs"]] == ["create", "update", "delete"]
    assert noted["commands"] == {}
    assert not witness.exists()


def test_an_update_without_its_own_command_runs_create_again(commands: Client) -> None:
    made, state = commands.create(LOCAL, {"create": "true"})
    commands.update(LOCAL, made, state, {"create": "true --again"})
    commands.delete(LOCAL, made, state)
    assert [run["operation"] for run in commands.store.view()["command"]["runs"]] == ["create", "create"]


def test_a_trigger_replaces_and_the_rest_updates(commands: Client) -> None:
    old = {"create": "true", "triggers": ["1"]}
    assert commands.diff(LOCAL, old, {"create": "false", "triggers": ["2"]}) == (["create", "triggers"], ["triggers"])


def test_nothing_secret_is_kept_or_logged(commands: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    connection = {"host": "kscloud1", "privateKey": secret("hush-key")}
    inputs = {"connection": connection, "create": secret("login hush-create"), "stdin": secret("hush-stdin")}
    made, properties = commands.create_raw(REMOTE, {**inputs, "environment": {"A": "hush-env"}})
    assert secret_keys(properties) == {"connection", "create", "stdin"}
    kept = (commands.store.folder / "cloud.json").read_text(encoding="utf-8")
    assert '"host": "kscloud1"' in kept
    assert made in kept
    assert "hush" not in kept + caplog.text


def test_a_remote_command_needs_somewhere_to_go(commands: Client) -> None:
    assert commands.check(REMOTE, {"create": "true"}) == {"connection": "this property is required"}
    assert commands.check(REMOTE, {"connection": {"user": "root"}}) == {"connection.host": "this property is required"}
    assert commands.check(REMOTE, {"connection": UNKNOWN}) == {}
    assert "connection.pasword" in commands.check(REMOTE, {"connection": {"host": "a", "pasword": "b"}})


def test_only_the_last_runs_are_kept(commands: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rehearsal.cloud.command._RUNS_KEPT", 3)
    made = [commands.create(LOCAL, {"create": "true"})[0] for _ in range(5)]
    assert [run["id"] for run in commands.store.view()["command"]["runs"]] == made[-3:]


def folders_step(root: Path, *folders: tuple[str, str, str]) -> dict[str, Any]:
    """The command as the program registers it."""
    command = "python3 -m kitestacks step folders_step"
    given = json.dumps({"facts": {"root": str(root), "folders": folders}, "secrets": {}})
    return {"create": command, "update": command, "stdin": secret(given)}


def test_data_folders_are_made_on_the_rehearsals_disk_and_what_is_there_stays(commands: Client) -> None:
    me = f"{os.geteuid()}:{os.getegid()}"
    root = commands.store.folder / DISKS / "home" / "data"
    made, _ = commands.create_raw(LOCAL, folders_step(root, ("wiki", me, "0750")))
    (root / "wiki" / "page").write_text("kept")

    commands.update(LOCAL, made, {}, folders_step(root, ("wiki", me, "0700"), ("wiki-db", me, "0750")))

    assert (root / "wiki" / "page").read_text() == "kept"
    assert [(root / name).stat().st_mode & 0o7777 for name in ("wiki", "wiki-db")] == [0o700, 0o750]


def test_data_folders_outside_the_rehearsals_disk_are_refused(commands: Client, tmp_path: Path) -> None:
    me = f"{os.geteuid()}:{os.getegid()}"
    for root, path in ((tmp_path / "real", "wiki"), (commands.store.folder / DISKS, "../../wiki")):
        with pytest.raises(Refused, match="a rehearsal makes folders below"):
            commands.create_raw(LOCAL, folders_step(root, (path, me, "0750")))

    assert [path for path in tmp_path.rglob("*") if path.is_dir()] == []


def test_other_steps_are_noted_alone(commands: Client, tmp_path: Path) -> None:
    command = f"python3 -m kitestacks step services.wiki.folders_step; touch {tmp_path}/ran"
    commands.create_raw(LOCAL, {"create": command, "stdin": secret("no JSON")})

    assert not (tmp_path / "ran").exists()
    assert [run["operation"] for run in commands.store.view()["command"]["runs"]] == ["create"]
