"""Kavita's step against a server that answers as Kavita's API does (`Kareadita/Kavita:API/Controllers`)."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from components.machine import StepError
from components.services.kavita import oidc_settings
from components.step_program import Given
from tests.services.machines import PlayedMachine, hurry

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "ours-and-long"  # noqa: S105 - of a test
SIGNED = "a token"
JsonObject = dict[str, Any]
GIVEN = Given(
    facts={
        "container": "kavita",
        "port": 5000,
        "user": "kite-admin",
        "email": "kite-admin@kitestacks.com",
        "login": True,
    },
    secrets={"password": PASSWORD},
)
FROM_FILE = {"authority": "https://auth.kitestacks.com/application/o/kavita/", "clientId": "id", "secret": "******"}
UNSET = {
    "provisionAccounts": False,
    "requireVerifiedEmails": True,
    "syncUserSettings": False,
    "defaultRoles": [],
    "defaultLibraries": [1, 2],
    "autoLogin": False,
    "disablePasswordAuthentication": False,
    "providerName": "OpenID Connect",
}


class Kavita(ThreadingHTTPServer):
    """A Kavita whose users and settings are plain values."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.users: dict[str, str] = {}
        self.settings: dict[str, Any] = {"taskBackup": "daily", "oidcConfig": FROM_FILE | UNSET}
        self.not_yet = 0
        self.refusals: dict[str, int] = {}
        self.writes: list[tuple[str, Any]] = []

    @property
    def machine(self) -> PlayedMachine:
        return PlayedMachine(address=f"http://127.0.0.1:{self.server_address[1]}")

    def answer(self, method: str, path: str, body: JsonObject, token: str) -> tuple[int, Any]:
        if method == "POST" and path != "/api/account/login":
            self.writes.append((path, body))
        if path in self.refusals:
            return self.refusals[path], "no"
        if path == "/api/settings":
            return self._answer_settings(body, token)
        match path:
            case "/api/health":
                self.not_yet -= 1
                return (503 if self.not_yet >= 0 else 200), "Ok"
            case "/api/admin/exists":
                return 200, bool(self.users)
            case "/api/account/register":
                self.users[body["username"]] = body["password"]
                return 200, {"username": body["username"], "token": SIGNED}
        assert path == "/api/account/login"
        right = self.users.get(body["username"]) == body["password"]
        return (200, {"token": SIGNED}) if right else (401, "Your credentials are not correct")

    def _answer_settings(self, body: JsonObject, token: str) -> tuple[int, Any]:
        if token != f"Bearer {SIGNED}":
            return 401, ""
        self.settings = body or self.settings
        return 200, self.settings


class _Answers(BaseHTTPRequestHandler):
    server: Kavita

    def do_GET(self) -> None:
        self._answer("GET", {})

    def do_POST(self) -> None:
        self._answer("POST", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, method: str, body: JsonObject) -> None:
        status, document = self.server.answer(method, self.path, body, self.headers.get("Authorization", ""))
        text = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def kavita(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kavita]:
    hurry(monkeypatch)
    with Kavita() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_first_visitors_page_is_taken_and_the_login_set(kavita: Kavita) -> None:
    said = oidc_settings.run(GIVEN, kavita.machine)

    assert kavita.users == {"kite-admin": PASSWORD}
    login = kavita.settings["oidcConfig"]
    assert (login["provisionAccounts"], login["autoLogin"], login["disablePasswordAuthentication"]) == (True,) * 3
    assert (login["requireVerifiedEmails"], login["syncUserSettings"]) == (True, False)
    assert "Login" in login["defaultRoles"], "without it nobody gets in"
    assert said == (
        "administrator kite-admin is registered; login settings changed: provisionAccounts, defaultRoles, autoLogin, "
        "disablePasswordAuthentication, providerName"
    )


def test_what_the_file_and_the_owner_decide_is_sent_back_as_it_was_shown(kavita: Kavita) -> None:
    oidc_settings.run(GIVEN, kavita.machine)

    assert kavita.settings["taskBackup"] == "daily"
    assert kavita.settings["oidcConfig"]["defaultLibraries"] == [1, 2]
    assert {key: kavita.settings["oidcConfig"][key] for key in FROM_FILE} == FROM_FILE


def test_login_that_is_taken_away_lets_passwords_in_again(kavita: Kavita) -> None:
    oidc_settings.run(GIVEN, kavita.machine)

    said = oidc_settings.run(Given(facts={**GIVEN.facts, "login": False}, secrets=GIVEN.secrets), kavita.machine)

    assert said == "login settings changed: autoLogin, disablePasswordAuthentication"
    login = kavita.settings["oidcConfig"]
    assert (login["autoLogin"], login["disablePasswordAuthentication"]) == (False, False)


def test_run_twice_the_second_writes_nothing(kavita: Kavita) -> None:
    oidc_settings.run(GIVEN, kavita.machine)
    kavita.writes.clear()

    said = oidc_settings.run(GIVEN, kavita.machine)

    assert (said, kavita.writes) == ("Kavita's administrator and login are as they should be", [])


def test_earlier_run_that_stopped_after_registering_goes_on(kavita: Kavita) -> None:
    kavita.refusals["/api/settings"] = 500
    with pytest.raises(StepError, match="Kavita answered 500 to /api/settings"):
        oidc_settings.run(GIVEN, kavita.machine)
    kavita.refusals.clear()
    kavita.writes.clear()

    oidc_settings.run(GIVEN, kavita.machine)

    assert [path for path, _ in kavita.writes] == ["/api/settings"]


def test_another_administrator_or_password_is_told_with_the_way_out(kavita: Kavita) -> None:
    kavita.users["kite-admin"] = "an older one"

    with pytest.raises(
        StepError, match="Kavita refuses the password of kite-admin: set the one that `pulumi stack"
    ) as error:
        oidc_settings.run(GIVEN, kavita.machine)
    assert PASSWORD not in str(error.value)
    assert kavita.writes == []


def test_refused_registration_is_told_without_the_password(kavita: Kavita) -> None:
    kavita.refusals["/api/account/register"] = 400

    with pytest.raises(StepError, match="Kavita answered 400 to /api/account/register") as error:
        oidc_settings.run(GIVEN, kavita.machine)
    assert PASSWORD not in str(error.value)


def test_kavita_without_openid_connect_is_told(kavita: Kavita) -> None:
    del kavita.settings["oidcConfig"]

    with pytest.raises(StepError, match=r"needs 0\.8\.8 or later"):
        oidc_settings.run(GIVEN, kavita.machine)


def test_waits_until_kavita_answers(kavita: Kavita) -> None:
    kavita.not_yet = 3

    oidc_settings.run(GIVEN, kavita.machine)

    assert kavita.not_yet == -1


def test_kavita_that_never_answers_is_an_error(kavita: Kavita) -> None:
    kavita.not_yet = 10**6

    with pytest.raises(StepError, match="Kavita did not answer within 120 s"):
        oidc_settings.run(GIVEN, kavita.machine)
    assert kavita.writes == []
