"""StackState: what the engine has written down, asked of the `pulumi` that is on PATH."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    from collections.abc import Callable


_SHELL = "source activate, or rehearsal/activate, in this shell first"


@dataclass(frozen=True, kw_only=True)
class Orphan:
    """A thing that exists and is written down nowhere.

    Attributes:
        kind: What it is, in words.
        name: What it is called where it lives.
        id: Its id there.
        remove: Takes it away.
    """

    kind: str
    name: str
    id: str
    remove: Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class StackState:
    """One stack, and the ids that any stack of the project knows.

    Attributes:
        stack: The stack's name, which is the host's.
        stacks: All stacks of the project.
        config: Its plain configuration, by full key.
        recorded: Ids of everything that a stack of the project has written down.
    """

    stack: str
    stacks: tuple[str, ...]
    config: dict[str, Any]
    recorded: frozenset[str]

    @classmethod
    def read(cls, stack: str) -> StackState:
        """Asks the engine.

        Raises:
            CommandError: it is not there, or knows no such stack.
        """
        config: dict[str, Any] = json.loads(pulumi("config", "--json", "-s", stack))
        stacks = [each["name"] for each in json.loads(pulumi("stack", "ls", "--json"))]
        exports = (json.loads(pulumi("stack", "export", "-s", each)) for each in stacks)
        resources = [each for export in exports for each in export["deployment"].get("resources", [])]
        return cls(
            stack=stack,
            stacks=tuple(stacks),
            config={key: value.get("value") for key, value in config.items()},
            recorded=frozenset(each["id"] for each in resources if each.get("custom") and "id" in each),
        )

    @property
    def installation(self) -> str:
        """The mark that the program puts on everything it makes."""
        return str(self.config.get("kitestacks:installation") or "kitestacks")

    def secret(self, key: str) -> str:
        """An encrypted value, handed over by a pipe."""
        return pulumi("config", "get", key, "-s", self.stack).rstrip("\n")


def pulumi(*arguments: str) -> str:
    """What a short engine command printed.

    Raises:
        CommandError: it failed.
    """
    command = ["pulumi", "--non-interactive", *arguments]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    except FileNotFoundError:
        raise CommandError("pulumi is not on PATH", _SHELL, Exit.CONFIGURATION) from None
    if result.returncode:
        raise CommandError(result.stderr.strip(), _SHELL, Exit(result.returncode))
    return result.stdout
