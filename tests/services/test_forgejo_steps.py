"""Forgejo's step: its commands run in a real shell, with Forgejo's own command played."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from components.machine import Done, StepError
from components.services.forgejo import login_source
from components.step_program import Given
from tests.services.machines import PlayedMachine, hurry, run_here

if TYPE_CHECKING:
    from collections.abc import Sequence

FAKE = Path(__file__).parent / "fake_forgejo"
SECRETS = {"admin-password": "ours-and-long", "client-id": "our-id", "client-secret": "our $ecret"}
FACTS = {
    "container": "forgejo",
    "port": 3000,
    "admin": "kitestacks-admin",
    "email": "kitestacks-admin@kitestacks.com",
    "source": "authentik",
    "discovery": "https://auth.kitestacks.com/application/o/forgejo/.well-known/openid-configuration",
    "admin_group": "kitestacks-admins",
}
ADMIN = {"name": "kitestacks-admin", "email": FACTS["email"], "admin": True, "password": SECRETS["admin-password"]}
SOURCE = {
    "name": "authentik",
    "provider": "openidConnect",
    "key": "our-id",
    "secret": "our $ecret",
    "auto_discover_url": FACTS["discovery"],
    "group_claim_name": "groups",
    "admin_group": "kitestacks-admins",
    "scopes": ["email", "profile"],
    "skip_local_2fa": True,
}


class Forge:
    """Forgejo's database, and the machine on which it runs."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "forgejo.json"
        self.set(users=[], sources={}, writes=0, starts=1, refuses=False)
        self.not_yet = 0
        self.machine = PlayedMachine(answer=self._answer)

    def set(self, **values: object) -> None:
        data = json.loads(self._file.read_text()) if self._file.exists() else {}
        self._file.write_text(json.dumps(data | values))

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - any JSON
        return json.loads(self._file.read_text())[key]

    def _answer(self, command: Sequence[str], stdin: str) -> Done:
        if command[0] == "cut":
            return Done(code=0, out=f"{self['starts']}00\n", err="")
        if command[-1].endswith("/api/healthz"):
            self.not_yet -= 1
            return Done(code=22 if self.not_yet >= 0 else 0, out="", err="")
        return run_here(command, stdin, {"PATH": f"{FAKE}:{os.environ['PATH']}", "FAKE_FORGEJO": str(self._file)})


@pytest.fixture
def forge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Forge:
    hurry(monkeypatch)
    monkeypatch.setattr(login_source, "_NOTE", str(tmp_path / "note"))
    return Forge(tmp_path)


def given(**secrets: str) -> Given:
    return Given(facts=FACTS, secrets=SECRETS | secrets)


def test_first_run_makes_the_administrator_and_adds_the_source(forge: Forge) -> None:
    said = login_source.run(given(), forge.machine)

    assert forge["users"] == [ADMIN]
    assert forge["sources"] == {"1": SOURCE}
    assert said == "administrator kitestacks-admin is made; login source authentik is added"


def test_second_run_changes_nothing(forge: Forge) -> None:
    login_source.run(given(), forge.machine)
    writes = forge["writes"]

    said = login_source.run(given(), forge.machine)

    assert (forge["writes"], forge["starts"]) == (writes, 1)
    assert said == "administrator kitestacks-admin is there; login source authentik is as it should be"


def test_no_secret_is_an_argument_outside_the_container_or_kept_in_the_note(forge: Forge, tmp_path: Path) -> None:
    login_source.run(given(), forge.machine)
    login_source.run(given(**{"admin-password": "another-one"}), forge.machine)

    arguments = " ".join(word for command in forge.machine.commands for word in command)
    assert not [secret for secret in (*SECRETS.values(), "another-one") if secret in arguments]
    assert not [secret for secret in SECRETS.values() if secret in (tmp_path / "note").read_text()]


def test_other_password_is_set(forge: Forge) -> None:
    forge.set(users=[ADMIN | {"password": "the old one"}])

    said = login_source.run(given(), forge.machine)

    assert forge["users"] == [ADMIN]
    assert "the password of kitestacks-admin is set" in said


def test_new_client_secret_reaches_the_source_and_the_running_forgejo(forge: Forge) -> None:
    login_source.run(given(), forge.machine)

    said = login_source.run(given(**{"client-secret": "the next one"}), forge.machine)

    assert forge["sources"] == {"1": SOURCE | {"secret": "the next one"}}
    assert forge["starts"] == 2, "Forgejo goes on with the old secret until it starts again"
    assert "set anew" in said


def test_source_of_an_earlier_run_that_got_no_further_is_taken_up(forge: Forge) -> None:
    forge.set(sources={"1": {"name": "github"}, "2": SOURCE | {"secret": "half done"}})

    login_source.run(given(), forge.machine)

    assert forge["users"] == [ADMIN]
    assert forge["sources"] == {"1": {"name": "github"}, "2": SOURCE}


def test_two_sources_of_the_name_are_for_the_owner_to_sort_out(forge: Forge) -> None:
    forge.set(users=[ADMIN], sources={"1": SOURCE, "2": SOURCE})

    with pytest.raises(StepError, match=r"2 login sources called authentik.*admin auth delete --id 2"):
        login_source.run(given(), forge.machine)


def test_refusal_is_told_without_the_secret(forge: Forge) -> None:
    forge.set(refuses=True)

    with pytest.raises(StepError, match=r"could not set its login source: .*database is locked") as told:
        login_source.run(given(), forge.machine)

    assert not [secret for secret in SECRETS.values() if secret in str(told.value)]


def test_waits_for_forgejo_and_gives_up(forge: Forge) -> None:
    forge.not_yet = 3
    login_source.run(given(), forge.machine)
    assert forge["sources"]

    forge.not_yet = 1_000_000
    with pytest.raises(StepError, match="Forgejo in forgejo did not answer within 120 s"):
        login_source.run(given(), forge.machine)


def test_without_a_site_there_is_an_administrator_and_no_source(forge: Forge) -> None:
    alone = Given(facts=FACTS | {"source": ""}, secrets={"admin-password": SECRETS["admin-password"]})

    login_source.run(alone, forge.machine)

    assert forge["users"] == [ADMIN]
    assert forge["sources"] == {}
