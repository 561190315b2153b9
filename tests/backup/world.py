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
from tests.backup import played_docker
from tests.ports import free_port
from toolchain import restic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
HOST = "monk"
ROOT_PASSWORD = "administrators"  # noqa: S105 - of a database for tests
DATABASES = {"ledger": "postgres", "wiki": "mariadb"}
SERVICES = ("ledger", "wiki", "books", "papers")
KEEPER = "kscloud1"
PROGRAMS = {"wiki-app": "wiki", "books": "books", "papers": "papers"}
"""Containers that are started on what came back, by their service."""
HEALTHY = {
    "wiki-app": ["sh", "-c", "MYSQL_PWD=words exec mariadb -u wiki wiki -e 'SELECT id FROM pages'"],
    "books": ["grep", "-q", "SQLite format 3", "/books/books.db"],
    "papers": ["grep", "-q", "of-papers", "/run/secrets/key", "/papers/.kitestacks-canary"],
}
"""Each asks for what the live one has: its database, its file, the file that was put into it."""


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
    def other(self) -> Path:
        """The data root of the host that keeps the backup."""
        return self.home / "other"

    @property
    def notes(self) -> dict[str, Any]:
        """What the runner wrote down of each service."""
        return dict(json.loads((self.data / "backup" / "notes.json").read_text())["services"])

    @property
    def rooms(self) -> list[str]:
        """The scratch containers that are there."""
        return [each.name for each in (self.home / "rooms").iterdir()]

    @property
    def figures(self) -> str:
        """What Prometheus would see."""
        return (self.home / "backup.prom").read_text()

    def figure(self, name: str) -> float:
        """One figure."""
        return float(next(line for line in self.figures.splitlines() if line.startswith(name)).split()[-1])

    def command(self, *words: str, on: str = HOST) -> tuple[list[str], dict[str, str]]:
        """How the runner is started on a host."""
        path = f"{self.home / 'bin'}:{self.restic.parent}:/usr/bin:/bin"
        plan = self.home / ("plan.json" if on == HOST else "keepers-plan.json")
        environment = {"PATH": path, "PYTHONPATH": str(ROOT), "BACKUP_PLAN": str(plan)}
        return [sys.executable, "-m", "components.backup_runner", *words], environment

    def runner(self, *words: str, stdin: str = "", on: str = HOST) -> tuple[int, str]:
        """Runs it; its exit code and all that it says."""
        command, environment = self.command(*words, on=on)
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
            command = ["mariadb", "-u", "root", "-N", "-B", service, "-e", statement]
            environment["MYSQL_PWD"] = ROOT_PASSWORD
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
        port = free_port()
        made = World(home=home, restic=programs[0], port=port)
        _lay_out(made)
        for service in DATABASES:
            for place in (service, f"scratch-of-{service}"):
                environment = stack.enter_context(_database(service))
                _write_environment(made, place, environment)
        for name, service in PROGRAMS.items():
            found = (home / f"scratch-of-{service}.env").read_text() if service in DATABASES else "PATH=/usr/bin:/bin"
            for place in (name, f"scratch-of-{name}"):
                (home / f"{place}.env").write_text(found)
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
            end = time.monotonic() + 60
            while time.monotonic() < end:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port or made.port), 1):
                    break
                time.sleep(0.05)
            yield
        finally:
            server.terminate()


def _database(service: str) -> contextlib.AbstractContextManager[dict[str, str]]:
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
        servers.Given(command=["mariadbd"], database=service, password="words", root_password=ROOT_PASSWORD)
    )


def _write_environment(made: World, name: str, environment: Mapping[str, str]) -> None:
    lines = "\n".join(f"{key}={value}" for key, value in environment.items())
    (made.home / f"{name}.env").write_text(lines)


def _lay_out(made: World) -> None:
    for folder in ("bin", "secrets", "data", "other", "rooms", "store"):
        (made.home / folder).mkdir()
    (made.other / "backup-server").symlink_to(made.home / "store")
    docker = made.home / "bin" / "docker"
    docker.write_text(f"#!{sys.executable} -IS\n{Path(played_docker.__file__).read_text()}")
    docker.chmod(0o755)
    words = {"repository": "opens-it", "recovery": "opens-it-too", "proving": "opens-it-there", "upload": "may-send"}
    for name, word in words.items():
        (made.home / "secrets" / f"{name}-password").write_text(word)
    (made.home / "htpasswd").write_text(htpasswd_line(HOST, words["upload"]))
    for service in SERVICES:
        (made.data / service).mkdir()
        _lay_out_container(made, service, service, [])
    for name, service in PROGRAMS.items():
        _lay_out_container(made, name, service, HEALTHY[name])
    for service, engine in DATABASES.items():
        (made.home / f"{service}.engine").write_text(engine)
    (made.home / "live").write_text("\n".join({*SERVICES, *PROGRAMS}))
    plan = _plan(made)
    (made.home / "plan.json").write_text(json.dumps(plan))
    there = {"host": KEEPER, "root": str(made.other), "data": str(made.other), "metrics": str(made.home / "there.prom")}
    keeps = {"services": {}, "keeps": {HOST: SERVICES}, "proves": [HOST], "shown": False}
    (made.home / "keepers-plan.json").write_text(json.dumps({**plan, **there, **keeps}))


def _lay_out_container(made: World, name: str, service: str, health: list[str]) -> None:
    """A container as docker tells of it."""
    secrets = made.home / f"{name}.secrets"
    secrets.mkdir(exist_ok=True)
    held = {"root-password": ROOT_PASSWORD} if name == "wiki" else {"key": f"of-{name}"}
    for file, word in held.items():
        (secrets / file).write_text(word)
    mounts = [("bind", str(made.data / service), f"/{service}"), ("bind", "/var/run/docker.sock", "/docker.sock")]
    marks = {"installation": "kitestacks", "host": HOST, "service": service}
    labels = {f"kitestacks.{mark}": value for mark, value in marks.items()}
    told = {
        "Id": f"{name}0123456789ab",
        "Config": {
            "Image": f"{name}:1",
            "Env": ["KIND=played"],
            "Labels": {**labels, "kitestacks.files": json.dumps([f"/run/secrets/{file}" for file in held])},
            "Healthcheck": {"Test": ["CMD", *health]},
        },
        "HostConfig": {"Memory": 2**28},
        "NetworkSettings": {"Networks": {service: {"Aliases": [name, f"{name}0123456789ab"[:12]]}}},
        "Mounts": [{"Type": kind, "Source": source, "Destination": target} for kind, source, target in mounts],
    }
    (made.home / f"{name}.json").write_text(json.dumps([told]))


def _plan(made: World) -> dict[str, Any]:
    return {
        "host": HOST,
        "installation": "kitestacks",
        "root": str(made.data),
        "data": str(made.data),
        "secrets": str(made.home / "secrets"),
        "metrics": str(made.home / "backup.prom"),
        "repository": f"rest:http://127.0.0.1:{made.port}/{HOST}/",
        "copy_to": "",
        "limit": 50,
        "patience": 3,
        "services": {
            "ledger": _kept("postgres", "ledger", "ledger"),
            "wiki": _kept("mariadb", "wiki", "wiki", "wiki"),
            "books": _kept("sqlite", "books", "/books/books.db", "books"),
            "papers": {"databases": [], "folders": ["papers"], "not_alone": ""},
        },
        "keeps": {},
        "proves": [HOST],
        "shown": True,
    }


def _kept(engine: str, container: str, database: str, *folders: str) -> dict[str, Any]:
    databases = [{"engine": engine, "container": container, "database": database}]
    return {"databases": databases, "folders": list(folders), "not_alone": ""}


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
