"""Engine: the `pulumi` that a deployment runs, the one on PATH or a rehearsal's, and where its stack files lie."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from components.force import FORCE
from kitestacks import paths
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from kitestacks.console import Console

_SHELL = "source activate, or rehearsal/activate, in this shell first"


@dataclass(frozen=True, kw_only=True)
class HostFacts:
    """What the engine says of a host.

    Attributes:
        docker: Its daemon.
        data: Where its data lies.
        installation: The mark that the program puts on everything it makes.
    """

    docker: str
    data: str
    installation: str


@dataclass(frozen=True, kw_only=True)
class Engine:
    """How the engine is run.

    Attributes:
        program: The word or path that starts it.
        files: The folder with the stack files; it is started there.
        variables: What it needs in its environment besides this process's.
        logs: Where its output goes.
    """

    program: str = "pulumi"
    files: Path = paths.ROOT
    variables: Mapping[str, str] = field(default_factory=dict)
    logs: Path = paths.LOGS

    def file(self, stack: str) -> Path:
        """A stack's file."""
        return self.files / f"Pulumi.{stack}.yaml"

    def outputs(self, stack: str) -> dict[str, Any]:
        """What a stack put out when it was deployed last; secrets stay hidden.

        Raises:
            CommandError: the engine is not there, or knows no such stack.
        """
        shown: dict[str, Any] = json.loads(self._ask("stack", "output", "--json", "-s", stack))
        return shown

    def facts(self, stack: str) -> HostFacts:
        """Where a host is, from the configuration that the engine has: in a rehearsal it is not the real file's.

        Raises:
            CommandError: the engine is not there, or knows no such stack.
        """
        config = json.loads(self._ask("config", "--json", "-s", stack))
        host = json.loads(config["kitestacks:host"]["value"])
        installation = config.get("kitestacks:installation", {}).get("value") or "kitestacks"
        return HostFacts(docker=host["docker"], data=host["data"], installation=installation)

    def preview(self, stack: str) -> None:
        """Shows the plan where the command was typed.

        Raises:
            CommandError: it is refused; the engine has said why.
        """
        command = [self.program, "preview", "-s", stack]
        done = self._start(command, capture=False)
        if done.returncode:
            raise CommandError(f"the plan of {stack} is refused", "mend what it says above", Exit(done.returncode))

    def up(self, console: Console, stack: str, lifted: Iterable[str] = ()) -> None:
        """Deploys a stack.

        Args:
            console: Where its progress is shown.
            stack: The stack.
            lifted: Settings whose guards do not count this once, because the data of before is put back with them.

        Raises:
            CommandError: it failed; with the end of its log.
        """
        force = {FORCE: ",".join(lifted)} if lifted else {}
        console.run(
            # The outputs would push the diagnostics out of the log's last lines.
            [self.program, "up", "--yes", "--skip-preview", "--non-interactive", "--suppress-outputs", "-s", stack],
            title=f"{stack}: pulumi up",
            log=self.logs / f"deploy-{stack}.log",
            env={**self.variables, **force},
            cwd=self.files,
            way_out=f"pulumi up -s {stack} says it again",
        )

    def _ask(self, *arguments: str) -> str:
        done = self._start([self.program, "--non-interactive", *arguments], capture=True)
        if done.returncode:
            raise CommandError(done.stderr.strip(), _SHELL, Exit(done.returncode))
        return done.stdout

    def _start(self, command: list[str], *, capture: bool) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **self.variables}
        try:
            return subprocess.run(
                command, cwd=self.files, env=environment, capture_output=capture, text=True, check=False
            )
        except FileNotFoundError:
            raise CommandError("pulumi is not on PATH", _SHELL, Exit.CONFIGURATION) from None
