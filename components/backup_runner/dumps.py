"""Dumps: a consistent copy of a database by its own tools, checked before anybody calls it one, and loaded again.

A dump is a file before it is saved: in a pipe a dump that breaks off looks like one that is short.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sqlite3
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from components.backup_runner import canary
from components.backup_runner.containers import execute, sqlite_file
from components.backup_runner.plan import BackupError, Database
from components.backup_runner.servers import administrator, client, dumper, loader

if TYPE_CHECKING:
    from pathlib import Path

    from components.backup_runner.plan import Plan

_LAST_WORDS = {"postgres": b"PostgreSQL database dump complete", "mariadb": b"-- Dump completed"}
"""What stands at the end of a dump that was not cut short (`pg_dump` and `mariadb-dump` write it last)."""
_TAIL = 400
_TABLES = "SELECT count(*) FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema "
_COUNT = {"postgres": f"{_TABLES} NOT IN ('pg_catalog', 'information_schema')", "mariadb": f"{_TABLES} = database()"}


@dataclass(frozen=True, kw_only=True)
class Dumped:
    """One dump that is complete.

    Attributes:
        file: Its name beside the others.
        engine: Whose.
        container: Where it was made.
        database: As the plan names it.
        digest: SHA-256 of what it says; lines that differ from dump to dump are left out.
        tables: How many tables it holds.
        canary: Whose row, and its word, were in the database just before; empty for SQLite.
        rows: For SQLite: how many rows all its tables hold.
        place: For SQLite: the live file below the data root, its owner, group and mode.
    """

    file: str
    engine: str
    container: str
    database: str
    digest: str
    tables: int
    canary: tuple[str, str] = ("", "")
    rows: int = 0
    place: tuple[str, int, int, int] | None = None

    @property
    def source(self) -> Database:
        """The database that it was made of."""
        return Database(engine=self.engine, container=self.container, database=self.database)

    def note(self) -> dict[str, Any]:
        """As it is written into the manifest."""
        return asdict(self)


def make(plan: Plan, database: Database, folder: Path, row: tuple[str, str] = ("", "")) -> Dumped:
    """Dumps one database, in which a canary's row was just found or written, into a folder.

    Raises:
        BackupError: its tools failed, the dump is not whole, or there is no room for it.
    """
    file = folder / f"{database.container}.{'sqlite' if database.engine == 'sqlite' else 'sql'}"
    try:
        place = _copy_sqlite(plan, database, file) if database.engine == "sqlite" else None
        if place is None:
            with file.open("wb") as out:
                execute(database.container, dumper(database), stdout=out)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"no dump of {database.container}: {error}") from None
    check(file, database.engine)
    return Dumped(
        file=file.name,
        engine=database.engine,
        container=database.container,
        database=database.database,
        digest=digest(file),
        tables=tables(database, database.database, file),
        canary=row,
        rows=rows(file) if place else 0,
        place=place,
    )


def check(file: Path, engine: str) -> None:
    """Whether a dump is whole.

    Raises:
        BackupError: it is not.
    """
    if engine == "sqlite":
        try:
            with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as copy:
                said = copy.execute("PRAGMA integrity_check").fetchone()[0]
        except sqlite3.Error as error:
            said = str(error)
        if said != "ok":
            raise BackupError(f"the copy {file.name} is damaged: {said}")
        return
    with file.open("rb") as dump:
        dump.seek(max(0, file.stat().st_size - _TAIL))
        if _LAST_WORDS[engine] not in dump.read():
            raise BackupError(f"the dump {file.name} is cut short: its last line does not say that it is complete")


def digest(file: Path) -> str:
    """What a dump says of the app, as one figure; PostgreSQL's random keys and the canary are no part of it."""
    found = hashlib.sha256()
    with file.open("rb") as dump:
        for line in dump:
            if not line.startswith((b"\\restrict ", b"\\unrestrict ")) and not canary.is_in(line):
                found.update(line)
    return found.hexdigest()


def tables(database: Database, within: str, file: Path) -> int:
    """How many tables a server's database has; of SQLite, a file."""
    if database.engine == "sqlite":
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as copy:
            return int(copy.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0])
    return int(execute(database.container, client(database, within, _COUNT[database.engine])))


def rows(file: Path) -> int:
    """How many rows all tables of a SQLite file hold; a virtual one's lie in other tables of the same file."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as copy:
        names = [str(name).replace('"', '""') for (name,) in copy.execute(query)]
        return sum(int(copy.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]) for name in names)  # noqa: S608


def load(dumped: Dumped, file: Path, server: Database, into: str) -> None:
    """Loads a dump into an empty database of a server, and finds in it all that was saved.

    Raises:
        BackupError: the server refuses a line of it, a table is missing, or the canary is not the backup's.
    """
    with file.open("rb") as dump:
        execute(server.container, loader(server, into), stdin=dump)
    count = tables(server, into, file)
    if count != dumped.tables:
        raise BackupError(f"{dumped.container}: {count} tables came back, {dumped.tables} were saved")
    canary.find_row(server, into, dumped.canary)


def replace(dumped: Dumped, file: Path) -> None:
    """Puts a dump in the place of a running server's database: loaded beside it first, so a bad one changes nothing.

    Raises:
        BackupError: the server refuses it, or it is not what was saved; the database is as it was.
    """
    server, beside = dumped.source, f"{dumped.database}_restoring"
    name = dumped.database

    def tell(statement: str) -> None:
        execute(server.container, administrator(server, statement))

    if dumped.engine == "mariadb":
        tell(f"DROP DATABASE IF EXISTS {beside}; CREATE DATABASE {beside}")
        load(dumped, file, server, beside)
        tell(f"DROP DATABASE {beside}; DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}")
        load(dumped, file, server, name)
        return
    tell(f'DROP DATABASE IF EXISTS "{beside}"')
    tell(f'CREATE DATABASE "{beside}" TEMPLATE template0')
    load(dumped, file, server, beside)
    tell(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    tell(f'ALTER DATABASE "{beside}" RENAME TO "{name}"')


def put_sqlite(data: Path, dumped: Dumped, file: Path) -> None:
    """Puts a copy in the place of a SQLite file whose program is stopped; what belonged to the old one goes with it.

    Raises:
        BackupError: what lies there then is not what was saved.
    """
    assert dumped.place is not None  # noqa: S101 - every SQLite dump has one
    relative, uid, gid, mode = dumped.place
    target = data / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f"{target.name}.restoring")
    shutil.copyfile(file, fresh)
    os.chown(fresh, uid, gid)
    fresh.chmod(mode)
    for beside in ("-wal", "-shm", "-journal"):
        target.with_name(target.name + beside).unlink(missing_ok=True)
    if (tables(dumped.source, "", fresh), rows(fresh)) != (dumped.tables, dumped.rows):
        fresh.unlink()
        raise BackupError(f"{relative}: other tables or rows came back than were saved")
    fresh.replace(target)


def _copy_sqlite(plan: Plan, database: Database, file: Path) -> tuple[str, int, int, int]:
    """By SQLite's own way to copy a database in use, from another container on the same kernel, which it allows."""
    relative = sqlite_file(plan, database)
    live = plan.data / relative
    facts = live.stat()
    file.unlink(missing_ok=True)
    with (
        contextlib.closing(sqlite3.connect(f"file:{live}?mode=ro", uri=True, timeout=60)) as source,
        contextlib.closing(sqlite3.connect(file)) as target,
    ):
        source.backup(target)
        # The copy is one file: a journal beside it would have to be saved with it.
        target.execute("PRAGMA journal_mode=DELETE")
    return str(relative), facts.st_uid, facts.st_gid, facts.st_mode & 0o777
