"""Who follows the databases of a host that gets another version, and how each is told to wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from components.machine import Done, Machine, StepError
from kitestacks.deploying.followers import Held, followers
from kitestacks.exits import CommandError

if TYPE_CHECKING:
    from tests.stack_files import StackFiles

SERVICE = "bookstack"


def _way(files: StackFiles, way: str) -> None:
    for stack in ("kscloud1", "monk"):
        files.edit(stack, "services.bookstack.data", way)


@pytest.mark.parametrize(
    ("way", "here", "host"),
    [
        ("ring", "monk", "kscloud1"),
        ("ring", "kscloud1", "monk"),
        ("read-only", "monk", "kscloud1"),
        ("read-only", "kscloud1", None),
        ("copy", "monk", None),
        ("manual", "monk", None),
    ],
)
def test_follower_hangs_on_the_way_of_the_data(files: StackFiles, way: str, here: str, host: str | None) -> None:
    _way(files, way)

    found = [each.follower.host for each in followers(files.fleet(here), SERVICE)]

    assert found == ([host] if host else [])


@pytest.mark.parametrize(
    ("service", "here", "hosts"),
    [("osticket", "monk", []), ("authentik-db", "kscloud1", ["monk"]), ("authentik-db", "monk", [])],
)
def test_copy_that_only_follows_hangs_on_the_writer(
    files: StackFiles, service: str, here: str, hosts: list[str]
) -> None:
    assert [each.follower.host for each in followers(files.fleet(here), service)] == hosts


def test_copy_that_only_follows_is_stopped_and_started(files: StackFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, ...]] = []

    def docker(_: Machine, *words: str) -> Done:
        said.append(words)
        return Done(code=0, out="", err="")

    monkeypatch.setattr(Machine, "docker", docker)
    (standby,) = followers(files.fleet("kscloud1"), "authentik-db")

    standby.hold()
    standby.let_go()

    assert standby.follower.container == "authentik-db"
    assert [(words[0], words[-1]) for words in said] == [("stop", "authentik-db"), ("start", "authentik-db")]


@pytest.fixture
def told(files: StackFiles, monkeypatch: pytest.MonkeyPatch) -> tuple[Held, list[tuple[str, str]]]:
    """kscloud1's side of the ring on a machine that notes what is executed."""
    executed: list[tuple[str, str]] = []

    def docker(_: Machine, verb: str, container: str, *command: str) -> Done:
        assert verb == "exec"
        executed.append((container, command[-1]))
        return Done(code=0, out="", err="")

    monkeypatch.setattr(Machine, "docker", docker)
    (found,) = followers(files.fleet("monk"), SERVICE)
    return found, executed


def test_it_stops_and_goes_on(told: tuple[Held, list[tuple[str, str]]]) -> None:
    follower, executed = told

    follower.hold()
    follower.let_go()

    assert executed == [("bookstack-db", "STOP SLAVE"), ("bookstack-db", "START SLAVE")]


@pytest.mark.parametrize("silent", [True, False])
def test_side_that_refuses_is_named_with_the_way_out(
    told: tuple[Held, list[tuple[str, str]]], monkeypatch: pytest.MonkeyPatch, *, silent: bool
) -> None:
    def docker(*_: object) -> Done:
        if silent:
            raise StepError("ssh did not end within 60 s")
        return Done(code=1, out="", err="ERROR 2002: no server")

    monkeypatch.setattr(Machine, "docker", docker)

    with pytest.raises(CommandError, match="kscloud1 can't be kept from what the new version on monk does") as raised:
        told[0].hold()
    assert raised.value.way_out == "docker restart bookstack-db on kscloud1"
