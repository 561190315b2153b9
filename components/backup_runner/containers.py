"""Containers: this program's way to the host's containers, by docker's own command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, Self

from components.backup_runner.plan import BackupError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.backup_runner.plan import Database, Plan

_READY_LIMIT = 180
"""Seconds that a scratch database may take to make its folder and answer."""


def docker(*arguments: str) -> str:
    """What a short docker command printed.

    Raises:
        BackupError: it failed.
    """
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupError(f"docker {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def execute(
    container: str, command: Sequence[str], *, stdin: IO[bytes] | None = None, stdout: IO[bytes] | None = None
) -> str:
    """Runs a command in a container; returns what it printed, unless `stdout` takes that.

    Raises:
        BackupError: it failed, with the last line of what it says.
    """
    done = subprocess.run(
        ["docker", "exec", "-i", container, *command],
        stdin=stdin or subprocess.DEVNULL,
        stdout=stdout or subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )
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


def of_service(plan: Plan, service: str) -> list[str]:
    """The running containers of a service, but for those of its database servers."""
    marks = (f"label=kitestacks.installation={plan.installation}", f"label=kitestacks.service={service}")
    marked = docker("ps", "--format", "{{.Names}}", "--filter", marks[0], "--filter", marks[1]).split()
    servers = {each.container for each in plan.kept(service).databases if each.engine != "sqlite"}
    return [name for name in marked if name not in servers]


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


class Scratch:
    """A database server that lives as long as a drill: the real one's image on an empty folder, with no network.

    Args:
        plan: The host's.
        database: The real one.
    """

    def __init__(self, plan: Plan, database: Database) -> None:
        self.name = f"{plan.installation}-drill-{database.container}"
        self._plan = plan
        self._database = database

    def __enter__(self) -> Self:
        real = inspect(self._database.container)
        name, user = self._database.database, real["Config"]["User"] or "0:0"
        folder = Path("backup", "scratch", self.name)
        here = self._plan.data / folder
        shutil.rmtree(here, ignore_errors=True)
        here.mkdir(mode=0o700, parents=True)
        uid, _, gid = user.partition(":")
        os.chown(here, int(uid), int(gid or uid))
        target = next(m["Destination"] for m in real["Mounts"] if m["Source"].startswith(self._plan.root))
        settings = {
            "postgres": [f"POSTGRES_DB={name}", f"POSTGRES_USER={name}", "POSTGRES_HOST_AUTH_METHOD=trust"],
            "mariadb": [f"MARIADB_DATABASE={name}", "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=1"],
        }[self._database.engine]
        docker("rm", "-f", "-v", self.name)
        docker(
            *("run", "-d", "--name", self.name, "--network", "none", "--user", user),
            *("--cap-drop", "ALL", "--security-opt", "no-new-privileges:true", "--shm-size", "128m"),
            *("-v", f"{self._plan.root}/{folder}:{target}"),
            *(part for setting in settings for part in ("-e", setting)),
            real["Config"]["Image"],
        )
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        docker("rm", "-f", "-v", self.name)
        shutil.rmtree(self._plan.own / "scratch" / self.name, ignore_errors=True)

    def _wait(self) -> None:
        """Over TCP: while the image makes the folder, its server listens on the socket alone."""
        ready = {
            "postgres": ("pg_isready", "-q", "-h", "127.0.0.1"),
            "mariadb": ("mariadb-admin", "--protocol=TCP", "-h", "127.0.0.1", "--connect-timeout=2", "ping"),
        }[self._database.engine]
        end = time.monotonic() + _READY_LIMIT
        while True:
            try:
                execute(self.name, ready)
            except BackupError as error:
                if time.monotonic() > end:
                    raise BackupError(f"the scratch database does not answer: {error}") from None
                time.sleep(0.5)
            else:
                return
