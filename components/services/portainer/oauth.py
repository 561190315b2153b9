"""The step that sets what Portainer takes by its API alone: its login, its local environment, its administrators."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import requests

from components.machine import StepError
from components.step_program import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.machine import Machine
    from components.step_program import Given

_OAUTH = 3
_ADMINISTRATOR = 1
_LOCAL = 1
_LIMIT = 30
"""Seconds for one answer."""


def run(given: Given, machine: Machine) -> str:
    """Logs in as Portainer's first administrator; sets what differs.

    Raises:
        StepError: Portainer does not answer, has another password, or refuses something.
    """
    facts = given.facts
    with machine.http(facts["container"], facts["port"]) as address:
        wait_until(lambda: requests.get(f"{address}/api/system/status", timeout=_LIMIT).ok, "Portainer")
        portainer = _Portainer(address, _log_in(address, given))
        done = [portainer.keep_environment(**facts["environment"])]
        if facts["oauth"]:
            client = {"ClientID": given.secrets["client-id"], "ClientSecret": given.secrets["client-secret"]}
            done.append(portainer.keep_login(facts["oauth"], client))
            done += [portainer.keep_admin(name) for name in facts["admins"]]
    return "; ".join(filter(None, done)) or "everything is as it should be"


def _log_in(address: str, given: Given) -> str:
    """The first administrator may log in with a password whatever the login is set to."""
    body = {"Username": "admin", "Password": given.secrets["admin-password"]}
    answer = requests.post(f"{address}/api/auth", json=body, timeout=_LIMIT)
    if answer.ok:
        return str(answer.json()["jwt"])
    if answer.status_code != HTTPStatus.UNPROCESSABLE_ENTITY:
        raise StepError(f"Portainer refused the login: {_said(answer)}")
    container, data = given.facts["container"], given.facts["data"]
    raise StepError(
        "Portainer's account `admin` has another password: it takes one at its first start alone. Set it by hand: "
        f"`docker stop {container} && docker run --rm -v {data}:/data portainer/helper-reset-password && "
        f"docker start {container}` prints a password; log in as admin with it, and change it to the one that "
        "`pulumi stack output passwords --show-secrets` shows as portainer.admin-password"
    )


class _Portainer:
    def __init__(self, address: str, token: str) -> None:
        self._address = address
        # No session: with the cookie that logging in sets, Portainer would ask for a token against forgery as well.
        self._headers = {"Authorization": f"Bearer {token}"}

    def keep_environment(self, name: str, url: str) -> str:
        """The host itself; `--host` makes it at the first start, but not with every version."""
        if any(each["URL"] == url for each in self._get("/api/endpoints")):
            return ""
        form = {"Name": name, "URL": url, "EndpointCreationType": str(_LOCAL), "ContainerEngine": "docker"}
        parts = {key: (None, value) for key, value in form.items()}
        self._send("POST", "/api/endpoints", files=parts)
        return f"environment {name} is added"

    def keep_login(self, wanted: Mapping[str, Any], client: Mapping[str, str]) -> str:
        """Portainer never shows the client's secret, so that is set in any case; the same one again changes nothing."""
        settings = self._get("/api/settings")
        oauth = {**settings["OAuthSettings"], **wanted, **client}
        self._send("PUT", "/api/settings", json={"AuthenticationMethod": _OAUTH, "OAuthSettings": oauth})
        shown = {**oauth, "ClientSecret": ""}
        same = settings["AuthenticationMethod"] == _OAUTH and settings["OAuthSettings"] | {"ClientSecret": ""} == shown
        return "" if same else "the login is set"

    def keep_admin(self, name: str) -> str:
        """An account without a password, which whoever Authentik calls so gets at the first login."""
        users = {user["Username"].lower(): user for user in self._get("/api/users")}
        user = users.get(name.lower())
        if user is None:
            self._send("POST", "/api/users", json={"Username": name, "Password": "", "Role": _ADMINISTRATOR})
            return f"administrator {name} is made"
        if user["Role"] == _ADMINISTRATOR:
            return ""
        self._send("PUT", f"/api/users/{user['Id']}", json={"Role": _ADMINISTRATOR})
        return f"{name} is an administrator now"

    def _get(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        return self._send("GET", path).json()

    def _send(self, method: str, path: str, **body: Any) -> requests.Response:  # noqa: ANN401 - what requests takes
        answer = requests.request(method, f"{self._address}{path}", headers=self._headers, timeout=_LIMIT, **body)
        if not answer.ok:
            raise StepError(f"Portainer refused {method} {path}: {_said(answer)}")
        return answer


def _said(answer: requests.Response) -> str:
    """What an answer says went wrong; Portainer does not repeat what it was sent."""
    try:
        said = answer.json()
        return str(said.get("details") or said.get("message"))
    except ValueError:
        return f"status {answer.status_code}"
