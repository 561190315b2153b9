"""What `deploy` dumps before an upgrade, from the distribution's own PostgreSQL and MariaDB, restored and looked at."""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from components.backup import Dump, Engine
from kitestacks.deploying.changes import Change
from kitestacks.exits import CommandError
from tests.artefacts import servers
from tests.artefacts.test_password_step import given_of
from tests.deploying.played_host import PlayedHost

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVICES = {
    Engine.POSTGRES: ("litellm", "litellm-db", servers.postgres),
    Engine.MARIADB: ("bookstack", "bookstack-db", servers.mariadb),
}

_MARIADB_DUMP = 'exec /usr/bin/mariadb-dump "$@" --socket="$MYSQL_UNIX_PORT"'


@contextlib.contextmanager
def database(engine: Engine, folder: Path) -> Iterator[tuple[PlayedHost, Change, dict[str, str]]]:
    """A running database as its container has it, on a host, with a row in it."""
    service, container, server = SERVICES[engine]
    given = given_of(service, container, "monk")
    with server(given) as environment:
        played = PlayedHost.made(folder, running=container)
        (played.disk / container).mkdir()
        (folder / "root-password").write_text(given.root_password)
        # In the container the file lies at the one place; here it lies with the test.
        inside = f'[ "$1" = /run/secrets/root-password ] && set -- {folder}/root-password'
        played.program("cat", f'#!/bin/sh\n{inside}\nexec /bin/cat "$@"\n')
        # The distribution's configuration names the distribution's own server.
        played.program("mariadb-dump", f"#!/bin/sh\n{_MARIADB_DUMP}\n")
        client = {Engine.POSTGRES: f"psql -q -U {given.database}", Engine.MARIADB: f"mariadb -u root {given.database}"}
        asked = environment | {"MYSQL_PWD": given.root_password}
        statement = "CREATE TABLE pages (name varchar(40)); INSERT INTO pages VALUES ('of before');"
        subprocess.run(["sh", "-c", client[engine]], input=statement, env=asked, text=True, check=True)
        dump = Dump(engine=engine, container=container, database=given.database)
        change = Change(service=service, old={}, new={}, folders=(str(played.disk / container),), dumps=(dump,))
        yield played, change, environment


@pytest.fixture(params=[Engine.POSTGRES, Engine.MARIADB])
def saved(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[PlayedHost, Change]]:
    with database(request.param, tmp_path) as (played, change, environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value if name != "PATH" else f"{value}{os.pathsep}{os.environ['PATH']}")
        yield played, change


def test_dump_is_whole_and_has_the_row(saved: tuple[PlayedHost, Change]) -> None:
    played, change = saved

    played.copies().save(change)

    (dump,) = (played.disk / f".before-upgrade/{change.service}/dumps").iterdir()
    if change.dumps[0].engine is Engine.POSTGRES:
        text = subprocess.run(["pg_restore", "-f", "-", dump], capture_output=True, text=True, check=True).stdout
    else:
        text = dump.read_text()
    assert "of before" in text


def test_dump_that_is_cut_short_is_refused_and_the_database_runs_on(saved: tuple[PlayedHost, Change]) -> None:
    played, change = saved
    postgres = change.dumps[0].engine is Engine.POSTGRES
    whole = '/usr/bin/pg_dump "$@"' if postgres else _MARIADB_DUMP.removeprefix("exec ")
    cut = f'#!/bin/sh\n{whole} > "$PLAYED/whole"; head -c 900 "$PLAYED/whole"\n'
    played.program("pg_dump" if postgres else "mariadb-dump", cut)

    with pytest.raises(CommandError, match="is not whole"):
        played.copies().save(change)

    assert played.running == [change.dumps[0].container]


def test_root_password_stands_in_no_command(saved: tuple[PlayedHost, Change]) -> None:
    played, change = saved

    played.copies().save(change)

    secret = (played.folder / "root-password").read_text()
    if secret:
        assert secret not in (played.folder / "said").read_text()


def _asked(change: Change, statement: str) -> str:
    """What another service's database answers; the environment is the one in which its clients find it."""
    database = change.elsewhere[0].database
    command = ["psql", "-X", "-q", "-A", "-t", "-U", database, "-d", database, "-c", statement]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def lent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[PlayedHost, Change]]:
    """A service that keeps its data in another one's running PostgreSQL, as the login does."""
    with database(Engine.POSTGRES, tmp_path) as (played, change, environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value if name != "PATH" else f"{value}{os.pathsep}{os.environ['PATH']}")
        yield played, Change(service="login", old={}, new={}, folders=change.folders, elsewhere=change.dumps)


def test_database_of_another_service_goes_back_while_it_runs(lent: tuple[PlayedHost, Change]) -> None:
    played, change = lent
    played.copies().save(change)
    _asked(change, "ALTER TABLE pages ADD COLUMN migrated int; UPDATE pages SET name = 'migrated'")

    played.copies().bring_back(change)

    assert _asked(change, "SELECT * FROM pages") == "of before"


def test_dump_that_is_refused_leaves_the_database_as_it_was(lent: tuple[PlayedHost, Change]) -> None:
    played, change = lent
    played.copies().save(change)
    (dump,) = (played.disk / ".before-upgrade/login/dumps").iterdir()
    dump.write_bytes(dump.read_bytes()[:-200])

    with pytest.raises(CommandError, match="refused its dump, and is as the new version left it"):
        played.copies().bring_back(change)

    assert _asked(change, "SELECT * FROM pages") == "of before"
