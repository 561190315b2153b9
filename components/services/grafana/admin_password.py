"""The step that keeps the password of Grafana's local administrator; its setting counts on the first start alone."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import requests

from components.machine import StepError
from components.step_program import wait_until

if TYPE_CHECKING:
    from components.machine import Machine
    from components.step_program import Given

USER = "admin"
_RESET = ("grafana", "cli", "--homepath", "/usr/share/grafana", "admin", "reset-admin-password")
_LIMIT = 10
"""Seconds for one answer."""


def run(given: Given, machine: Machine) -> str:
    """Logs in as the administrator; sets the password in the database only if that is refused.

    One try only: Grafana locks a name for five minutes after five wrong ones.

    Raises:
        StepError: Grafana does not answer, or its own program can't set the password.
    """
    container, password = given.facts["container"], given.secrets["password"]
    with machine.http(container, given.facts["port"]) as base:
        wait_until(lambda: requests.get(f"{base}/api/health", timeout=_LIMIT).ok, f"Grafana in {container}")
        if _accepted(base, password):
            return f"the password of {USER} is as it should be"
        done = machine.execute(container, (*_RESET, "--password-from-stdin"), stdin=f"{password}\n")
        if done.code or not _accepted(base, password):
            said = (done.err or done.out).replace(password, "...").strip()
            raise StepError(f"the password of {USER} could not be changed: {said or 'the new one is refused'}")
    return f"the password of {USER} is changed"


def _accepted(base: str, password: str) -> bool:
    answer = requests.get(f"{base}/api/org", auth=(USER, password), timeout=_LIMIT)
    if answer.status_code not in (HTTPStatus.OK, HTTPStatus.UNAUTHORIZED):
        raise StepError(f"Grafana answered a login with status {answer.status_code}")
    return answer.status_code == HTTPStatus.OK
