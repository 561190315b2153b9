"""Edge: how visitors find a living host. Cloudflare is the post office; this is what the program tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from components.edge.dns import SiteRecord
from components.edge.tunnel import IngressRules, Tunnel
from components.foundation import Foundation
from components.login import LOGIN_ORIGIN, ProxyLogin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from components.fleet import Fleet, Site
    from components.service import Service

SHARED = "shared"
"""The name of the tunnel that has a connector on every host."""


class Edge(pulumi.ComponentResource):
    """The running stack's share of the edge.

    Creates, on the foundation: one tunnel per host and a shared one. With `open`, once the services answer: the ingress
    rules and DNS records of the shared sites on the foundation, and of the host's own sites on every host.
    Leaves out: the connectors, which are the service `cloudflared` on each host.

    Attributes:
        foundation: The tunnels that other hosts need; made here, or read from the foundation's stack.
        connector_tokens: The token of each tunnel that this host serves, by tunnel; secret.
    """

    def __init__(
        self, name: str, *, fleet: Fleet, foundation: Foundation | None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("kitestacks:index:Edge", name, None, opts)
        self._fleet = fleet
        self.foundation = foundation or self._make_foundation()
        self.register_outputs({"hostnames": [site.hostname for site in fleet.sites]})

    def open(self, services: Mapping[str, Service]) -> None:
        """Leads visitors to each service once all of it is done, so that no stranger meets a set-up page."""
        if self._fleet.here == self._fleet.foundation:
            self._route(SHARED, self._fleet.shared_sites, services)
        self._route(self._fleet.here, self._fleet.own_sites, services)

    @property
    def connector_tokens(self) -> Mapping[str, pulumi.Input[str]]:
        """Tokens for this host's connectors: its own tunnel, and the shared one where a shared site stands here."""
        shared_here = any(self._fleet.here in site.hosts for site in self._fleet.shared_sites)
        names = (self._fleet.here, SHARED) if shared_here else (self._fleet.here,)
        return {name: self.foundation.tunnel_tokens[name] for name in names}

    def _make_foundation(self) -> Foundation:
        own = self._fleet.own
        account_id, zone_id = own.cloudflare_account_id, own.cloudflare_zone_id
        assert account_id is not None  # noqa: S101 - settings.py has refused a foundation without its account
        assert zone_id is not None  # noqa: S101
        tunnels = {
            name: Tunnel(
                name,
                account_id=account_id,
                tunnel_name=f"{own.installation}-{name}",
                opts=pulumi.ResourceOptions(parent=self),
            )
            for name in (*sorted(self._fleet.stacks), SHARED)
        }
        return Foundation(
            account_id=account_id,
            zone_id=zone_id,
            tunnel_ids={name: tunnel.id for name, tunnel in tunnels.items()},
            tunnel_tokens={name: tunnel.token for name, tunnel in tunnels.items()},
        )

    def _route(self, tunnel: str, sites: Iterable[Site], services: Mapping[str, Service]) -> None:
        child = pulumi.ResourceOptions(parent=self)
        tunnel_id = self.foundation.tunnel_ids[tunnel]
        rules = {site.hostname: self._origin(site) for site in sites}
        IngressRules(tunnel, account_id=self.foundation.account_id, tunnel_id=tunnel_id, rules=rules, opts=child)
        for site in sites:
            ready = [services[name] for name in (site.service,) if name in services]
            SiteRecord(
                site.hostname,
                zone_id=self.foundation.zone_id,
                hostname=site.hostname,
                tunnel_id=tunnel_id,
                installation=self._fleet.own.installation,
                opts=pulumi.ResourceOptions(parent=self, depends_on=ready),
            )

    def _origin(self, site: Site) -> str:
        """Where a visitor's request goes: to the app, or to Authentik where that stands in front of it."""
        return LOGIN_ORIGIN if isinstance(site.login, ProxyLogin) else site.origin


async def foundation_of(fleet: Fleet) -> Foundation | None:
    """What the foundation has made, or None on the foundation itself, which makes it in this run.

    Raises:
        ProgramError: the foundation has to be deployed first.
    """
    if fleet.here == fleet.foundation:
        return None
    return await Foundation.read(fleet.foundation, (fleet.here, SHARED), fleet.shared_secrets_here)
