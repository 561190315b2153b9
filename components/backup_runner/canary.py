"""Canary: a word that is written into the data just before they are saved, and looked for in what comes back.

A dump of last week, a table that was left out, a folder of another day: each has another word, or none.

- PostgreSQL: a row in a schema of its own. A server that follows another can't be written: it is asked for the word
  that it has from the other one.
- MariaDB: a row in a table of its own, which is in no log: in a ring each side has its own, and none can collide.
- Folders: a file. SQLite's schema is the app's: a file beside the copy, and the rows are counted.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from components.backup_runner.containers import execute
from components.backup_runner.marks import CANARY_FILE, CANARY_SCHEMA, CANARY_TABLE
from components.backup_runner.plan import BackupError
from components.backup_runner.servers import client, follows

if TYPE_CHECKING:
    from pathlib import Path

    from components.backup_runner.plan import Database

_WORD = "kitestacks-canary-"
_POSTGRES = f"{CANARY_SCHEMA}.canary"
_INSERT = f"INSERT INTO `{CANARY_TABLE}` VALUES"
_IN_A_DUMP = re.compile(rf"[^\t]+\t{_WORD}\w+\t[^\t]+\n|{_INSERT}.*\n|\('[^']+','{_WORD}\w+'\)[,;]\n".encode())
"""How a dump writes the rows down. In both kinds an app's own line breaks are escaped, so no text of its own fits."""


def new() -> str:
    """A word that was never there before."""
    return _WORD + secrets.token_hex(16)


def is_in(line: bytes) -> bool:
    """Whether a line of a dump is a canary's row, and none of the app's data."""
    return b"kitestacks" in line and _IN_A_DUMP.fullmatch(line) is not None


def put_file(folder: Path, word: str) -> None:
    """Writes the word into a folder that is about to be saved."""
    fresh = folder / f"{CANARY_FILE}.new"
    try:
        fresh.write_text(word + "\n")
        fresh.chmod(0o444)
        fresh.replace(folder / CANARY_FILE)
    except OSError as error:
        raise BackupError(f"no canary can be written into {folder}: {error}") from None


def find_file(folder: Path, name: str, word: str) -> None:
    """Sees that a folder that came back, known to people by a name, holds the word.

    Raises:
        BackupError: it has none, or another backup's.
    """
    file = folder / CANARY_FILE
    _same(file.read_text().strip() if file.is_file() else "", word, f"folder {name}")


def put_row(database: Database, host: str, word: str) -> tuple[str, str]:
    """Writes the word into a database that is about to be dumped; returns the row: whose it is, and its word.

    Raises:
        BackupError: the database refuses.
    """
    if database.engine == "postgres" and follows(database):
        return _row_of_the_other(database)
    execute(database.container, client(database, database.database, _statement(database.engine, host, word)))
    return host, word


def find_row(database: Database, within: str, row: tuple[str, str]) -> None:
    """Sees that a database into which a dump was loaded holds the row.

    Raises:
        BackupError: it has none, or an older one.
    """
    host, word = row
    where = f"database of {database.container}"
    if not host:
        raise BackupError(f"{where}: no canary was in it when it was saved: save the host that writes, then this one")
    table = _POSTGRES if database.engine == "postgres" else CANARY_TABLE
    try:
        found = execute(database.container, client(database, within, f"SELECT word FROM {table} WHERE host = '{host}'"))  # noqa: S608 - names of ours
    except BackupError as error:
        raise BackupError(f"{where}: it has no canary ({error})") from None
    _same(found.strip(), word, where)


def _same(found: str, word: str, where: str) -> None:
    if not found:
        raise BackupError(f"{where}: it has no canary: what came back is not what was saved")
    if found != word:
        raise BackupError(f"{where}: its canary is another backup's: what came back is older than the backup says")


def _statement(engine: str, host: str, word: str) -> str:
    values = f"VALUES ('{host}', '{word}')"
    if engine == "mariadb":
        columns = "host VARCHAR(64) PRIMARY KEY, word VARCHAR(64) NOT NULL"
        table = f"CREATE TABLE IF NOT EXISTS {CANARY_TABLE} ({columns})"
        return f"SET SESSION sql_log_bin = 0; {table}; REPLACE INTO {CANARY_TABLE} {values}"
    columns = "host text PRIMARY KEY, word text NOT NULL, written timestamptz NOT NULL DEFAULT now()"
    table = f"CREATE SCHEMA IF NOT EXISTS {CANARY_SCHEMA}; CREATE TABLE IF NOT EXISTS {_POSTGRES} ({columns})"
    again = "ON CONFLICT (host) DO UPDATE SET word = excluded.word, written = now()"
    return f"{table}; INSERT INTO {_POSTGRES} (host, word) {values} {again}"


def _row_of_the_other(database: Database) -> tuple[str, str]:
    """The newest word that came from the server that it follows; empty: that one was never saved."""
    there = execute(database.container, client(database, database.database, f"SELECT to_regclass('{_POSTGRES}')"))
    if not there.strip():
        return "", ""
    newest = f"SELECT host || ' ' || word FROM {_POSTGRES} ORDER BY written DESC LIMIT 1"  # noqa: S608
    host, _, word = execute(database.container, client(database, database.database, newest)).strip().partition(" ")
    return host, word
