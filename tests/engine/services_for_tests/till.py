"""The till: a program that needs the ledger, wherever that stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.backup import Backup
from components.host import ContainerArgs
from components.model import StateClass
from components.needs import Need
from components.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.fleet import Fleet
    from components.service import ServiceArgs


class Till(Service):
    """The till.

    Creates: the container `till`, which knows the ledger's host by name.
    Leaves out: what it sells.
    """

    state = StateClass.STATELESS
    backup = Backup(disposable="a test's")

    @classmethod
    def needs(cls, fleet: Fleet) -> tuple[Need, ...]:
        del fleet
        return (Need(service="ledger", port=5432, reason="the till's book"),)

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        (place,) = args.fleet.hosts_of("ledger")
        container = self.container(
            name,
            ContainerArgs(
                image=args.settings.image,
                memory=args.settings.memory,
                health=["wget", "-q", "--spider", "http://127.0.0.1:80/"],
                hosts={place: args.fleet.private_address(place)},
            ),
        )
        return {"container": container.name}


SERVICE = Till
