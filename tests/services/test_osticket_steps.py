"""osTicket's step: its script runs in a real PHP, with osTicket's classes played."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from components.machine import Done, StepError
from components.services.osticket import plugin
from components.step_program import Given
from tests.services.machines import PlayedMachine, hurry, run_here

if TYPE_CHECKING:
    from collections.abc import Sequence

FAKE = Path(__file__).parent / "fake_osticket"
PASSWORD = "ours-and-long"  # noqa: S105 - of a test
SECRETS = {"client-id": "id", "client-secret": "the client's own", "admin-password": PASSWORD}
GIVEN = Given(
    facts={
        "container": "osticket",
        "url": "https://tickets.kitestacks.com",
        "admin": "kite-admin",
        "agents": {"ada@kitestacks.com": "Ada King Lovelace"},
        "authorize": "https://auth.kitestacks.com/application/o/authorize/",
        "token": "https://auth.kitestacks.com/application/o/token/",
        "userinfo": "https://auth.kitestacks.com/application/o/userinfo/",
    },
    secrets=SECRETS,
)
ADMIN = {"username": "kite-admin", "email": "kite-admin@kitestacks.com", "passwd": f"hash of {PASSWORD}"}
INSTALLED = {
    "url": "https://tickets.kitestacks.com/",
    "plugin": None,
    "staff": {"kite-admin": ADMIN},
    "writes": 0,
}
UNCHANGED = "the help desk's login, agents and administrator are as they should be"


class HelpDesk:
    """osTicket's database, and the machine on which it runs."""

    def __init__(self, folder: Path, changes: dict[str, Any] | None = None) -> None:
        self._file = folder / "osticket.json"
        self._file.write_text(json.dumps(INSTALLED | (changes or {})))
        self.refusal = ""
        self.not_yet = 0
        self.machine = PlayedMachine(answer=self._answer)

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - any JSON
        return json.loads(self._file.read_text())[key]

    def put(self, key: str, value: Any) -> None:  # noqa: ANN401 - any JSON
        self._file.write_text(json.dumps(json.loads(self._file.read_text()) | {key: value}))

    def _answer(self, command: Sequence[str], stdin: str) -> Done:
        if command[0] == "curl":
            self.not_yet -= 1
            return Done(code=7 if self.not_yet >= 0 else 0, out="", err="")
        env = {"PATH": os.environ["PATH"], "FAKE_OSTICKET": str(self._file), "FAKE_REFUSAL": self.refusal}
        return run_here(command, stdin, env)


@pytest.fixture(autouse=True)
def _real_php(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("php") is None:
        pytest.skip("needs php: apt-get install php-cli")
    monkeypatch.setattr(plugin, "APP", str(FAKE))
    hurry(monkeypatch)


def test_login_and_agents_are_made(tmp_path: Path) -> None:
    desk = HelpDesk(tmp_path)

    said = plugin.run(GIVEN, desk.machine)

    assert desk["plugin"]["active"] == 1
    (login,) = desk["plugin"]["instances"]
    assert login["redirectUri"] == "https://tickets.kitestacks.com/api/auth/oauth2"
    assert (login["clientId"], login["clientSecret"]) == ("id", "the client's own")
    assert (login["scopes"], login["auth_target"], login["attr_username"]) == ("openid email profile", "all", "email")
    assert (login["name"], login["isactive"]) == ("Authentik", 1)
    ada = desk["staff"]["ada@kitestacks.com"]
    assert (ada["firstname"], ada["lastname"], ada["isadmin"]) == ("Ada", "King Lovelace", 0)
    assert len(ada["passwd"]) > 64, "a password that nobody knows"
    assert said == (
        "the login plugin is installed; the login plugin is on; the login at Authentik is made; "
        "agent ada@kitestacks.com is made"
    )


def test_run_twice_the_second_writes_nothing(tmp_path: Path) -> None:
    desk = HelpDesk(tmp_path)
    plugin.run(GIVEN, desk.machine)
    writes = desk["writes"]

    assert plugin.run(GIVEN, desk.machine) == UNCHANGED
    assert desk["writes"] == writes


def test_earlier_run_that_was_cut_short_goes_on(tmp_path: Path) -> None:
    desk = HelpDesk(tmp_path, {"plugin": {"path": "plugins/auth-oauth2", "active": 0, "instances": []}})

    said = plugin.run(GIVEN, desk.machine)

    assert said == "the login plugin is on; the login at Authentik is made; agent ada@kitestacks.com is made"


def test_only_what_differs_is_changed(tmp_path: Path) -> None:
    desk = HelpDesk(tmp_path)
    plugin.run(GIVEN, desk.machine)
    given = Given(facts=GIVEN.facts, secrets=SECRETS | {"client-secret": "a new one"})

    assert plugin.run(given, desk.machine) == "the login is changed: clientSecret"
    assert desk["plugin"]["instances"][0]["clientSecret"] == "a new one"
    assert plugin.run(given, desk.machine) == UNCHANGED


def test_login_that_somebody_switched_off_is_switched_on(tmp_path: Path) -> None:
    desk = HelpDesk(tmp_path)
    plugin.run(GIVEN, desk.machine)
    made = desk["plugin"]
    made["instances"][0]["isactive"] = 0
    desk.put("plugin", made)

    assert plugin.run(GIVEN, desk.machine) == "the login is changed: it was off"
    assert desk["plugin"]["instances"][0]["isactive"] == 1


def test_login_that_is_taken_away_is_switched_off(tmp_path: Path) -> None:
    desk = HelpDesk(tmp_path)
    plugin.run(GIVEN, desk.machine)
    given = Given(facts=GIVEN.facts, secrets={"admin-password": PASSWORD})

    assert plugin.run(given, desk.machine) == "the login plugin is off"
    assert plugin.run(given, desk.machine) == UNCHANGED


def test_login_of_another_name_is_left_alone(tmp_path: Path) -> None:
    other = {"name": "The owner's", "isactive": 1}
    desk = HelpDesk(tmp_path, {"plugin": {"path": "plugins/auth-oauth2", "active": 1, "instances": [other]}})

    plugin.run(GIVEN, desk.machine)

    assert [login["name"] for login in desk["plugin"]["instances"]] == ["The owner's", "Authentik"]
    assert desk["plugin"]["instances"][0] == other


def test_wrong_password_and_address_are_put_right(tmp_path: Path) -> None:
    staff = {"kite-admin": ADMIN | {"passwd": "hash of an older one"}}
    desk = HelpDesk(tmp_path, {"staff": staff, "url": "https://help.kitestacks.com/"})

    said = plugin.run(GIVEN, desk.machine)

    assert desk["staff"]["kite-admin"]["passwd"] == f"hash of {PASSWORD}"
    assert desk["url"] == "https://tickets.kitestacks.com/"
    assert said.startswith("the password of kite-admin is set; the address is https://tickets.kitestacks.com; ")


def test_missing_administrator_is_told_with_the_way_out(tmp_path: Path) -> None:
    desk = HelpDesk(tmp_path, {"staff": {}})

    with pytest.raises(StepError, match="osTicket has no agent kite-admin: make one that is an administrator"):
        plugin.run(GIVEN, desk.machine)
    assert desk["writes"] == 0


def test_secrets_go_by_standard_input_and_out_of_no_error(tmp_path: Path) -> None:
    desk = HelpDesk(tmp_path)
    desk.refusal = f"Access denied with {PASSWORD} and the client's own"

    with pytest.raises(StepError, match=r"plugin.php in osticket: Access denied with \.\.\. and \.\.\.$"):
        plugin.run(GIVEN, desk.machine)
    shown = " ".join(part for command in desk.machine.commands for part in command)
    assert not [secret for secret in (PASSWORD, "the client's own") if secret in shown]


def test_waits_until_osticket_answers(tmp_path: Path) -> None:
    desk = HelpDesk(tmp_path)
    desk.not_yet = 3

    plugin.run(GIVEN, desk.machine)

    assert [command[0] for command in desk.machine.commands] == ["curl"] * 4 + ["php"]


def test_osticket_that_never_answers_is_an_error(tmp_path: Path) -> None:
    desk = HelpDesk(tmp_path)
    desk.not_yet = 10**6

    with pytest.raises(StepError, match="osTicket did not answer within 120 s"):
        plugin.run(GIVEN, desk.machine)
    assert desk["writes"] == 0
