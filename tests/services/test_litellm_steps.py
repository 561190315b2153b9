"""LiteLLM's step against a fake of its key management."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from components.machine import StepError
from components.services.litellm import virtual_keys
from components.step_program import Given
from tests.services.http_machine import Answer, Asked, HttpMachine

ROUTES = {"prometheus": ["/metrics"], "open-webui": ["llm_api_routes"]}
SECRETS = {"master-key": "sk-master", "prometheus": "sk-figures", "open-webui": "sk-chat"}


@dataclass
class FakeLitellm:
    """Keeps keys by their hash, as LiteLLM does, and refuses a second key of one alias."""

    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    not_ready: int = 0
    broken: bool = False

    def answer(self, asked: Asked) -> Answer:
        url = urlsplit(asked.path)
        if url.path == "/health/readiness":
            self.not_ready -= 1
            return (200, {}) if self.not_ready < 0 else (503, {})
        if asked.headers.get("Authorization") != "Bearer sk-master":
            return 401, {"error": "no"}
        assert "sk-" not in asked.path, "a key stands in no access log"
        if url.path == "/key/info":
            known = self.keys.get(parse_qs(url.query)["key"][0])
            return (200, {"info": known}) if known else (404, {"error": "Key not found in database"})
        return (500, {}) if self.broken else self._change(url.path, asked.body)

    def _change(self, path: str, body: dict[str, Any]) -> Answer:
        if path == "/key/delete":
            doomed = {digest(key) for key in body.get("keys", [])}
            doomed |= {known for known, info in self.keys.items() if info["key_alias"] in body.get("key_aliases", [])}
            if not doomed:
                return 404, {"error": "no such alias"}
            self.keys = {known: info for known, info in self.keys.items() if known not in doomed}
            return 200, {"deleted_keys": len(doomed)}
        assert path == "/key/generate"
        assert body["key"].startswith("sk-")
        if body["key_alias"] in {info["key_alias"] for info in self.keys.values()}:
            return 400, {"error": "alias exists"}
        self.keys[digest(body["key"])] = {key: body[key] for key in ("key_alias", "allowed_routes")}
        return 200, {}

    def run(self, **secrets: str) -> tuple[str, list[tuple[str, Any]]]:
        """Runs the step; returns its line and what it changed."""
        machine = HttpMachine(self.answer)
        given = Given(
            facts={"container": "litellm", "port": 4000, "keys": ROUTES},
            secrets=SECRETS | {key.replace("_", "-"): value for key, value in secrets.items()},
        )
        return virtual_keys.run(given, machine), machine.changes()


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def test_each_service_gets_its_key_for_its_own_routes_and_a_second_run_changes_nothing() -> None:
    litellm = FakeLitellm(not_ready=1)

    assert litellm.run()[0] == "registered the keys of open-webui, prometheus"
    assert litellm.keys == {
        digest("sk-figures"): {"key_alias": "prometheus", "allowed_routes": ["/metrics"]},
        digest("sk-chat"): {"key_alias": "open-webui", "allowed_routes": ["llm_api_routes"]},
    }
    assert litellm.run() == ("every service's key is as it should be", [])


def test_a_new_key_takes_the_place_of_the_old_one() -> None:
    litellm = FakeLitellm()
    litellm.run()

    assert litellm.run(open_webui="sk-chat-2")[0] == "registered the keys of open-webui"
    assert set(litellm.keys) == {digest("sk-figures"), digest("sk-chat-2")}


def test_a_run_that_was_cut_off_is_finished_by_the_next() -> None:
    litellm = FakeLitellm(keys={digest("sk-chat"): {"key_alias": "open-webui", "allowed_routes": ["llm_api_routes"]}})

    assert litellm.run()[0] == "registered the keys of prometheus"
    assert len(litellm.keys) == 2


def test_a_key_that_opens_too_much_is_made_again() -> None:
    litellm = FakeLitellm(keys={digest("sk-figures"): {"key_alias": "prometheus", "allowed_routes": []}})
    litellm.run()

    assert litellm.keys[digest("sk-figures")]["allowed_routes"] == ["/metrics"]


def test_a_wrong_master_key_is_said_and_changes_nothing() -> None:
    litellm = FakeLitellm()

    with pytest.raises(StepError, match="refuses the master key"):
        litellm.run(master_key="sk-other")
    assert litellm.keys == {}


def test_a_refused_change_is_said_without_the_key() -> None:
    with pytest.raises(StepError, match="status 500") as refused:
        FakeLitellm(broken=True).run()

    assert "sk-" not in str(refused.value)
