"""A host to be saved: databases of the distribution, files, a real rest-server, docker's command played by a script.

What is tested is the program that runs in the container `backup`, as it runs there: its own process, real restic.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from components.services.backup_server import htpasswd_line
from tests.artefacts import servers
from toolchain import restic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
HOST = "monk"
ROOT_PASSWORD = "administrators"  # noqa: S105 - of a database for tests
DATABASES = {"ledger": "postgres", "wiki": "mariadb"}
SERVICES = ("ledger", "wiki", "books", "papers")
DOCKER = r"""#!/bin/bash
# docker's command, as far as the runner calls it: a container is an environment in which its database is found.
home=$(dirname "$(dirname "$0")")
echo "$*" >> "$home/docker.log"
case $1 in
exec)
    name=$3; shift 3
    [ -f "$home/$name.env" ] || { echo "No such container: $name" >&2; exit 1; }
    [ -x "$home/instead/$1" ] && exec "$home/instead/$1" "$@"
    exec env -i $(cat "$home/$name.env") "${@//\/run\/secrets/$home/$name.secrets}" ;;
inspect) cat "$home/$2.json" ;;
run) while [ "$1" != --name ]; do shift; done; cp "$home/scratch-of-${2##*-}.env" "$home/$2.env" ;;
rm) rm -f "$home/${@: -1}.env" ;;
version) echo 28 ;;
esac
"""


@dataclass(frozen=True, kw_only=True)
class World:
    """The host.

    Attributes:
        home: Everything of it.
        restic: restic's program.
        port: Where its backup server answers.
    """

    home: Path
    restic: Path
    port: int

    @property
    def data(self) -> Path:
        """The data root."""
        return self.home / "data"

    @property
    def notes(self) -> dict[str, Any]:
        """What the runner wrote down of each service."""
        return dict(json.loads((self.data / "backup" / "notes.json").read_text())["services"])

    @property
    def figures(self) -> str:
        """What Prometheus would see."""
        return (self.home / "backup.prom").read_text()

    def figure(self, name: str) -> float:
        """One figure."""
        return float(next(line for line in self.figures.splitlines() if line.startswith(name)).split()[-1])

    def command(self, *words: str) -> tuple[list[str], dict[str, str]]:
        """How the runner is started."""
        path = f"{self.home / 'bin'}:{self.restic.parent}:/usr/bin:/bin"
        environment = {"PATH": path, "PYTHONPATH": str(ROOT), "BACKUP_PLAN": str(self.home / "plan.json")}
        return [sys.executable, "-m", "components.backup_runner", *words], environment

    def runner(self, *words: str, stdin: str = "") -> tuple[int, str]:
        """Runs it; its exit code and all that it says."""
        command, environment = self.command(*words)
        done = subprocess.run(
            command, env=environment, input=stdin, capture_output=True, text=True, check=False, timeout=60
        )
        assert not done.stderr, done.stderr
        return done.returncode, done.stdout

    def ask(self, service: str, statement: str, *, scratch: bool = False) -> str:
        """Asks a service's database, or the server that a drill used."""
        place = f"scratch-of-{service}" if scratch else service
        environment = dict(line.split("=", 1) for line in (self.home / f"{place}.env").read_text().split())
        if DATABASES[service] == "postgres":
            command = ["psql", "-X", "-q", "-A", "-t", "-U", service, "-d", service, "-c", statement]
        else:
            word = "" if scratch else ROOT_PASSWORD
            command, environment = (
                ["mariadb", "-u", "root", "-N", "-B", service, "-e", statement],
                {
                    **environment,
                    "MYSQL_PWD": word,
                },
            )
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def books(self, statement: str) -> str:
        """Asks the SQLite file."""
        with contextlib.closing(sqlite3.connect(self.data / "books" / "books.db")) as database, database:
            return "\n".join(str(row[0]) for row in database.execute(statement))

    def instead(self, program: str, script: str) -> contextlib.AbstractContextManager[None]:
        """Lets a program in all containers behave otherwise."""
        return _file(self.home / "instead" / program, f"#!/bin/bash\n{script}\n")

    def edit_plan(self, **values: Any) -> contextlib.AbstractContextManager[None]:  # noqa: ANN401 - any JSON value
        """Another plan for a while."""
        plan = json.loads((self.home / "plan.json").read_text())
        return _file(self.home / "plan.json", json.dumps(plan | values))


@contextlib.contextmanager
def _file(path: Path, text: str) -> Iterator[None]:
    before = path.read_text() if path.exists() else None
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    try:
        yield
    finally:
        path.unlink() if before is None else path.write_text(before)


@contextlib.contextmanager
def world(home: Path) -> Iterator[World]:
    """The host with all of its services."""
    programs = restic.RESTIC.find(), restic.REST_SERVER.find()
    if programs[0] is None or programs[1] is None:
        pytest.skip("no restic here: python3 -m kitestacks toolchain --restic")
    with contextlib.ExitStack() as stack:
        port = servers.free_port()
        made = World(home=home, restic=programs[0], port=port)
        _lay_out(made)
        for service in DATABASES:
            for place, word in ((service, ROOT_PASSWORD), (f"scratch-of-{service}", "")):
                environment = stack.enter_context(_database(service, word))
                _write_environment(made, place, environment)
        for service in ("books", "papers"):
            _write_environment(made, service, {"PATH": "/usr/bin:/bin"})
        stack.enter_context(rest_server(programs[1], made))
        yield made


@contextlib.contextmanager
def rest_server(program: Path, made: World, *flags: str, folder: str = "store", port: int = 0) -> Iterator[None]:
    """The backup server of the other host, as its container starts it."""
    place = made.home / folder
    place.mkdir(exist_ok=True)
    command = [str(program), "--path", str(place), "--htpasswd-file", str(made.home / "htpasswd")]
    command += ["--append-only", "--private-repos", "--listen", f"127.0.0.1:{port or made.port}", *flags]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            end = time.monotonic() + 10
            while time.monotonic() < end:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port or made.port), 1):
                    break
                time.sleep(0.05)
            yield
        finally:
            server.terminate()


def _database(service: str, root_password: str) -> contextlib.AbstractContextManager[dict[str, str]]:
    if DATABASES[service] == "postgres":
        return servers.postgres(
            servers.Given(
                command=["postgres", "-c", "fsync=off"],
                database=service,
                initdb=["--auth-host=scram-sha-256"],
                password="words",
            )
        )
    return servers.mariadb(
        servers.Given(command=["mariadbd"], database=service, password="words", root_password=root_password)
    )


def _write_environment(made: World, name: str, environment: Mapping[str, str]) -> None:
    lines = "\n".join(f"{key}={value}" for key, value in environment.items())
    (made.home / f"{name}.env").write_text(lines)


def _lay_out(made: World) -> None:
    for folder in ("bin", "secrets", "data"):
        (made.home / folder).mkdir()
    docker = made.home / "bin" / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    words = {"repository-password": "opens-it", "recovery-password": "opens-it-too", "upload-password": "may-send"}
    for name, word in words.items():
        (made.home / "secrets" / name).write_text(word)
    (made.home / "htpasswd").write_text(htpasswd_line(HOST, words["upload-password"]))
    for service in SERVICES:
        (made.data / service).mkdir()
        mounts = [{"Source": str(made.data / service), "Destination": f"/{service}"}]
        config = {"User": f"{os.getuid()}:{os.getgid()}", "Image": "database:1"}
        (made.home / f"{service}.json").write_text(
            json.dumps([{"Mounts": mounts, "Config": config, "HostConfig": {"Memory": 2**28}}])
        )
        (made.home / f"{service}.secrets").mkdir()
    (made.home / "wiki.secrets" / "root-password").write_text(ROOT_PASSWORD)
    plan = {
        "host": HOST,
        "installation": "kitestacks",
        "root": str(made.data),
        "data": str(made.data),
        "secrets": str(made.home / "secrets"),
        "metrics": str(made.home / "backup.prom"),
        "repository": f"rest:http://127.0.0.1:{made.port}/{HOST}/",
        "copy_to": "",
        "limit": 50,
        "services": {
            "ledger": _kept("postgres", "ledger", "ledger"),
            "wiki": _kept("mariadb", "wiki", "wiki", "wiki"),
            "books": _kept("sqlite", "books", "/books/books.db", "books"),
            "papers": {"databases": [], "folders": ["papers"]},
        },
    }
    (made.home / "plan.json").write_text(json.dumps(plan))


def _kept(engine: str, container: str, database: str, *folders: str) -> dict[str, Any]:
    return {"databases": [{"engine": engine, "container": container, "database": database}], "folders": list(folders)}


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A disk that is soon full."""
    folder.mkdir(exist_ok=True)
    sudo = [] if os.geteuid() == 0 else [shutil.which("sudo") or "sudo", "-n"]
    mounted = subprocess.run(
        [*sudo, "mount", "-t", "tmpfs", "-o", f"size={size},mode=0777", "none", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"no disk of memory can be mounted here: {mounted.stderr.strip()}; run it as root")
    try:
        yield
    finally:
        subprocess.run([*sudo, "umount", "-l", str(folder)], check=True)
