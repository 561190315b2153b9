"""Containers: this program's way to the host's containers, by docker's own command."""

from __future__ import annotations

import json
import subprocess
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from components.backup_runner.plan import BackupError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.backup_runner.plan import Database, Plan


def docker(*arguments: str) -> str:
    """What a short docker command printed.

    Raises:
        BackupError: it failed.
    """
    return docker_bytes(*arguments).decode(errors="replace")


def docker_bytes(*arguments: str, stdin: bytes = b"") -> bytes:
    """The same, of a command that takes or gives an archive.

    Raises:
        BackupError: it failed.
    """
    done = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, check=False)
    if done.returncode:
        raise BackupError(f"docker {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def execute(
    container: str,
    command: Sequence[str],
    *,
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
    limit: float | None = None,
) -> str:
    """Runs a command in a container; returns what it printed, unless `stdout` takes that.

    Raises:
        BackupError: it failed, with the last line of what it says, or took more seconds than its limit.
    """
    try:
        done = subprocess.run(
            ["docker", "exec", "-i", container, *command],
            stdin=stdin or subprocess.DEVNULL,
            stdout=stdout or subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BackupError(f"{container}: {command[0]} did not end within {limit} s") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise BackupError(f"{container}: {said[-1] if said else f'{command[0]} ended with {done.returncode}'}")
    return (done.stdout or b"").decode(errors="replace")


def inspect(container: str) -> dict[str, Any]:
    """What docker knows of a container.

    Raises:
        BackupError: it is not there.
    """
    return dict(json.loads(docker("inspect", container))[0])


def of_service(plan: Plan, service: str, *, running: bool = True) -> list[str]:
    """The containers of a service, the running ones or all."""
    marks = (f"kitestacks.installation={plan.installation}", f"kitestacks.host={plan.host}")
    filters = [part for mark in (*marks, f"kitestacks.service={service}") for part in ("--filter", f"label={mark}")]
    return sorted(docker("ps", *(() if running else ("--all",)), "--format", "{{.Names}}", *filters).split())


def programs_of(plan: Plan, service: str) -> list[str]:
    """Its running containers, but for those of its database servers."""
    servers = {each.container for each in plan.kept(service).databases if each.engine != "sqlite"}
    return [name for name in of_service(plan, service) if name not in servers]


def sqlite_file(plan: Plan, database: Database) -> PurePosixPath:
    """Where a SQLite file lies below the data root: the container's mounts say so.

    Raises:
        BackupError: the container is not there, or keeps the file in no folder of the data root.
    """
    inside = PurePosixPath(database.database)
    for mount in inspect(database.container)["Mounts"]:
        source, target = PurePosixPath(mount["Source"]), PurePosixPath(mount["Destination"])
        if inside.is_relative_to(target) and source.is_relative_to(plan.root):
            return (source / inside.relative_to(target)).relative_to(plan.root)
    raise BackupError(f"{database.container} keeps {inside} in no folder below {plan.root}")
