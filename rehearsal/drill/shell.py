"""Shell: types what an owner types, in the rehearsal's project: `pulumi` is the rehearsal's, and so are the hosts."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kitestacks.exits import CommandError, Exit
from rehearsal import engine
from rehearsal.twin import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rehearsal.drill.scene import Scene

_LIMIT = 600
"""Seconds that one command may take."""
_SHOWN = 2000
"""Characters of a failed command's output that are told."""


@dataclass(frozen=True, kw_only=True)
class Shell:
    """A terminal.

    Attributes:
        scene: The rehearsal.
        folder: Where it stands; the rehearsed project if None.
        variables: Further environment.
    """

    scene: Scene
    folder: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> Path:
        """The folder in which it stands."""
        return self.folder or self.scene.twin.project

    def kitestacks(self, *words: str) -> str:
        """`python3 -m kitestacks ...`, this checkout's own wherever the terminal stands; returns what it printed.

        Raises:
            CommandError: it ended with another status than 0.
        """
        done = self.run(sys.executable, "-P", "-m", "kitestacks", *words)
        return _ended(done, f"python3 -m kitestacks {' '.join(words)}")

    def up(self, stack: str) -> str:
        """`pulumi up`, agreed to beforehand.

        Raises:
            CommandError: it failed.
        """
        done = self.run("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "-s", stack)
        return _ended(done, f"pulumi up -s {stack}")

    def pulumi(self, *words: str) -> str:
        """A command of the engine.

        Raises:
            CommandError: it failed.
        """
        return _ended(self.run("pulumi", "--non-interactive", *words), f"pulumi {' '.join(words)}")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Any command, however it ends."""
        twin = self.scene.twin
        own = engine.environment(twin, self.scene.tools)
        path = f"{twin.state}/bin:{Path(self.scene.tools.engine).parent}:{os.environ['PATH']}"
        return subprocess.run(
            command,
            cwd=self.place,
            env={**os.environ, **own, "PATH": path, "PYTHONPATH": str(ROOT), **self.variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT,
        )


def _ended(done: subprocess.CompletedProcess[str], command: str) -> str:
    told = done.stdout + done.stderr
    if done.returncode:
        raise CommandError(f"`{command}` ended with {done.returncode}:\n{told.strip()[-_SHOWN:]}", "", Exit.OTHER)
    return told
