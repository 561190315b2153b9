"""Edge: how visitors find a living host. Cloudflare is the post office; this is what the program tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

from components.edge.copies import copy_hostname
from components.edge.dns import SiteRecord
from components.edge.load_balancer import LoadBalancerArgs, SiteLoadBalancer
from components.edge.site_proxy import TUNNEL_PORT, VISITORS_PORT
from components.edge.tunnel import IngressRules, Rule, Tunnel
from components.foundation import Foundation
from components.login import LOGIN_ORIGIN, ProxyLogin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.fleet import Fleet, Site
    from components.service import Service

SHARED = "shared"
"""The name of the tunnel that has a connector on every host."""
SITE_PROXY = "site-proxy"
"""The service behind the connectors of shared sites."""
_TO_ANY_COPY = Rule(service=f"http://{SITE_PROXY}:{VISITORS_PORT}")
_COPY_DOOR = f"http://{SITE_PROXY}:{TUNNEL_PORT}"


class Edge(pulumi.ComponentResource):
    """The running stack's share of the edge.

    Creates, on the foundation: one tunnel per host and a shared one. With `open`, once the services answer: on the
    foundation the ingress rules, DNS records and load balancers of the shared sites; on every host the rules and
    records of its own sites, and of its copies of shared ones.
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
        fleet = self._fleet
        if fleet.here == fleet.foundation:
            self._write_rules(SHARED, {site.hostname: _TO_ANY_COPY for site in fleet.shared_sites})
            for site in fleet.shared_sites:
                self._share(site, services)
        copies = {copy_hostname(site.hostname, fleet.here, fleet.domain): site for site in fleet.shared_sites_here}
        # The host's own tunnel carries shared sites in either mode: a load balancer finds them ready when it comes.
        self._write_rules(
            fleet.here,
            {site.hostname: Rule(service=self._origin(site)) for site in fleet.own_sites}
            | {site.hostname: _TO_ANY_COPY for site in fleet.shared_sites_here}
            | {name: Rule(service=_COPY_DOOR, host_header=site.hostname) for name, site in copies.items()},
        )
        for site in fleet.own_sites:
            self._record(site.hostname, fleet.here, _of(site, services))
        for name, site in copies.items():
            self._record(name, fleet.here, _of(site, services))

    @property
    def connector_tokens(self) -> Mapping[str, pulumi.Input[str]]:
        """Tokens for this host's connectors: its own tunnel, and the shared one where a shared site stands here."""
        names = (self._fleet.here, SHARED) if self._fleet.shared_sites_here else (self._fleet.here,)
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

    def _share(self, site: Site, services: Mapping[str, Service]) -> None:
        """A shared site's record, and in that mode its load balancer above it: whichever goes, the other answers."""
        record = self._record(site.hostname, SHARED, _of(site, services))
        settings = self._fleet.own.edge
        if settings is None or settings.failover != "load-balancer" or settings.load_balancer is None:
            return
        args = LoadBalancerArgs(
            account_id=self.foundation.account_id,
            zone_id=self.foundation.zone_id,
            hostname=site.hostname,
            health_path=site.health_path,
            tunnel_ids={host: self.foundation.tunnel_ids[host] for host in self._fleet.ranked(site)},
            settings=settings.load_balancer,
            installation=self._fleet.own.installation,
        )
        SiteLoadBalancer(site.hostname, args, pulumi.ResourceOptions(parent=self, depends_on=[record]))

    def _write_rules(self, tunnel: str, rules: Mapping[str, Rule]) -> None:
        IngressRules(
            tunnel,
            account_id=self.foundation.account_id,
            tunnel_id=self.foundation.tunnel_ids[tunnel],
            rules=rules,
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _record(self, hostname: str, tunnel: str, ready: Sequence[pulumi.Resource]) -> SiteRecord:
        return SiteRecord(
            hostname,
            zone_id=self.foundation.zone_id,
            hostname=hostname,
            tunnel_id=self.foundation.tunnel_ids[tunnel],
            installation=self._fleet.own.installation,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(ready)),
        )

    def _origin(self, site: Site) -> str:
        """Where a visitor's request goes: to the app, or to Authentik where that stands in front of it."""
        return LOGIN_ORIGIN if isinstance(site.login, ProxyLogin) else site.origin


def _of(site: Site, services: Mapping[str, Service]) -> list[Service]:
    """What has to be there on this host before anybody is led to a site."""
    names = (site.service, SITE_PROXY) if site.shared else (site.service,)
    return [services[name] for name in names if name in services]


async def foundation_of(fleet: Fleet) -> Foundation | None:
    """What the foundation has made, or None on the foundation itself, which makes it in this run.

    Raises:
        ProgramError: the foundation has to be deployed first.
    """
    if fleet.here == fleet.foundation:
        return None
    return await Foundation.read(fleet.foundation, (fleet.here, SHARED), fleet.shared_secrets_here)
