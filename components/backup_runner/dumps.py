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

from components.backup_runner.containers import execute, sqlite_file
from components.backup_runner.plan import BackupError

if TYPE_CHECKING:
    from pathlib import Path

    from components.backup_runner.plan import Database, Plan

_LAST_WORDS = {"postgres": b"PostgreSQL database dump complete", "mariadb": b"-- Dump completed"}
"""What stands at the end of a dump that was not cut short (`pg_dump` and `mariadb-dump` write it last)."""
_TAIL = 400
_AS_ROOT = "MYSQL_PWD=$(cat /run/secrets/root-password 2>/dev/null); export MYSQL_PWD; exec "
"""The administrator's password is a private file of the database's own container; a scratch one has none."""
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
        place: For SQLite: the live file below the data root, its owner, group and mode.
    """

    file: str
    engine: str
    container: str
    database: str
    digest: str
    tables: int
    place: tuple[str, int, int, int] | None = None

    def note(self) -> dict[str, Any]:
        """As it is written into the manifest."""
        return asdict(self)


def make(plan: Plan, database: Database, folder: Path) -> Dumped:
    """Dumps one database into a folder.

    Raises:
        BackupError: its tools failed, the dump is not whole, or there is no room for it.
    """
    file = folder / f"{database.container}.{'sqlite' if database.engine == 'sqlite' else 'sql'}"
    try:
        place = _copy_sqlite(plan, database, file) if database.engine == "sqlite" else None
        if place is None:
            with file.open("wb") as out:
                execute(database.container, _dump_command(database), stdout=out)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"no dump of {database.container}: {error}") from None
    check(file, database.engine)
    return Dumped(
        file=file.name,
        engine=database.engine,
        container=database.container,
        database=database.database,
        digest=digest(file),
        tables=tables(database.engine, database.container, database.database, file),
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
    """What a dump says, as one figure; PostgreSQL's random keys against injection are no part of it."""
    found = hashlib.sha256()
    with file.open("rb") as dump:
        for line in dump:
            if not line.startswith((b"\\restrict ", b"\\unrestrict ")):
                found.update(line)
    return found.hexdigest()


def tables(engine: str, container: str, database: str, file: Path) -> int:
    """How many tables a database has; of SQLite, its copy."""
    if engine == "sqlite":
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as copy:
            return int(copy.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0])
    return int(execute(container, _client(engine, database, _COUNT[engine])))


def load(dumped: Dumped, file: Path, container: str, into: str) -> None:
    """Loads a dump into an empty database of a server.

    Raises:
        BackupError: the server refuses a line of it.
    """
    with file.open("rb") as dump:
        execute(container, _loader(dumped.engine, dumped.database, into), stdin=dump)


def replace(dumped: Dumped, file: Path) -> None:
    """Puts a dump in the place of a running server's database: loaded beside it first, so a bad one changes nothing.

    Raises:
        BackupError: the server refuses it; the database is as it was.
    """
    name, container, beside = dumped.database, dumped.container, f"{dumped.database}_restoring"
    if dumped.engine == "mariadb":
        _tell(dumped, f"DROP DATABASE IF EXISTS {beside}; CREATE DATABASE {beside}")
        load(dumped, file, container, beside)
        _tell(dumped, f"DROP DATABASE {beside}; DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}")
        load(dumped, file, container, name)
        return
    _tell(dumped, f'DROP DATABASE IF EXISTS "{beside}"')
    _tell(dumped, f'CREATE DATABASE "{beside}" TEMPLATE template0')
    load(dumped, file, container, beside)
    _tell(dumped, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    _tell(dumped, f'ALTER DATABASE "{beside}" RENAME TO "{name}"')


def put_sqlite(plan: Plan, dumped: Dumped, file: Path) -> None:
    """Puts a copy in the place of a SQLite file whose program is stopped; what belonged to the old one goes with it."""
    assert dumped.place is not None  # noqa: S101 - every SQLite dump has one
    relative, uid, gid, mode = dumped.place
    target = plan.data / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f"{target.name}.restoring")
    shutil.copyfile(file, fresh)
    os.chown(fresh, uid, gid)
    fresh.chmod(mode)
    for beside in ("-wal", "-shm", "-journal"):
        target.with_name(target.name + beside).unlink(missing_ok=True)
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


def _dump_command(database: Database) -> list[str]:
    name = database.database
    if database.engine == "postgres":
        return ["pg_dump", "-U", name, "-d", name]
    options = "--single-transaction --quick --routines --triggers --events --skip-dump-date"
    return ["sh", "-c", f"{_AS_ROOT}mariadb-dump -u root {options} {name}"]


def _loader(engine: str, user: str, into: str) -> list[str]:
    if engine == "postgres":
        return ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-U", user, "-d", into]
    return ["sh", "-c", f"{_AS_ROOT}mariadb -u root {into}"]


def _client(engine: str, database: str, statement: str) -> list[str]:
    if engine == "postgres":
        return ["psql", "-X", "-q", "-A", "-t", "-U", database, "-d", database, "-c", statement]
    return ["sh", "-c", f'{_AS_ROOT}mariadb -u root -N -B {database} -e "$1"', "sh", statement]


def _tell(dumped: Dumped, statement: str) -> None:
    """Changes databases as the server's administrator, from outside the one that is changed."""
    if dumped.engine == "postgres":
        command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", dumped.database, "-d", "postgres"]
        execute(dumped.container, [*command, "-c", statement])
    else:
        execute(dumped.container, ["sh", "-c", f'{_AS_ROOT}mariadb -u root -e "$1"', "sh", statement])
