"""Order: which host is deployed before which, so that sites go on and one side alone migrates what two share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.model import StateClass
from components.settings import service_class
from kitestacks.deploying.changes import changes_of
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from components.fleet import Fleet
    from kitestacks.deploying.engine import Engine

Changed = dict[str, set[str]]
"""The services whose images change, by host."""


def changed_services(fleet: Fleet, fleet_of: Callable[[str], Fleet], engine: Engine) -> Changed:
    """What the files as they are now would change of what was deployed last, on the hosts whose order hangs on it.

    Args:
        fleet: What the files say.
        fleet_of: The same, seen from a host.
        engine: Knows what was deployed.

    Raises:
        CommandError: the engine does not know a stack.
    """
    hosts = {host for _, writer, others in _written_by_one(fleet) for host in (writer, *others)}
    return {host: {each.service for each in changes_of(fleet_of(host), engine.outputs(host))} for host in hosts}


def in_order(fleet: Fleet, changed: Mapping[str, Collection[str]]) -> list[str]:
    """The hosts, the foundation first: while it is deployed the others carry the shared sites, and then the reverse.

    But who writes a service that gets another image comes before those who take over from it: what it migrates reaches
    them by the way of the data, and they find nothing left to migrate.
    """
    order = sorted(fleet.stacks, key=lambda host: (host not in fleet.foundations, host))
    for service, writer, others in _written_by_one(fleet):
        waiting = [host for host in others if service in changed.get(host, ())]
        if waiting and service in changed.get(writer, ()):
            order.remove(writer)
            order.insert(min(map(order.index, waiting)), writer)
    return order


def check_writers(fleet: Fleet, changed: Mapping[str, Collection[str]], hosts: Collection[str]) -> None:
    """Refuses a deployment in which a host that takes over would migrate.

    Args:
        fleet: What the files say.
        changed: The services whose images change, by host.
        hosts: The hosts that are to be deployed.

    Raises:
        CommandError: the writer has not the image yet, and is not deployed before.
    """
    for service, writer, others in _written_by_one(fleet):
        for host in (each for each in others if each in hosts and service in changed.get(each, ())):
            images = [fleet.stacks[each].service_settings[service].image for each in (writer, host)]
            if images[0] != images[1]:
                raise CommandError(
                    f"services.{service}.image must be the same on {writer}, which migrates, and on {host}, which "
                    f"takes over from it, got {images[0]!r} and {images[1]!r}",
                    f"write the new one into both files: {writer} gets it first",
                    Exit.CONFIGURATION,
                )
            if service in changed.get(writer, ()) and writer not in hosts:
                raise CommandError(
                    f"{service} on {host} takes over from {writer}, which has to migrate first",
                    f"make deploy, or python3 -m kitestacks deploy -s {writer} before this",
                    Exit.CONFIGURATION,
                )


def _written_by_one(fleet: Fleet) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Every service of which one copy is written and others take over: its name, the writer, the others."""
    for site in fleet.shared_sites:
        if site.state is StateClass.PRIMARY_STANDBY and not service_class(site.service).replicated:
            writer, *others = fleet.ranked(site)
            yield site.service, writer, tuple(others)
