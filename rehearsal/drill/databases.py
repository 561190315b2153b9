"""Databases of the rehearsed hosts, asked and changed by their own clients inside their own containers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from docker.errors import APIError

from components.databases import mariadb_admin
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    from rehearsal.drill.scene import Scene

_PLAIN = "--skip-column-names"


@dataclass(frozen=True, kw_only=True)
class Database:
    """One database server of one host.

    Attributes:
        scene: The rehearsal.
        host: Its host.
        container: Its container, by the name that people type.
        name: The database.
        mariadb: Whether it is MariaDB; PostgreSQL otherwise.
    """

    scene: Scene
    host: str
    container: str
    name: str
    mariadb: bool = False

    def ask(self, statement: str, form: str = _PLAIN) -> str:
        """Runs a statement; its rows, as text, and of MariaDB in a form that its client knows.

        Raises:
            CommandError: it is refused, or nobody answers.
        """
        command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-U", self.name, "-d", self.name, "-c", statement]
        if self.mariadb:
            command = list(mariadb_admin(form, self.name, "--execute", statement))
        try:
            code, said = self.scene.container(self.host, self.container).exec_run(command)
        except APIError as error:
            raise CommandError(f"{self.container} on {self.host}: {error.explanation}", "", Exit.RESOURCE) from None
        text = said.decode(errors="replace").strip()
        if code:
            raise CommandError(f"{self.container} on {self.host}: {text}", "", Exit.RESOURCE)
        return str(text)

    def numbers(self, table: str) -> set[int]:
        """The numbers that a table of a drill holds."""
        return {int(line) for line in self.ask(f"SELECT number FROM {table}").split()}  # noqa: S608 - a name of ours


def wiki(scene: Scene, host: str) -> Database:
    """The wiki's database on a host."""
    return Database(scene=scene, host=host, container="bookstack-db", name="bookstack", mariadb=True)


def logins(scene: Scene, host: str) -> Database:
    """Authentik's database on a host."""
    return Database(scene=scene, host=host, container="authentik-db", name="authentik")
