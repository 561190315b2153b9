"""Plan: what of a host is saved, where to, and where things lie; the stack program writes it, this package reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


class BackupError(Exception):
    """Why something was not saved or not brought back, in words for the owner; never with a secret."""


@dataclass(frozen=True, kw_only=True)
class Database:
    """One database.

    Attributes:
        engine: postgres, mariadb or sqlite.
        container: What Docker calls the container that it lives in.
        database: Its name; for SQLite the file's path in the container.
    """

    engine: str
    container: str
    database: str


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What of one service is saved.

    Attributes:
        databases: Saved as dumps, before the folders.
        folders: Saved as they are, by their path below the data root.
        not_alone: Why its app is not started in a drill; empty: it is.
    """

    databases: tuple[Database, ...]
    folders: tuple[str, ...]
    not_alone: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One host's backup.

    Attributes:
        host: The host whose data it is.
        installation: The mark on the containers.
        root: The data root as the host's Docker daemon knows it.
        data: The same folder, as this program sees it.
        secrets: Folder of the private files.
        metrics: File for Node Exporter's textfile collector; empty: no Node Exporter is there.
        repository: Where to, as restic names it.
        copy_to: A second repository, at an object store; empty: none.
        limit: Seconds that one call of restic may take.
        patience: Seconds that a container may take to get healthy in a drill.
        services: What is saved, by service.
        keeps: The services of each other host whose backup lies here.
        proves: The hosts whose restores are proven here by schedule.
        shown: The keeper proves this host's restores, so its word has to open the repository.
    """

    host: str
    installation: str
    root: str
    data: Path
    secrets: Path
    metrics: str
    repository: str
    copy_to: str
    limit: int
    patience: int
    services: dict[str, Kept]
    keeps: dict[str, tuple[str, ...]]
    proves: tuple[str, ...]
    shown: bool

    @classmethod
    def read(cls, file: Path) -> Plan:
        """The plan as it was written down."""
        raw = json.loads(file.read_text())
        services = {
            name: Kept(
                databases=tuple(Database(**each) for each in kept["databases"]),
                folders=tuple(kept["folders"]),
                not_alone=kept["not_alone"],
            )
            for name, kept in raw["services"].items()
        }
        places = {"data": Path(raw["data"]), "secrets": Path(raw["secrets"])}
        others = {"keeps": {host: tuple(names) for host, names in raw["keeps"].items()}, "proves": tuple(raw["proves"])}
        return cls(**{**raw, **places, **others, "services": services})

    @property
    def own(self) -> Path:
        """The folder of this program's own: dumps, cache, notes, scratch."""
        return self.data / "backup"

    @property
    def scratch(self) -> Path:
        """What is fetched, and the folders of scratch containers; empty between two runs."""
        return self.own / "scratch"

    def dumps(self, service: str) -> Path:
        """Where a service's dumps lie until the next ones are made."""
        return self.own / "dumps" / service

    def store(self, host: str) -> str:
        """Where the repository of another host lies, which this one keeps."""
        return str(self.data / "backup-server" / host)

    def on_host(self, path: Path) -> str:
        """A path below the data root as the host's Docker daemon knows it."""
        return str(Path(self.root) / path.relative_to(self.data))

    def kept(self, service: str) -> Kept:
        """What of a service is saved.

        Raises:
            BackupError: nothing is.
        """
        if service not in self.services:
            known = ", ".join(sorted(self.services))
            raise BackupError(f"nothing of {service!r} is saved on {self.host}; there are: {known}")
        return self.services[service]
