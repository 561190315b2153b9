"""authentik-db: the PostgreSQL in which every login lives, for the Authentik of every host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.backup import Backup, Dump, Engine
from components.databases import POSTGRES_OWNER, DatabaseArgs, postgres
from components.folders import DataFolder
from components.model import StateClass
from components.secrets import Secret
from components.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.service import ServiceArgs

DATABASE = "authentik"
"""Name of the database and of its one user."""
_MOST_CONNECTIONS = 500
"""What Authentik's own chart sets: cache, tasks and websockets all go through the database (`goauthentik/helm`)."""


class AuthentikDb(Service):
    """One PostgreSQL, found as `authentik-db` on a network of its own.

    Creates: the container `authentik-db`, its data folder, the step that keeps its password true.
    Leaves out: a second, following copy on another host.

    Its port is published on the host's Tailscale address only where another host's Authentik needs it. There is no TLS
    inside: between containers the network is private, between hosts WireGuard encrypts.
    """

    state = StateClass.SINGLE_WRITER
    backup = Backup(dumps=(Dump(engine=Engine.POSTGRES, container="authentik-db", database=DATABASE),))
    secrets = {"password": Secret(purpose="opens Authentik's database to Authentik", shared=True)}
    folders = (DataFolder(path="authentik-db", owner=POSTGRES_OWNER),)

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        postgres(
            self,
            name,
            DatabaseArgs(
                image=args.settings.image,
                memory=args.settings.memory,
                database=DATABASE,
                folder=name,
                password=self.secret("password"),
                networks=(name,),
                options=("-c", f"max_connections={_MOST_CONNECTIONS}"),
                ports={port: port for port in args.fleet.ports_for_others(name)},
            ),
        )
        return {"container": self.physical(name)}


SERVICE = AuthentikDb
