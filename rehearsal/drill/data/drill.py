"""DataDrill: one drill of data, and what it may do beside what any drill may."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    from collections.abc import Callable

    from components.fleet import Fleet
    from rehearsal.drill.scene import Scene

LIMIT = 90.0
"""Seconds that databases are given to agree, or a container to say what it does."""


class BrokenError(CommandError):
    """A promise about data did not hold."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "all is as the drill left it: look, then make rehearsal-down", Exit.OTHER)


@dataclass(frozen=True, kw_only=True)
class DataDrill:
    """One drill.

    Attributes:
        name: As it is typed: `make drill FAULT=<name>`.
        title: In a sentence.
        wants: What it needs of the stack files, in words.
        fits: Whether they have that.
        play: Does it, puts everything back, notes what it measured; raises BrokenError where a promise did not hold.
    """

    name: str
    title: str
    wants: str
    fits: Callable[[Fleet], object]
    play: Callable[[Scene, Notes], None]


@dataclass(frozen=True, kw_only=True)
class DataResult:
    """What a drill found.

    Attributes:
        fault: Its name.
        title: What it is, in a sentence.
        lines: The findings.
        broken: The promise that did not hold, or what went wrong; empty: all is well.
    """

    fault: str
    title: str
    lines: list[str]
    broken: str

    @property
    def kept(self) -> bool:
        """Whether all held."""
        return not self.broken


@dataclass
class Notes:
    """What a drill has found so far, each with the second of the drill.

    Attributes:
        say: Shows a line while the drill goes on.
    """

    say: Callable[[str], object]
    lines: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def add(self, line: str) -> None:
        """Notes a finding."""
        self.lines.append(f"{time.monotonic() - self.began:6.1f} s  {line}")
        self.say(self.lines[-1])

    def require(self, holds: object, promise: str) -> None:
        """Notes a promise that held.

        Raises:
            BrokenError: it did not.
        """
        if not holds:
            raise BrokenError(f"broken: {promise}")
        self.add(promise)


def wait_for(ready: Callable[[], object], what: str, limit: float = LIMIT) -> None:
    """Waits for a condition.

    Raises:
        BrokenError: it did not come true in time.
    """
    end = time.monotonic() + limit
    while not ready():
        if time.monotonic() > end:
            raise BrokenError(f"waited {limit:g} s in vain: {what}")
        time.sleep(0.2)
