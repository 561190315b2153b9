"""Servers: how PostgreSQL and MariaDB are asked and told, by their own clients inside their own containers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from components.backup_runner.containers import execute
from components.backup_runner.plan import BackupError

if TYPE_CHECKING:
    from components.backup_runner.plan import Database

_AS_ROOT = "MYSQL_PWD=$(cat /run/secrets/root-password 2>/dev/null); export MYSQL_PWD; exec "
"""The administrator's password is a private file of the database's own container."""
_READY = {
    "postgres": ("pg_isready", "-q", "-h", "127.0.0.1"),
    "mariadb": ("mariadb-admin", "--protocol=TCP", "-h", "127.0.0.1", "--connect-timeout=2", "ping"),
}
"""Over TCP: while the image makes the folder, its server listens on the socket alone."""


def client(database: Database, within: str, statement: str) -> list[str]:
    """The command that runs a statement within one of a server's databases, and prints plain rows."""
    if database.engine == "postgres":
        options = ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", database.database, "-d", within]
        return ["psql", *options, "-c", statement]
    return ["sh", "-c", f'{_AS_ROOT}mariadb -u root -N -B {within} -e "$1"', "sh", statement]


def administrator(database: Database, statement: str) -> list[str]:
    """The command that changes databases themselves, from outside the one that is changed."""
    return client(database, "postgres" if database.engine == "postgres" else "mysql", statement)


def loader(database: Database, into: str) -> list[str]:
    """The command that reads a dump from its standard input."""
    if database.engine == "postgres":
        options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-U", database.database, "-d", into]
        return ["psql", *options]
    return ["sh", "-c", f"{_AS_ROOT}mariadb -u root {into}"]


def dumper(database: Database) -> list[str]:
    """The command that writes a dump to its standard output."""
    name = database.database
    if database.engine == "postgres":
        return ["pg_dump", "-U", name, "-d", name]
    options = "--single-transaction --quick --routines --triggers --events --skip-dump-date"
    return ["sh", "-c", f"{_AS_ROOT}mariadb-dump -u root {options} {name}"]


def follows(database: Database) -> bool:
    """Whether a server gets changes from another one: of PostgreSQL, then it can't be written.

    Raises:
        BackupError: it does not answer.
    """
    if database.engine == "postgres":
        said = execute(database.container, client(database, database.database, "SELECT pg_is_in_recovery()"))
        return said.strip() == "t"
    return bool(execute(database.container, administrator(database, "SHOW SLAVE STATUS")).strip())


def wait_for(database: Database, limit: int) -> None:
    """Until a server that was just started takes connections.

    Raises:
        BackupError: it does not, within so many seconds.
    """
    end = time.monotonic() + limit
    while True:
        try:
            execute(database.container, _READY[database.engine])
        except BackupError as error:
            if time.monotonic() > end:
                raise BackupError(f"the scratch database does not answer within {limit} s: {error}") from None
            time.sleep(0.5)
        else:
            return
