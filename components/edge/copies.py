"""Copies: in which order a shared site's copies may answer, and how one host reaches each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from components.edge.site_proxy import TAILNET_PORT, Copy, ProxiedSite
from components.model import StateClass

if TYPE_CHECKING:
    from components.fleet import Fleet, Site


def copy_hostname(hostname: str, host: str, domain: str) -> str:
    """The hostname of one copy: wiki.kitestacks.com on monk is wiki-monk.kitestacks.com.

    No level is added, since Cloudflare's certificate covers one level below the zone.
    """
    label, _, rest = hostname.partition(".")
    return f"{host}.{domain}" if hostname == domain else f"{label}-{host}.{rest}"


def answering_order(fleet: Fleet, site: Site, here: str) -> tuple[str, ...]:
    """The hosts whose copies visitors get at one host, best first.

    With one writer at a time the order is the same on every host, so that all agree on who writes. Where any copy will
    do, the nearest is the best.
    """
    ranked = fleet.ranked(site)
    if site.state is StateClass.PRIMARY_STANDBY:
        return ranked
    return tuple(sorted(ranked, key=lambda host: host != here))


def proxied_sites(fleet: Fleet, here: str) -> list[ProxiedSite]:
    """All shared sites, as a host's proxy is told of them: visitors may come to a host without a copy, too."""
    return [
        ProxiedSite(
            hostname=site.hostname,
            health_path=site.health_path,
            copies=tuple(_copy(fleet, site, host, here) for host in answering_order(fleet, site, here)),
        )
        for site in fleet.shared_sites
    ]


def _copy(fleet: Fleet, site: Site, host: str, here: str) -> Copy:
    if host == here:
        return Copy(host=host, address=urlsplit(site.origin).netloc)
    return Copy(
        host=host,
        address=f"{fleet.private_address(host)}:{TAILNET_PORT}",
        hostname=copy_hostname(site.hostname, host, fleet.domain),
    )
