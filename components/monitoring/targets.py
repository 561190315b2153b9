"""Targets: every endpoint of the fleet that gives figures, as one Prometheus sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.needs import Need

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.fleet import Fleet
    from components.metrics import Metrics

NODE_EXPORTER = "node-exporter"


@dataclass(frozen=True, kw_only=True)
class Target:
    """One endpoint.

    Attributes:
        service: Whose figures they are.
        host: Where it stands.
        address: Host and port that Prometheus asks.
        metrics: What the service says of it.
    """

    service: str
    host: str
    address: str
    metrics: Metrics

    @property
    def container(self) -> str:
        """The container that answers, by the name that people type."""
        return self.metrics.container or self.service


def targets(fleet: Fleet) -> tuple[Target, ...]:
    """Every endpoint that a Prometheus on the running host can reach.

    On its own host it asks containers by name; on another it asks the port that the service publishes on that host's
    Tailscale address, and an endpoint without one is left out.
    """
    return tuple(sorted(_targets(fleet), key=lambda target: (target.service, target.host, target.address)))


def needs(fleet: Fleet) -> tuple[Need, ...]:
    """The published endpoints of the whole fleet: what other hosts have to let Prometheus reach."""
    ports = {(service, each.outside) for _, service, each in fleet.endpoints() if each.outside is not None}
    reason = "Prometheus reads its figures"
    return tuple(Need(service=service, port=port, reason=reason, on_each=True) for service, port in sorted(ports))


def _targets(fleet: Fleet) -> Iterator[Target]:
    for host, service, each in fleet.endpoints():
        if host == fleet.here and each.container:
            address = f"{each.container}:{each.port}"
        elif each.outside is not None:
            address = f"{fleet.private_address(host)}:{each.outside}"
        else:
            continue
        yield Target(service=service, host=host, address=address, metrics=each)
