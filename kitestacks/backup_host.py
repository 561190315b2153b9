"""BackupHost: the container `backup` of a host, as commands reach it from wherever Pulumi runs."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components import contract
from components.backup_plan import SERVICE, keeper_of
from components.errors import ProgramError
from components.fleet_files import fleet_of_files
from components.host import physical_name
from components.services.backup_server import OWNER
from kitestacks.exits import CommandError, Exit
from kitestacks.paths import ROOT
from kitestacks.stack_state import pulumi

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from components.fleet import Fleet
    from kitestacks.console import Console

RUNNER = ("python3", "-m", "components.backup_runner")
RECOVERY = "backup.recovery-password"
STORE = "/data/backup-server"
"""Where the container sees the repositories that its host keeps."""
_DOCKER_ITSELF = re.compile(r"Error response from daemon|Cannot connect|error during connect|failed to connect")
"""How docker begins to say that nothing was run at all."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of every command that speaks of a host's backup."""
    parser.add_argument("-s", "--stack", required=True, help="the host whose backup it is")
    parser.add_argument("--folder", default=str(ROOT), help="where the stack files lie, if not here")


def fleet_at(folder: Path, host: str) -> Fleet:
    """What the stack files declare, seen from a host.

    Raises:
        CommandError: there is no such host, it has no backup, or a file is broken.
    """
    try:
        fleet = fleet_of_files(folder)
        contract.check_files(fleet)
    except ProgramError as error:
        raise CommandError(str(error), "mend what it says", Exit.CONFIGURATION) from None
    saved = fleet.hosts_of(SERVICE)
    if host not in saved:
        known = f"hosts that are saved: {', '.join(saved) or 'none; add `backup` to a host'}"
        raise CommandError(f"no backup is made of {host!r}", known, Exit.NO_SUCH_STACK)
    return fleet_of_files(folder, host)


@dataclass(frozen=True, kw_only=True)
class BackupHost:
    """One host.

    Attributes:
        fleet: What the stack files declare, seen from it.
    """

    fleet: Fleet

    @property
    def keeper(self) -> str:
        """The host that keeps its backup; the contract has made sure that there is one."""
        return keeper_of(self.fleet, self.fleet.here, self.fleet.own.service_settings[SERVICE].to) or ""

    def opened(self, place: BackupHost, folder: Path) -> tuple[list[str], str]:
        """What the runner on a host is told, and given on standard input, so that it opens this host's repository.

        Another host does not know the password, and forgets it again; it needs no server for what it keeps itself.

        Raises:
            CommandError: the stack does not know the password.
        """
        if place.fleet.here == self.fleet.here:
            return [], ""
        at_home = ["--repository", f"{STORE}/{self.fleet.here}"] if self.keeper == place.fleet.here else []
        return ["--of", self.fleet.here, *at_home], recovery_password(folder, self.fleet.here) + "\n"

    def run(self, *words: str, stdin: str = "", console: Console, title: str) -> tuple[int, list[str]]:
        """Runs the runner's words in the container, and shows each line that it says.

        Raises:
            CommandError: docker or the container is not there.
        """
        return self._follow([*RUNNER, *words], "", stdin, console, title)

    def prune(self, repository: str, words: list[str], password: str, console: Console, title: str) -> int:
        """Runs restic on a repository that this host keeps, as its files' owner; the password goes by a pipe."""
        command = ["restic", "--repo", repository, "--no-cache", *words]
        return self._follow(command, OWNER, password, console, title)[0]

    def _follow(self, command: list[str], user: str, stdin: str, console: Console, title: str) -> tuple[int, list[str]]:
        docker = shutil.which("docker")
        if docker is None:
            raise CommandError("the program docker is needed here", "apt-get install docker.io", Exit.CONFIGURATION)
        own = self.fleet.own
        container = physical_name(own.installation, self.fleet.here, SERVICE)
        whole = [docker, "-H", own.host.docker, "exec", "-i", *(("--user", user) if user else ()), container, *command]
        lines: list[str] = []
        with (
            console.step(title),
            subprocess.Popen(
                whole, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            ) as running,
        ):
            assert running.stdin is not None  # noqa: S101 - both are pipes
            assert running.stdout is not None  # noqa: S101
            with contextlib.suppress(BrokenPipeError):  # it ended without listening, and says why
                running.stdin.write(stdin)
                running.stdin.close()
            for line in running.stdout:
                lines.append(line.rstrip())
                console.line(f"  {lines[-1]}")
        last = lines[-1] if lines else "says nothing"
        if running.returncode and (not lines or _DOCKER_ITSELF.match(last)):
            way_out = f"does {container} run? docker -H {own.host.docker} ps; pulumi up -s {self.fleet.here} makes it"
            raise CommandError(f"{container} on {self.fleet.here}: {last}", way_out, Exit.RESOURCE)
        return running.returncode, lines


def recovery_password(folder: Path, host: str) -> str:
    """What opens a host's backup to its owner, out of the host's stack.

    Raises:
        CommandError: the stack is not there, or was deployed without a backup.
    """
    shown = pulumi("-C", str(folder), "stack", "output", "passwords", "--show-secrets", "--json", "-s", host)
    words = json.loads(shown)
    if RECOVERY not in words:
        raise CommandError(f"stack {host} knows no {RECOVERY}", f"pulumi up -s {host}", Exit.CONFIGURATION)
    return str(words[RECOVERY])
