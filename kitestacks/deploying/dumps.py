"""Dumps: the shell lines that dump a database by its own tools inside its own container, and prove the dump whole.

They run on the host, as root. No pipe hides a failed dump: each line's own status counts, and the file is read to its
end afterwards. A secret never leaves the container.
"""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from components.backup import Engine

if TYPE_CHECKING:
    from components.backup import Dump

_MARIADB = (
    'printf "[client]\\npassword=%s\\n" "$(cat /run/secrets/root-password)" | '
    "exec mariadb-dump --defaults-extra-file=/dev/stdin -u root --single-transaction --quick "
    '--routines --triggers --events "$1"'
)
"""The password goes by a pipe of the container's own shell, where no list of processes shows it."""
_SQLITE = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('PRAGMA integrity_check').fetchone()[0])"


def file_of(dump: Dump) -> str:
    """What its dump is called."""
    return f"{dump.container}-{dump.database}.{'dump' if dump.engine is Engine.POSTGRES else 'sql'}"


def dump_lines(dump: Dump, docker: str, container: str, file: str) -> list[str]:
    """Lines that write and prove the dump of a running PostgreSQL or MariaDB.

    A custom-format archive is read whole by `pg_restore`, since its list alone stands at the beginning; MariaDB's last
    line says that it is the last.
    """
    run, into = f"{docker} exec {quote(container)}", f'"$new"/dumps/{quote(file)}'
    if dump.engine is Engine.POSTGRES:
        database = quote(dump.database)
        write = f"{run} pg_dump -Fc -U {database} -d {database} > {into}"
        whole = f"{docker} exec -i {quote(container)} pg_restore -f /dev/null < {into}"
    else:
        write = f"{run} sh -c {quote(_MARIADB)} sh {quote(dump.database)} > {into}"
        whole = f"tail -n 1 {into} | grep -q '^-- Dump completed'"
    return [
        f"{write} || refuse {quote(f'{container} could not be dumped')}",
        f"[ -s {into} ] || refuse {quote(f'the dump of {container} is empty')}",
        f"{whole} || refuse {quote(f'the dump of {container} is not whole')}",
    ]


def load_lines(dump: Dump, docker: str, container: str, file: str) -> list[str]:
    """Lines that put a dump of `dump_lines` in the place of a running PostgreSQL's database.

    It is loaded beside it first, so that one that is refused changes nothing; copies that follow get it as any change.
    """
    name, beside = dump.database, f"{dump.database}_of_before"
    run = f"{docker} exec -i {quote(container)}"
    tell = f"{run} psql -X -q -v ON_ERROR_STOP=1 -U {quote(name)} -d postgres -c"
    whole = f"{run} pg_restore --exit-on-error -U {quote(name)} -d {quote(beside)} < {quote(file)}"
    return [
        f"""{tell} {quote(f'DROP DATABASE IF EXISTS "{beside}"')}""",
        f"""{tell} {quote(f'CREATE DATABASE "{beside}" TEMPLATE template0')}""",
        f"{whole} || refuse {quote(f'{container} refused its dump, and is as the new version left it')}",
        f"""{tell} {quote(f'DROP DATABASE "{name}" WITH (FORCE)')}""",
        f"""{tell} {quote(f'ALTER DATABASE "{beside}" RENAME TO "{name}"')}""",
    ]


def sqlite_lines(path: str) -> list[str]:
    """Lines that ask a copied SQLite file whether it is whole, on a copy of its own: asking may write.

    Args:
        path: The file, below the folder of the copies.
    """
    file, copy = f'"$new"/folders/{quote(path)}', f'"$check"/{quote(path.rpartition("/")[2])}'
    return [
        f"[ -s {file} ] || refuse {quote(f'there is no database {path}')}",
        'check=$(mktemp -d "$new/check.XXXXXX")',
        f'cp -a {file}* "$check/"',
        f"said=$(python3 -c {quote(_SQLITE)} {copy}) || said='no answer (is python3 there?)'",
        'rm -rf "$check"',
        f'[ "$said" = ok ] || refuse {quote(f"the database {path} is not whole: ")}"$said"',
    ]
