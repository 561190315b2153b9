"""Copies of the database on this machine: the distribution's PostgreSQL, started by the rendered plan's own script."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from components.machine import Done
from components.services.authentik_db import replication_role
from components.services.authentik_db.standby import CopyState
from components.step_program import Given
from tests.artefacts.servers import as_user, need, owned_folder
from tests.ports import free_port
from tests.services.machines import PlayedMachine, run_here
from tests.services.plans import containers_of, environment
from tests.services.plans import files as files_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.recorder import Recorded

LIMIT = 90
"""Seconds that anything here may take."""
ROWS = 20
"""Rows that are written before anything happens."""
_IMAGES_OWN = """#!/bin/sh
# What the image's own entry point does with an empty folder, and what it starts then.
set -eu
initdb -U "$POSTGRES_USER" --pwfile="$WORDS/password" --no-sync $POSTGRES_INITDB_ARGS -D "$PGDATA" >/dev/null
pg_ctl -w -D "$PGDATA" -o "-c listen_addresses='' -k $PGHOST -p $PGPORT" start >/dev/null
createdb -U "$POSTGRES_USER" "$POSTGRES_DB"
pg_ctl -w -D "$PGDATA" stop >/dev/null
exec "$@"
"""


def wait(ready: Callable[[], bool], what: str) -> None:
    """Waits for a condition."""
    end = time.monotonic() + LIMIT
    while not ready():
        assert time.monotonic() < end, f"waited {LIMIT} s for {what}"
        time.sleep(0.05)


@dataclass(kw_only=True)
class Copy:
    """One host's copy.

    Attributes:
        host: Its host.
        folder: What its container would keep, and what it is given.
        port: Where it answers.
        planned: Its container in the plan.
        peers: The other copies' ports, by host.
        fenced: As the setting says.
        options: Further words of the server's command line, which win.
        server: What runs.
    """

    host: str
    folder: Path
    port: int
    planned: Recorded
    peers: dict[str, int] = field(default_factory=dict)
    fenced: bool = True
    options: tuple[str, ...] = ()
    server: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """Where its database lies: as in the image, in a folder of its own below the data folder."""
        return self.folder / "authentik-db" / "18" / "docker"

    @property
    def log(self) -> str:
        """All that it said."""
        file = self.folder / "log"
        return file.read_text() if file.exists() else ""

    def write_down(self) -> None:
        """Puts the container's files where it will find them."""
        words = self.folder / "given"
        words.mkdir()
        for path, text in files_of(self.planned).items():
            (words / Path(path).name).write_text(text)
        # The mocks of the foundation and of another host make two of a shared secret.
        (words / "replication-password").write_text("sharedbyall")
        (words / "docker-entrypoint.sh").write_text(_IMAGES_OWN)
        (words / "docker-entrypoint.sh").chmod(0o755)
        self.data.parent.mkdir(parents=True)
        for each in (words, *words.iterdir(), self.data.parent, self.data.parent.parent):
            if os.geteuid() == 0:
                shutil.chown(each, "postgres", "postgres")

    def variables(self, writer: str) -> dict[str, str]:
        """The container's environment, with this machine's places in it."""
        given = self.folder / "given"
        programs = Path(need("initdb", "postgresql")).parent
        places = {
            "PATH": os.pathsep.join(map(str, (given, programs, "/usr/bin", "/bin"))),
            "PGDATA": str(self.data),
            "PGHOST": str(self.folder),
            "PGPORT": str(self.port),
            "PGPASSFILE": str(self.folder / ".pgpass"),
            "WORDS": str(given),
            "DATABASE_PASSWORD_FILE": str(given / "replication-password"),
            "DATABASE_PEERS": " ".join(f"{host}=127.0.0.1:{port}" for host, port in self.peers.items()),
            "DATABASE_WRITER": writer,
            "DATABASE_PATIENCE": "1",
            "DATABASE_FENCED": "yes" if self.fenced else "no",
        }
        return environment(self.planned) | places

    def start(self, writer: str) -> None:
        """Starts it as its container would, with a writer as the settings say."""
        given = self.folder / "given"
        command = [each.replace("/etc/kitestacks/", f"{given}/") for each in self.planned.inputs["command"]]
        command += ["-k", str(self.folder), "-h", "127.0.0.1", "-p", str(self.port), "-c", "fsync=off", *self.options]
        with (self.folder / "log").open("ab") as log:
            self.server = subprocess.Popen(
                ["sh", str(given / "copy.sh"), "start", *command],
                cwd="/",
                env=self.variables(writer),
                stdout=log,
                stderr=log,
                **as_user("postgres"),
            )

    def up(self, writer: str) -> None:
        """Starts it, and waits until Docker would call it healthy."""
        self.start(writer)

        def ready() -> bool:
            assert self.server is not None
            assert self.server.poll() is None, f"{self.host} ended:\n{self.log[-3000:]}"
            return self.verb("healthy", writer).returncode == 0

        wait(ready, f"{self.host} to be healthy")

    def refused(self, writer: str) -> str:
        """Starts it, and gives what it says before it ends."""
        said = len(self.log)
        self.start(writer)
        assert self.server is not None
        assert self.server.wait(LIMIT) == 1
        return self.log[said:]

    def verb(self, verb: str, writer: str, *more: str) -> subprocess.CompletedProcess[str]:
        """Runs the script in the container, as `docker exec` does."""
        return self._run(["sh", str(self.folder / "given" / "copy.sh"), verb, *more], writer)

    def _run(self, command: list[str], writer: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd="/",
            env=self.variables(writer),
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
            **as_user("postgres"),
        )

    def check(self, writer: str, figures: str = "") -> subprocess.CompletedProcess[str]:
        """Runs the plan's own health check, which leaves figures in a folder of this machine."""
        _, shell, script, folder = self.planned.inputs["healthcheck"]["tests"]
        assert folder in [mount["target"] for mount in self.planned.inputs["mounts"]]
        return self._run([shell, str(self.folder / "given" / Path(script).name), figures or str(self.folder)], writer)

    def figures(self, writer: str) -> dict[str, float]:
        """What the health check leaves for Prometheus; that it calls this copy sick is no matter."""
        left = self.folder / "postgresql.prom"
        left.unlink(missing_ok=True)
        self.check(writer)
        lines = (line.rpartition(" ") for line in left.read_text().splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    def sql(self, statement: str) -> str:
        """What the database answers; its own administrator asks, behind the socket."""
        done = subprocess.run(
            ["psql", "-XAtqw", "-v", "ON_ERROR_STOP=1", "-U", "authentik", "-d", "authentik", "-c", statement],
            env=self.variables(self.host),
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def stop(self) -> None:
        """Stops it as `docker stop` does: the image's signal is that of a fast shutdown."""
        if self.server is not None and self.server.poll() is None:
            self.server.send_signal(signal.SIGINT)
            self.server.wait(LIMIT)

    def kill(self) -> None:
        """The power fails: the server and all of its processes end at once."""
        assert self.server is not None
        children = Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children").read_text().split()
        os.kill(self.server.pid, signal.SIGKILL)
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        self.server.wait(LIMIT)
        # A container that starts again has no process of before; here one might still have the number.
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def take(self, data: Path) -> None:
        """Gets the database of another copy that was stopped."""
        subprocess.run(["cp", "-a", str(data), str(self.data)], check=True)

    def set_aside(self) -> None:
        """What `rejoin` does on the host."""
        self.data.rename(self.data.with_name("docker.before"))


def _machine(copy: Copy, writer: str) -> PlayedMachine:
    def here(command: Sequence[str], stdin: str) -> Done:
        if command[-1] == "status":
            done = copy.verb("status", writer)
            return Done(code=done.returncode, out=done.stdout, err=done.stderr)
        return run_here(command, stdin, copy.variables(writer) | {"PATH": f"{copy.folder}/scripts:/usr/bin:/bin"})

    return PlayedMachine(answer=here)


def make_role(copy: Copy) -> str:
    """The step that `up` runs once the copy is healthy."""
    facts = {"container": "here", "user": "authentik", "database": "authentik", "role": "replicator"}
    password = (copy.folder / "given" / "replication-password").read_text()
    return replication_role.run(Given(facts=facts, secrets={"password": password}), _machine(copy, copy.host))


def state(copy: Copy, writer: str) -> CopyState:
    """How it stands, as a plan asks it."""
    return CopyState.read(_machine(copy, writer), "here")


@contextlib.contextmanager
def pair() -> Iterator[tuple[Copy, Copy]]:
    """The two hosts' copies, not started yet."""
    with contextlib.ExitStack() as stack:
        copies = [
            Copy(
                host=host,
                folder=stack.enter_context(owned_folder("postgres")),
                port=free_port(),
                planned=containers_of("authentik-db", host)["authentik-db"],
            )
            for host in ("kscloud1", "monk")
        ]
        for copy in copies:
            copy.peers = {other.host: other.port for other in copies if other is not copy}
            copy.write_down()
            stack.callback(copy.stop)
        first, second = copies
        yield first, second
