"""Copies of before: whole or refused, the service running again where one is refused, and put back as it was."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from components.backup import Dump, Engine
from kitestacks.deploying.changes import Change
from kitestacks.exits import CommandError
from tests.deploying.played_host import PlayedHost

if TYPE_CHECKING:
    from pathlib import Path

WIKI_DUMP = "-- a table\n-- Dump completed on 2026-11-02\n"


@pytest.fixture
def host(tmp_path: Path) -> PlayedHost:
    played = PlayedHost.made(tmp_path)
    (played.disk / "app/media").mkdir(parents=True)
    (played.disk / "app/media/canary").write_text("of before")
    return played


def change(host: PlayedHost, *dumps: Dump, folder: str = "app") -> Change:
    return Change(
        service="app", old={"image": "app:1"}, new={"image": "app:2"}, folders=(str(host.disk / folder),), dumps=dumps
    )


def test_saved_data_lies_beside_and_the_service_stays_stopped(host: PlayedHost) -> None:
    place = host.copies().save(change(host))

    assert (host.disk / ".before-upgrade/app/folders/app/media/canary").read_text() == "of before"
    assert place == str(host.disk / ".before-upgrade/app")
    assert host.running == []
    assert (host.disk / ".before-upgrade/app").stat().st_mode & 0o077 == 0, "nobody else may read it"


def test_nested_folder_comes_back_to_its_place(host: PlayedHost) -> None:
    nested = change(host, folder="app/media")
    host.copies().save(nested)
    (host.disk / "app/media/canary").write_text("migrated")

    host.copies().bring_back(nested)

    assert (host.disk / "app/media/canary").read_text() == "of before"


def test_data_of_before_comes_back_and_that_of_the_failed_version_is_kept(host: PlayedHost) -> None:
    host.copies().save(change(host))
    host.copies().start([change(host)])
    (host.disk / "app/media/canary").write_text("migrated")
    (host.disk / "app/new").write_text("of the new version")

    left = host.copies().bring_back(change(host))

    assert (host.disk / "app/media/canary").read_text() == "of before"
    assert not (host.disk / "app/new").exists()
    assert (host.disk / ".before-upgrade/app.failed/app/media/canary").read_text() == "migrated"
    assert left == str(host.disk / ".before-upgrade/app.failed")
    assert host.running == [], "nothing runs while folders move"


def test_second_copy_replaces_the_first_only_when_it_is_whole(host: PlayedHost) -> None:
    host.copies().save(change(host))
    host.copies().start([change(host)])
    (host.disk / "app/media/canary").write_text("later")
    broken = Dump(engine=Engine.SQLITE, container="app", database="/data/none.db")
    host.mounts["/data"] = str(host.disk / "app")

    with pytest.raises(CommandError, match=r"there is no database app/none\.db"):
        host.copies().save(change(host, broken))

    assert (host.disk / ".before-upgrade/app/folders/app/media/canary").read_text() == "of before"
    assert not (host.disk / ".before-upgrade/app.new").exists()
    assert host.running == ["app"], "it runs again"


def test_sqlite_that_is_whole_is_saved_and_not_written_to(host: PlayedHost) -> None:
    host.mounts["/data"] = str(host.disk / "app")
    file = host.disk / "app/app.db"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE books (name)")
    database.close()
    bytes_before = file.read_bytes()

    host.copies().save(change(host, Dump(engine=Engine.SQLITE, container="app", database="/data/app.db")))

    assert (host.disk / ".before-upgrade/app/folders/app/app.db").read_bytes() == bytes_before
    assert sorted(path.name for path in (host.disk / ".before-upgrade/app").iterdir()) == ["dumps", "folders"]


def test_sqlite_that_is_torn_is_refused(host: PlayedHost) -> None:
    host.mounts["/data"] = str(host.disk / "app")
    (host.disk / "app/app.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 4000)

    with pytest.raises(CommandError, match=r"the database app/app\.db is not whole"):
        host.copies().save(change(host, Dump(engine=Engine.SQLITE, container="app", database="/data/app.db")))

    assert host.running == ["app"]


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (f"cat >/dev/null; printf '%s' '{WIKI_DUMP}'", ""),
        ("cat >/dev/null; printf '%s' '-- a table'", "the dump of app-db is not whole"),
        ("cat >/dev/null", "the dump of app-db is empty"),
        (f"cat >/dev/null; printf '%s' '{WIKI_DUMP}'; exit 2", "app-db could not be dumped"),
    ],
)
def test_mariadb_dump_counts_when_its_last_line_is_there(program: str, why: str, host: PlayedHost) -> None:
    host.program("mariadb-dump", f"#!/bin/sh\n{program}\n")
    wanted = change(host, Dump(engine=Engine.MARIADB, container="app-db", database="wiki"))

    if not why:
        host.copies().save(wanted)
        assert (host.disk / ".before-upgrade/app/dumps/app-db-wiki.sql").read_text() == WIKI_DUMP
        return
    with pytest.raises(CommandError, match=why):
        host.copies().save(wanted)
    assert host.running == ["app"]
    assert "stop" not in host.said, "a dump that failed stops nothing"


@pytest.mark.parametrize(("status", "why"), [(0, ""), (1, "the dump of app-db is not whole")])
def test_postgres_dump_counts_when_it_can_be_read_to_its_end(status: int, why: str, host: PlayedHost) -> None:
    host.program("pg_dump", "#!/bin/sh\nprintf PGDMP\n")
    host.program("pg_restore", f"#!/bin/sh\ncat >/dev/null; exit {status}\n")
    wanted = change(host, Dump(engine=Engine.POSTGRES, container="app-db", database="app"))

    if not why:
        host.copies().save(wanted)
        assert (host.disk / ".before-upgrade/app/dumps/app-db-app.dump").read_text() == "PGDMP"
        return
    with pytest.raises(CommandError, match=why):
        host.copies().save(wanted)
    assert host.running == ["app"]


def test_full_disk_is_said_before_anything_is_stopped(host: PlayedHost) -> None:
    host.program("df", "#!/bin/sh\necho 'Filesystem 1024-blocks Used Available'\necho '/dev/x 100 99 1 99% /'\n")
    (host.disk / "app/large").write_bytes(b"x" * 100_000)

    with pytest.raises(CommandError, match=r"a copy needs \d+ KiB, and 1 KiB are free"):
        host.copies().save(change(host))

    assert "stop" not in host.said


def test_containers_that_are_not_healthy_are_named(host: PlayedHost) -> None:
    assert host.copies().unwell([change(host)]) == []

    (host.folder / "stopped").write_text("app-db\n")

    assert host.copies().unwell([change(host)]) == ["app-db: Exited (1)"]
