"""Redis: private, behind a password that nothing shows, and honest about not being needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pytest

from tests.recorder import run_program
from tests.services.plans import containers_of
from tests.services.plans import files as files_of

if TYPE_CHECKING:
    from tests.stack_files import StackFiles


def test_is_reached_on_its_own_network_only() -> None:
    (redis,) = containers_of("redis", "kscloud1").values()

    assert [each["name"] for each in redis.inputs["networksAdvanced"]] == ["kitestacks-redis"]
    assert not redis.inputs.get("ports")


def test_password_stands_in_a_private_file_which_the_health_check_reads() -> None:
    (redis,) = containers_of("redis", "kscloud1").values()
    config, password = (files_of(redis)[f"/run/secrets/{name}"] for name in ("redis.conf", "password"))

    assert redis.inputs["command"] == ["redis-server", "/run/secrets/redis.conf"]
    assert f"requirepass {password}" in config.splitlines()
    assert {upload["permissions"] for upload in redis.inputs["uploads"]} == {"0440"}
    assert "$(cat /run/secrets/password)" in redis.inputs["healthcheck"]["tests"][-1]
    assert redis.inputs["user"] == "999:999"


@pytest.mark.parametrize(
    ("image", "previewed", "said"),
    [
        ("goauthentik/server:2026.8.0", True, 1),
        ("goauthentik/server:2025.10.1", True, 1),
        ("goauthentik/server:2025.8.4", True, 0),
        ("goauthentik/server@sha256:" + "a" * 64, True, 0),
        ("goauthentik/server:2026.8.0", False, 0),
    ],
    ids=["today's", "the first without", "the last with", "unknown version", "not while it is updated"],
)
def test_preview_says_once_when_authentik_does_not_use_it(
    image: str, previewed: bool, said: int, files: StackFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stack in ("kscloud1", "monk"):
        files.edit(stack, "services.authentik.image", image)
    heard: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", lambda message, *_: heard.append(message))
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: previewed)

    run_program("kscloud1", files.folder)

    assert len([message for message in heard if "does not use Redis" in message]) == said
