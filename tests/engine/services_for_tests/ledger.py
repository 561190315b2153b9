"""The ledger: a database on one host that a till on another has to reach, and a cache beside it that nobody has to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.backup import Backup
from components.host import ContainerArgs
from components.model import StateClass
from components.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.service import ServiceArgs

PORT = 5432
CACHE_PORT = 6379


class Ledger(Service):
    """The database and the cache.

    Creates: the containers `ledger` and `ledger-cache`, each published on the host's private address.
    Leaves out: a grant for the cache's port, which no service declares.
    """

    state = StateClass.SINGLE_WRITER
    backup = Backup(disposable="a test's")

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        for container, image, port in ((name, "postgres:17.6", PORT), (f"{name}-cache", "redis:8.2.1", CACHE_PORT)):
            self.container(
                container,
                ContainerArgs(
                    image=image,
                    memory=args.settings.memory,
                    health=["wget", "-q", "--spider", f"http://127.0.0.1:{port}/"],
                    ports={port: port},
                ),
            )
        return {"ports": ",".join(map(str, args.fleet.ports_for_others(name)))}


SERVICE = Ledger
