"""Databases of the distribution, started as their images start them: rendered options, generated passwords."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_LIMIT = 90
"""Seconds that a server may take to answer."""
_SCRIPTS = {
    # The image's own check of MariaDB, as far as the step asks it.
    "healthcheck.sh": "exec mariadb-admin --user=nobody --connect-timeout=2 ping",
    # The distribution's configuration names the distribution's own server.
    **{name: f'exec /usr/bin/{name} --no-defaults "$@"' for name in ("mariadb", "mariadb-admin", "mariadb-dump")},
    # A container's name leads to its own address; this machine's may lead anywhere.
    "hostname": "echo 127.0.0.1",
}


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a container's image is given.

    Attributes:
        command: The server and its options, as rendered.
        database: Name of the database and of its user.
        initdb: What the image passes on to PostgreSQL's `initdb`.
        files: What the command names, by its path in the container.
        password: The user's.
        root_password: The administrator's.
    """

    command: Sequence[str]
    database: str
    initdb: Sequence[str] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    password: str
    root_password: str = ""


def need(program: str, package: str) -> str:
    """The path of a server's program, or a skip with the command that installs it."""
    places = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), "/usr/sbin", "/usr/bin"]
    found = shutil.which(program, path=os.pathsep.join(map(str, places)))
    if found is None:
        pytest.skip(f"no {program} here: apt-get install {package}")
    return found


@contextlib.contextmanager
def postgres(given: Given) -> Iterator[dict[str, str]]:
    """PostgreSQL on a fresh folder, made as its image makes one; yields the environment in which clients find it."""
    initdb = Path(need("initdb", "postgresql"))
    with owned_folder("postgres") as folder:
        port, data = str(free_port()), str(folder / "data")
        environment = _environment(folder, {"PGHOST": str(folder), "PGPORT": port}, initdb.parent)
        words = folder / "password"
        words.write_text(given.password)
        flags = ["-U", given.database, f"--pwfile={words}", *given.initdb, "--no-sync", "-D", data]
        _run([str(initdb), *flags], environment, "postgres")
        places = ["-D", data, "-k", str(folder), "-h", "127.0.0.1", "-p", port]
        options = [_found(word, given.files, folder) for word in given.command[1:]]
        server = [str(initdb.parent / given.command[0]), *options, *places]
        with _server(server, environment, "postgres", ["pg_isready", "-q"]):
            _run(["createdb", "-U", given.database, given.database], environment, "postgres")
            yield environment


def _found(word: str, files: Mapping[str, str], folder: Path) -> str:
    """An option whose file, if it names one, lies in the folder of the server."""
    for path, text in files.items():
        if path in word:
            place = folder / Path(path).name
            place.write_text(text)
            return word.replace(path, str(place))
    return word


@contextlib.contextmanager
def mariadb(given: Given) -> Iterator[dict[str, str]]:
    """MariaDB on a fresh folder with the accounts that its image makes; yields the environment of its clients."""
    server, install = need(given.command[0], "mariadb-server"), need("mariadb-install-db", "mariadb-server")
    with owned_folder("mysql") as folder:
        names = {"MYSQL_UNIX_PORT": str(folder / "socket"), "MYSQL_TCP_PORT": str(free_port())}
        environment = _environment(folder, names, Path(server).parent)
        fresh = ["--no-defaults", f"--datadir={folder / 'data'}"]
        _run([install, *fresh, "--auth-root-authentication-method=normal", "--skip-test-db"], environment, "mysql")
        places = [f"--socket={folder / 'socket'}", "--bind-address=127.0.0.1", f"--pid-file={folder / 'pid'}"]
        with _server([server, *fresh, *given.command[1:], *places], environment, "mysql", ["healthcheck.sh"]):
            accounts = (
                f"CREATE DATABASE {given.database};"
                f"CREATE USER '{given.database}'@'%' IDENTIFIED BY '{given.password}';"
                f"GRANT ALL ON {given.database}.* TO '{given.database}'@'%';"
                f"ALTER USER 'root'@'localhost' IDENTIFIED BY '{given.root_password}';"
            )
            _run(["mariadb", "-u", "root"], environment, "mysql", stdin=accounts)
            yield environment


@contextlib.contextmanager
def owned_folder(owner: str) -> Iterator[Path]:
    """A folder that the server's user owns; pytest's own are closed to anybody else."""
    with tempfile.TemporaryDirectory(prefix=f"kitestacks-{owner}-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, owner, owner)
        scripts = folder / "scripts"
        scripts.mkdir()
        for script, line in _SCRIPTS.items():
            (scripts / script).write_text(f"#!/bin/sh\n{line}\n")
            (scripts / script).chmod(0o755)
        yield folder


def _environment(folder: Path, names: Mapping[str, str], programs: Path) -> dict[str, str]:
    path = os.pathsep.join([str(folder / "scripts"), str(programs), "/usr/bin", "/bin"])
    return {"PATH": path, "HOME": str(folder), "LC_ALL": "C.UTF-8", **names}


def as_user(user: str) -> dict[str, Any]:
    """A database refuses to be root; anybody else who runs the tests is as good as its own user."""
    return {"user": user, "group": user, "extra_groups": []} if os.geteuid() == 0 else {}


@contextlib.contextmanager
def _server(command: list[str], environment: dict[str, str], user: str, ready: list[str]) -> Iterator[None]:
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log, **as_user(user)) as server,
    ):
        try:
            end = time.monotonic() + _LIMIT
            while subprocess.run(ready, env=environment, capture_output=True, check=False).returncode:
                if server.poll() is not None or time.monotonic() > end:
                    log.seek(0)
                    pytest.fail(f"{command[0]} does not answer:\n{log.read()[-2000:]}")
                time.sleep(0.05)
            yield
        finally:
            server.terminate()


def _run(command: list[str], environment: dict[str, str], user: str, stdin: str = "") -> None:
    done = subprocess.run(
        command, input=stdin, env=environment, capture_output=True, text=True, check=False, **as_user(user)
    )
    assert done.returncode == 0, done.stderr or done.stdout
