"""Portainer's step against a server that answers as Portainer's API does (`portainer/portainer:api/http/handler`)."""

from __future__ import annotations

import json
import re
import threading
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from components.machine import StepError
from components.services.portainer import oauth
from components.step_program import Given
from tests.services.machines import PlayedMachine, hurry

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "ours-and-long-enough"  # noqa: S105 - of a test
SECRETS = {"admin-password": PASSWORD, "client-id": "our-id", "client-secret": "our-secret"}
WANTED = {
    "AuthorizationURI": "https://auth.kitestacks.com/application/o/authorize/",
    "RedirectURI": "https://portainer.kitestacks.com/",
    "UserIdentifier": "preferred_username",
    "OAuthAutoCreateUsers": True,
}
FACTS = {
    "container": "portainer",
    "port": 9000,
    "data": "/srv/portainer",
    "environment": {"name": "monk", "url": "unix:///var/run/docker.sock"},
    "admins": ["kite"],
    "oauth": WANTED,
}
GIVEN = Given(facts=FACTS, secrets=SECRETS)
LOCAL = {"Id": 1, "Name": "monk", "URL": "unix:///var/run/docker.sock", "Type": 1}


class Portainer(ThreadingHTTPServer):
    """A Portainer whose settings, environments and users are plain values."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.password = PASSWORD
        self.settings: dict[str, Any] = {
            "AuthenticationMethod": 1,
            "OAuthSettings": {"ClientID": "", "ClientSecret": "", "KubeSecretKey": None, "MicrosoftTenantID": ""},
            "LogoURL": "the owner's",
        }
        self.endpoints: list[dict[str, Any]] = []
        self.users: list[dict[str, Any]] = [{"Id": 1, "Username": "admin", "Role": 1}]
        self.not_yet = 0
        self.refuses = ""

    @property
    def machine(self) -> PlayedMachine:
        return PlayedMachine(address=f"http://127.0.0.1:{self.server_address[1]}")

    def state(self) -> str:
        return json.dumps([self.settings, self.endpoints, self.users])

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if path == self.refuses:
            return 500, {"message": "Unexpected error", "details": "disk is full"}
        area = path.split("/")[2]
        return getattr(self, f"_answer_{area}")(method, path, body)  # type: ignore[no-any-return]

    def _answer_system(self, *_: object) -> tuple[int, Any]:
        self.not_yet -= 1
        return (503 if self.not_yet >= 0 else 200), {"Version": "2.39.6"}

    def _answer_auth(self, _method: str, _path: str, body: dict[str, Any]) -> tuple[int, Any]:
        right = (body["Username"], body["Password"]) == ("admin", self.password)
        return (200, {"jwt": "a token"}) if right else (422, {"message": "Invalid credentials"})

    def _answer_settings(self, method: str, _path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if method == "PUT":
            secret = body["OAuthSettings"]["ClientSecret"] or self.settings["OAuthSettings"]["ClientSecret"]
            self.settings |= body | {"OAuthSettings": body["OAuthSettings"] | {"ClientSecret": secret}}
        hidden = {"ClientSecret": "", "KubeSecretKey": None}
        return 200, self.settings | {"OAuthSettings": self.settings["OAuthSettings"] | hidden}

    def _answer_endpoints(self, method: str, _path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if method == "POST":
            assert (body["EndpointCreationType"], body["ContainerEngine"]) == ("1", "docker")
            self.endpoints.append({"Id": 1, "Name": body["Name"], "URL": body["URL"], "Type": 1})
        return 200, self.endpoints

    def _answer_users(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if method == "POST" and self.settings["AuthenticationMethod"] == 3 and body["Password"]:
            return 400, {"message": "a user with password can not be created when authentication method is Oauth"}
        if method == "POST":
            self.users.append({"Id": 2, "Username": body["Username"], "Role": body["Role"]})
        if method == "PUT":
            number = int(path.rpartition("/")[2])
            next(each for each in self.users if each["Id"] == number)["Role"] = body["Role"]
        return 200, self.users


class _Answers(BaseHTTPRequestHandler):
    server: Portainer

    def _handle(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        open_path = self.path in ("/api/system/status", "/api/auth")
        if "Cookie" in self.headers:
            status, said = 403, {"message": "Forbidden - CSRF token not found in request"}
        elif not open_path and self.headers["Authorization"] != "Bearer a token":
            status, said = 401, {"message": "Unauthorized"}
        else:
            status, said = self.server.answer(self.command, self.path, _body(self.headers["Content-Type"] or "", raw))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if self.path == "/api/auth":
            self.send_header("Set-Cookie", "portainer_api_key=a token; Path=/")
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

    do_GET = do_POST = do_PUT = _handle  # noqa: N815 - names of http.server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature of http.server
        """Keeps quiet."""


def _body(kind: str, raw: bytes) -> dict[str, Any]:
    if kind.startswith("multipart/"):
        form = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + raw)
        named = ((re.search(r'name="(\w+)"', part["Content-Disposition"] or ""), part) for part in form.walk())
        return {name[1]: str(part.get_payload()) for name, part in named if name}
    return dict(json.loads(raw)) if raw else {}


@pytest.fixture
def portainer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Portainer]:
    hurry(monkeypatch)
    with Portainer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_first_run_sets_the_login_the_environment_and_the_administrator(portainer: Portainer) -> None:
    said = oauth.run(GIVEN, portainer.machine)

    assert portainer.settings["AuthenticationMethod"] == 3
    assert portainer.settings["OAuthSettings"].items() >= WANTED.items()
    assert portainer.settings["OAuthSettings"]["ClientID"] == "our-id"
    assert portainer.settings["OAuthSettings"]["ClientSecret"] == "our-secret"
    assert portainer.settings["LogoURL"] == "the owner's"
    assert portainer.endpoints == [LOCAL]
    assert portainer.users[1:] == [{"Id": 2, "Username": "kite", "Role": 1}]
    assert said == "environment monk is added; the login is set; administrator kite is made"


def test_second_run_changes_nothing(portainer: Portainer) -> None:
    oauth.run(GIVEN, portainer.machine)
    before = portainer.state()

    assert oauth.run(GIVEN, portainer.machine) == "everything is as it should be"
    assert portainer.state() == before


def test_new_client_secret_is_set_although_portainer_never_shows_it(portainer: Portainer) -> None:
    oauth.run(GIVEN, portainer.machine)

    oauth.run(Given(facts=FACTS, secrets=SECRETS | {"client-secret": "the next one"}), portainer.machine)

    assert portainer.settings["OAuthSettings"]["ClientSecret"] == "the next one"


def test_goes_on_where_an_earlier_run_stopped(portainer: Portainer) -> None:
    portainer.refuses = "/api/users"
    with pytest.raises(StepError, match="Portainer refused GET /api/users: disk is full"):
        oauth.run(GIVEN, portainer.machine)
    portainer.refuses = ""

    assert oauth.run(GIVEN, portainer.machine) == "administrator kite is made"
    assert portainer.endpoints == [LOCAL]


def test_one_who_logged_in_before_becomes_administrator(portainer: Portainer) -> None:
    portainer.users.append({"Id": 7, "Username": "Kite", "Role": 2})

    assert "kite is an administrator now" in oauth.run(GIVEN, portainer.machine)
    assert portainer.users[1:] == [{"Id": 7, "Username": "Kite", "Role": 1}]


def test_other_password_is_told_with_the_way_out(portainer: Portainer) -> None:
    portainer.password = "another one"  # noqa: S105 - of a test
    before = portainer.state()

    with pytest.raises(StepError, match="takes one at its first start alone") as told:
        oauth.run(GIVEN, portainer.machine)

    assert "docker run --rm -v /srv/portainer:/data portainer/helper-reset-password" in str(told.value)
    assert PASSWORD not in str(told.value)
    assert portainer.state() == before


def test_waits_for_portainer_and_gives_up(portainer: Portainer) -> None:
    portainer.not_yet = 3
    oauth.run(GIVEN, portainer.machine)
    assert portainer.endpoints

    portainer.not_yet = 1_000_000
    with pytest.raises(StepError, match="Portainer did not answer within 120 s"):
        oauth.run(GIVEN, portainer.machine)


def test_without_a_site_nobody_logs_in_elsewhere(portainer: Portainer) -> None:
    alone = Given(facts=FACTS | {"oauth": None}, secrets={"admin-password": PASSWORD})

    oauth.run(alone, portainer.machine)

    assert portainer.settings["AuthenticationMethod"] == 1
    assert portainer.endpoints == [LOCAL]
