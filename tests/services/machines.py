"""Machines whose containers are played by tests."""

from __future__ import annotations

import contextlib
import subprocess
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING

from components import step_program
from components.machine import Done, Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pytest


@dataclass(kw_only=True)
class PlayedMachine(Machine):
    """A machine without Docker: a test answers what is executed, and says where a container's port is.

    Attributes:
        answer: Is given a command and its standard input.
        address: Where a container's port answers.
        commands: Every command that was executed.
    """

    answer: Callable[[Sequence[str], str], Done] = lambda _command, _stdin: Done(code=0, out="", err="")
    address: str = ""
    commands: list[tuple[str, ...]] = field(default_factory=list)

    def execute(self, container: str, command: Sequence[str], *, stdin: str = "", user: str = "") -> Done:
        assert container
        assert not user
        self.commands.append(tuple(command))
        return self.answer(command, stdin)

    @contextlib.contextmanager
    def http(self, container: str, port: int) -> Iterator[str]:
        assert container
        assert port
        yield self.address


def run_here(command: Sequence[str], stdin: str, env: Mapping[str, str]) -> Done:
    """Runs a command of a container on this machine instead."""
    ended = subprocess.run(command, input=stdin, capture_output=True, text=True, env=env, timeout=60, check=False)
    return Done(code=ended.returncode, out=ended.stdout, err=ended.stderr)


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a step's waiting take no time: its clock goes on only while it sleeps."""
    slept: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append)
    monkeypatch.setattr(step_program, "time", clock)
