"""The step that registers each service's own key at LiteLLM, with the value that the service was given.

What it asks is `BerriAI/litellm:litellm/proxy/management_endpoints/key_management_endpoints.py`: a key is looked up by
its value, made with a value of one's own, and deleted by its alias.
"""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import requests

from components.machine import StepError
from components.step_program import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.machine import Machine
    from components.step_program import Given

_LIMIT = 30
"""Seconds for one answer."""


def run(given: Given, machine: Machine) -> str:
    """Makes each key that is not there as it should be; an alias's former key is deleted first.

    Raises:
        StepError: LiteLLM does not answer, or refuses the master key or a change.
    """
    container, keys = given.facts["container"], given.facts["keys"]
    with machine.http(container, given.facts["port"]) as base:
        ready = f"{base}/health/readiness"
        wait_until(lambda: requests.get(ready, timeout=_LIMIT).ok, f"LiteLLM in {container}")
        api = _Api(base, given.secrets["master-key"])
        made = [alias for alias, routes in sorted(keys.items()) if api.register(alias, given.secrets[alias], routes)]
    return f"registered the keys of {', '.join(made)}" if made else "every service's key is as it should be"


class _Api:
    """LiteLLM's key management, as the holder of the master key."""

    def __init__(self, base: str, master_key: str) -> None:
        self._base = base
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {master_key}"

    def register(self, alias: str, key: str, routes: Sequence[str]) -> bool:
        """Makes the key under its alias; False if it is there already."""
        known = self._find(key)
        if known is not None and known.get("key_alias") == alias and known.get("allowed_routes") == list(routes):
            return False
        if known is not None:
            self._change("delete", {"keys": [key]}, alias)
        self._change("delete", {"key_aliases": [alias]}, alias, absent_is_well=True)
        self._change("generate", {"key": key, "key_alias": alias, "allowed_routes": list(routes)}, alias)
        return True

    def _find(self, key: str) -> dict[str, Any] | None:
        # By its hash, so that the key stands in no access log.
        answer = self._session.get(f"{self._base}/key/info", params={"key": _digest(key)}, timeout=_LIMIT)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        _accepted(answer, "the question for a key")
        info: dict[str, Any] = answer.json()["info"]
        return info

    def _change(self, what: str, body: dict[str, Any], alias: str, *, absent_is_well: bool = False) -> None:
        answer = self._session.post(f"{self._base}/key/{what}", json=body, timeout=_LIMIT)
        if not (absent_is_well and answer.status_code in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND)):
            _accepted(answer, f"{what} of the key of {alias}")


def _digest(key: str) -> str:
    """What LiteLLM keeps of a key (`litellm/proxy/utils.py`, `hash_token`)."""
    return hashlib.sha256(key.encode()).hexdigest()


def _accepted(answer: requests.Response, what: str) -> None:
    if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise StepError("LiteLLM refuses the master key: the container runs with another; type `pulumi up` again")
    if not answer.ok:
        raise StepError(f"LiteLLM refused {what}, status {answer.status_code}")
