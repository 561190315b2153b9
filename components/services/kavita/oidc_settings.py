"""The step that takes Kavita's first-visitor page and sets what its settings file can't say about the login."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

from components.machine import StepError
from components.step_program import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.machine import Machine
    from components.step_program import Given

LIMIT = 30
"""Seconds for one answer."""
WANTED: Mapping[str, Any] = {
    "provisionAccounts": True,
    "requireVerifiedEmails": True,
    "syncUserSettings": False,
    "defaultRoles": ["Login", "Download", "Bookmark"],
    "autoLogin": True,
    "disablePasswordAuthentication": True,
    "providerName": "Authentik",
}
"""The login's part of Kavita's settings (`Kareadita/Wiki-Nextra`, OpenID Connect). Roles are not taken from groups:
Kavita wants its own role names in the claim."""
WITHOUT_LOGIN: Mapping[str, Any] = {"autoLogin": False, "disablePasswordAuthentication": False}
"""What it has to be where nobody logs in at Authentik."""


def run(given: Given, machine: Machine) -> str:
    """Registers the first administrator where there is none, then changes the settings that differ.

    Raises:
        StepError: Kavita does not answer, has another administrator, or refuses.
    """
    facts, password = given.facts, given.secrets["password"]
    with machine.http(facts["container"], facts["port"]) as address:
        wait_until(lambda: requests.get(f"{address}/api/health", timeout=LIMIT).ok, "Kavita")
        done = []
        if _json(requests.get(f"{address}/api/admin/exists", timeout=LIMIT)) is not True:
            account = {"username": facts["user"], "email": facts["email"], "password": password}
            _json(requests.post(f"{address}/api/account/register", json=account, timeout=LIMIT))
            done.append(f"administrator {facts['user']} is registered")
        with _session(address, facts["user"], password) as session:
            changed = _settings(session, address, WANTED if facts["login"] else WITHOUT_LOGIN)
    if changed:
        done.append(f"login settings changed: {', '.join(changed)}")
    return "; ".join(done) or "Kavita's administrator and login are as they should be"


def _session(address: str, user: str, password: str) -> requests.Session:
    answer = requests.post(f"{address}/api/account/login", json={"username": user, "password": password}, timeout=LIMIT)
    if answer.status_code == requests.codes.unauthorized:
        raise StepError(
            f"Kavita refuses the password of {user}: set the one that `pulumi stack output passwords --show-secrets` "
            f"shows, in Kavita as an administrator (settings, users), or delete {user} there if it is not yours"
        )
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {_json(answer)['token']}"
    return session


def _settings(session: requests.Session, address: str, wanted: Mapping[str, Any]) -> list[str]:
    """What differed and was changed. All settings are sent back as they were shown, as Kavita's own page does."""
    settings = _json(session.get(f"{address}/api/settings", timeout=LIMIT))
    login = settings.get("oidcConfig")
    if login is None:
        raise StepError("this Kavita knows no OpenID Connect: it needs 0.8.8 or later")
    changed = [key for key, value in wanted.items() if login.get(key) != value]
    if changed:
        changes = {**settings, "oidcConfig": {**login, **wanted}}
        _json(session.post(f"{address}/api/settings", json=changes, timeout=LIMIT))
    return changed


def _json(answer: requests.Response) -> Any:  # noqa: ANN401 - any JSON
    if not answer.ok:
        raise StepError(
            f"Kavita answered {answer.status_code} to {answer.request.path_url}: {answer.text[:200].strip()}"
        )
    return answer.json()
