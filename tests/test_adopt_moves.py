"""Setting an installation made by hand aside, and bringing it back: in order, cut off anywhere, on a full disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from kitestacks.adopting.declared import Declared
from kitestacks.exits import CommandError
from tests.adopt_world import DATA, GIVEN, OURS, WIKI_DB, Cut, adoption, bind, container, preview_of_monk, wiki, wiki_db

if TYPE_CHECKING:
    from pathlib import Path

    from kitestacks.adopt import Adoption
    from tests.stack_files import StackFiles


@pytest.fixture
def house(files: StackFiles, tmp_path: Path) -> Adoption:
    """The wiki by hand, on folders that are really there."""
    root = tmp_path / "docker"
    for name in ("bookstack", "bookstack-db"):
        (root / name).mkdir(parents=True)
        (root / name / "canary").write_text(f"of {name}")
    files.edit("monk", "host.data", str(root))
    here = json.loads(json.dumps(preview_of_monk()).replace(DATA, str(root)))
    declared = Declared.of_preview(files.fleet("monk"), here, given=GIVEN)
    app = wiki(mounts=[bind(f"{root}/bookstack", "/config")])
    return adoption(declared, app, wiki_db(mounts=[bind(f"{root}/bookstack-db", "/var/lib/mysql")]))


def names(there: Adoption) -> dict[str, str]:
    raw = there.client.api.raw.values()
    return {each["Name"].lstrip("/"): each["State"]["Status"] for each in raw}


def test_nothing_is_stopped_while_something_is_to_be_settled(house: Adoption) -> None:
    house.client.api.raw["id-of-bookstack"]["HostConfig"]["AutoRemove"] = True
    with pytest.raises(CommandError, match=r"1 to settle .* nothing was changed"):
        house.do(house.plan(), copy=True)
    assert house.client.api.done == []
    assert not any("mkdir" in script for script in house.moves.copies.machine.scripts)  # type: ignore[attr-defined]


def test_set_aside_stops_cleanly_copies_and_renames(house: Adoption, capsys: pytest.CaptureFixture[str]) -> None:
    house.do(house.plan(), copy=True)
    assert house.client.api.done[:2] == ["stop bookstack", "stop bookstack-db"], "the database last"
    assert names(house) == {"bookstack.before": "exited", "bookstack-db.before": "exited"}
    policies = [each["HostConfig"]["RestartPolicy"]["Name"] for each in house.client.api.raw.values()]
    assert policies == ["no", "no"], "a restart of the daemon must not bring them back"
    copies = house.moves.copies.folder
    source = f"{house.declared.fleet.own.host.data}/bookstack-db/canary"
    with open(f"{copies}{source}", encoding="utf-8") as copied:  # noqa: PTH123 - an absolute path below another
        assert copied.read() == "of bookstack-db"
    assert "pulumi up -s monk" in capsys.readouterr().out


@pytest.mark.parametrize(
    "cut_at",
    [
        "stop bookstack",
        "stop bookstack-db",
        "rename bookstack bookstack.before",
        "rename bookstack-db bookstack-db.before",
    ],
)
def test_cut_off_anywhere_it_goes_on_and_the_way_back_still_leads_back(house: Adoption, cut_at: str) -> None:
    house.client.api.cut_at = cut_at
    with pytest.raises(Cut):
        house.do(house.plan(), copy=True)
    house.client.api.cut_at = ""
    house.do(house.plan(), copy=True)
    assert names(house) == {"bookstack.before": "exited", "bookstack-db.before": "exited"}
    house.back()
    assert names(house) == {"bookstack": "running", "bookstack-db": "running"}
    policies = {each["HostConfig"]["RestartPolicy"]["Name"] for each in house.client.api.raw.values()}
    assert policies == {"unless-stopped"}, "as it was before the first run"


def test_a_database_that_had_to_be_killed_stops_all(house: Adoption) -> None:
    house.client.api.exit_codes = {"bookstack-db": 137}
    with pytest.raises(CommandError, match="was killed"):
        house.do(house.plan(), copy=True)
    assert set(names(house)) == {"bookstack", "bookstack-db"}, "nothing was renamed"


def test_a_disk_too_small_stops_nothing(house: Adoption, monkeypatch: pytest.MonkeyPatch) -> None:
    real = house.moves.copies.machine.shell

    def small(script: str) -> Any:  # noqa: ANN401
        return real(script.replace("print $4", "print 1") if "df -Pk" in script else script)

    monkeypatch.setattr(house.moves.copies.machine, "shell", small)
    with pytest.raises(CommandError, match="0 MiB are free; nothing was stopped"):
        house.do(house.plan(), copy=True)
    assert house.client.api.done == []
    house.do(house.plan(), copy=False)
    assert "bookstack.before" in names(house)


def test_back_makes_room_and_starts_the_old_ones(house: Adoption, capsys: pytest.CaptureFixture[str]) -> None:
    house.do(house.plan(), copy=True)
    for name in ("bookstack", "bookstack-db"):
        house.client.api.raw[f"new-{name}"] = container(name, WIKI_DB, labels=OURS) | {"Id": f"new-{name}"}
    assert {each.name for each in house.plan().taken} == {"bookstack", "bookstack-db"}
    house.client.api.done.clear()
    house.back()
    assert names(house) == {
        "bookstack": "running",
        "bookstack-db": "running",
        "bookstack.after": "exited",
        "bookstack-db.after": "exited",
    }
    starts = [each for each in house.client.api.done if each.startswith("start")]
    assert starts == ["start bookstack-db", "start bookstack"], "the database first"
    assert "copies of the data lie in" in capsys.readouterr().out
    with pytest.raises(CommandError, match="nothing was set aside"):
        house.back()
