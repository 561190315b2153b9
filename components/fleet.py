"""Fleet: what all stack files declare together, in plain values; every later part derives from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from components.settings import StackFile, service_class

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.service import Tile


@dataclass(frozen=True, kw_only=True)
class Site:
    """A public hostname and where it leads.

    Attributes:
        hostname: The full name that visitors type.
        service: The service that answers.
        hosts: The hosts on which it stands.
        shared: It hangs on the shared tunnel and goes on when one host is gone.
        public: It answers without a login.
        origin: Address of the container inside each host's edge network.
        tile: How the portal shows it.
    """

    hostname: str
    service: str
    hosts: tuple[str, ...]
    shared: bool
    public: bool
    origin: str
    tile: Tile


@dataclass(frozen=True, kw_only=True)
class CrossHostNeed:
    """A service that needs one which stands on another host only."""

    source: str
    destination: str
    service: str
    port: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """All hosts, seen from one of them.

    Attributes:
        here: The running stack, which is the host's name.
        stacks: The stack files by host, the running one first.
    """

    here: str
    stacks: Mapping[str, StackFile]

    @property
    def own(self) -> StackFile:
        """The running stack's file."""
        return self.stacks[self.here]

    @property
    def cross_host_needs(self) -> tuple[CrossHostNeed, ...]:
        """TO BE MERGED."""
        return ()

    def at(self, host: str) -> str:
        """What goes before the path of a setting: the name of its file, where it is not the running stack's."""
        return "" if host == self.here else f"Pulumi.{host}.yaml: "

    @property
    def foundations(self) -> list[str]:
        """The hosts whose files have an `edge` section; the contract allows one."""
        return [name for name, stack in self.stacks.items() if stack.edge is not None]

    @property
    def foundation(self) -> str:
        """The host that is deployed first and owns what the hosts share."""
        return self.foundations[0]

    @property
    def domain(self) -> str:
        """The zone that every site lies in."""
        edge = self.stacks[self.foundation].edge
        assert edge is not None  # noqa: S101 - what makes a foundation
        return edge.domain

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """Every public hostname of the fleet, once, in the order of the hosts and then of their services."""
        sites: dict[str, Site] = {}
        for host, stack in sorted(self.stacks.items()):
            for name, settings in stack.service_settings.items():
                service = service_class(name)
                if settings.site is None or service.port is None or service.tile is None:
                    continue
                known = sites.get(settings.site.hostname)
                sites[settings.site.hostname] = Site(
                    hostname=settings.site.hostname,
                    service=name,
                    hosts=(*known.hosts, host) if known else (host,),
                    shared=settings.site.shared,
                    public=settings.site.public,
                    origin=f"http://{name}:{service.port}",
                    tile=service.tile,
                )
        return tuple(sites.values())

    @property
    def shared_sites(self) -> tuple[Site, ...]:
        """The sites that the foundation routes, through the shared tunnel."""
        return tuple(site for site in self.sites if site.shared)

    @property
    def own_sites(self) -> tuple[Site, ...]:
        """The sites that the running stack routes, through its host's own tunnel."""
        return tuple(site for site in self.sites if not site.shared and site.hosts == (self.here,))
