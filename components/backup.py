"""Backup class: what of a service has to be kept, and by which program a consistent copy is made."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Engine(StrEnum):
    """Who makes the copy of a database, inside its own container."""

    POSTGRES = "postgres"
    MARIADB = "mariadb"
    SQLITE = "sqlite"


@dataclass(frozen=True, kw_only=True)
class Dump:
    """One database that must not be copied as files while it runs.

    Attributes:
        engine: Whose tools make the dump.
        container: Where it runs.
        database: Its name; for SQLite the file's path in the container.
    """

    engine: Engine
    container: str
    database: str


@dataclass(frozen=True, kw_only=True)
class Backup:
    """What of a service is kept.

    Attributes:
        dumps: Its databases.
        folders: Its folders below the host's data root.
        disposable: Why nothing has to be kept; said out loud, instead of the two.
        not_alone: Why its app can't get healthy in a drill, where it reaches nothing but its own databases; a drill
            then proves databases and files, and says so. Empty: it can.
    """

    dumps: tuple[Dump, ...] = ()
    folders: tuple[str, ...] = ()
    disposable: str = ""
    not_alone: str = ""
