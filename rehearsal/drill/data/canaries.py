"""Canaries: something to find again in every kind of data that a host keeps, written as its program would write it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from components.backup import Engine
from components.model import StateClass
from components.settings import service_class
from kitestacks.exits import CommandError
from rehearsal.drill.databases import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.backup import Dump
    from components.fleet import Fleet
    from rehearsal.drill.data.drill import Notes
    from rehearsal.drill.scene import Scene

_TABLE = "kitestacks_drill"
_FILE = "kitestacks-drill"


@dataclass
class Canaries:
    """Those of one host.

    Attributes:
        scene: The rehearsal.
        host: The host.
        word: What each of them says.
    """

    scene: Scene
    host: str
    word: str
    fleet: Fleet = field(init=False)

    def __post_init__(self) -> None:
        self.fleet = self.scene.fleet(self.host)

    def write(self) -> int:
        """Writes them; returns how many there are."""
        for _, dump in self._dumps():
            self._ask(dump, f"DROP TABLE IF EXISTS {_TABLE}")
            self._ask(dump, f"CREATE TABLE {_TABLE} (number int PRIMARY KEY, word varchar(99))")
            self._ask(dump, f"INSERT INTO {_TABLE} VALUES (1, '{self.word}')")  # noqa: S608 - a word of ours
        for _, folder in self._folders():
            (folder / _FILE).write_text(self.word)
        return len(list(self._dumps())) + len(list(self._folders()))

    def wreck(self) -> None:
        """What a wrong command does: tables dropped, files gone."""
        for _, dump in self._dumps():
            self._ask(dump, f"DROP TABLE {_TABLE}")
        for _, folder in self._folders():
            (folder / _FILE).unlink()

    def missing(self) -> list[str]:
        """Those that can't be found."""
        gone = []
        for service, dump in self._dumps():
            try:
                found = self._ask(dump, f"SELECT word FROM {_TABLE}")  # noqa: S608 - a name of ours
            except (CommandError, sqlite3.Error) as error:
                found = str(error)
            if found != self.word:
                gone.append(f"{service}: {dump.container} says {found!r}")
        gone += [
            f"{service}: {folder / _FILE}"
            for service, folder in self._folders()
            if not (folder / _FILE).exists() or (folder / _FILE).read_text() != self.word
        ]
        return gone

    def require(self, notes: Notes, promise: str) -> None:
        """Notes that all are there.

        Raises:
            BrokenError: some are not, and which.
        """
        missing = self.missing()
        notes.require(not missing, promise + "".join(f"; NOT: {each}" for each in missing))

    def _dumps(self) -> Iterator[tuple[str, Dump]]:
        for service in self.fleet.own.service_settings:
            if self._writes(service):
                yield from ((service, dump) for dump in service_class(service).backup.dumps)

    def _writes(self, service: str) -> bool:
        """Whether this host's copy is the one that writes: what follows it gets all from there."""
        kind, site = service_class(service), self.fleet.site_of(service)
        if kind.replicated:
            return kind.writer(self.fleet) in (self.host, None)
        return kind.state is not StateClass.PRIMARY_STANDBY or site is None or self.fleet.ranked(site)[0] == self.host

    def _folders(self) -> Iterator[tuple[str, Path]]:
        root = Path(self.fleet.own.host.data)
        for service in self.fleet.own.service_settings:
            yield from ((service, root / folder) for folder in service_class(service).backup.folders)

    def _ask(self, dump: Dump, statement: str) -> str:
        if dump.engine is Engine.SQLITE:
            return self._sqlite(dump, statement)
        database = Database(
            scene=self.scene,
            host=self.host,
            container=dump.container,
            name=dump.database,
            mariadb=dump.engine is Engine.MARIADB,
        )
        return database.ask(statement)

    def _sqlite(self, dump: Dump, statement: str) -> str:
        """A stand-in keeps no database, so its file is made here, where the real program's would lie."""
        known = self.scene.container(self.host, dump.container).attrs["Mounts"]
        mounts = sorted(known, key=lambda each: -len(each["Destination"]))
        mount = next(each for each in mounts if dump.database.startswith(each["Destination"]))
        file = Path(mount["Source"], dump.database.removeprefix(mount["Destination"]).lstrip("/"))
        file.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(file)) as database, database:
            rows = database.execute(statement).fetchall()
        owner = file.parent.stat()
        os.chown(file, owner.st_uid, owner.st_gid)
        return "\n".join(str(row[0]) for row in rows)
