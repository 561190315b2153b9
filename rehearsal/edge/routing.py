"""Routing: from the name that a visitor asks for to the ingress rule of a tunnel, as Cloudflare goes about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rehearsal.edge import faults

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rehearsal.edge.cloud import Cloud, Cloudflare, DnsRecord, LoadBalancer, Rule, Tunnel

LOCAL = ".localhost"
"""Browsers take every name below it to this machine, without a name server."""
_TUNNEL_DOMAIN = ".cfargotunnel.com"
_STATUS_SERVICE = re.compile(r"http_status:([2-5]\d\d)")


@dataclass(frozen=True)
class Route:
    """Where a request goes: a tunnel, and the rule that its connectors follow; and by which pool, if by one."""

    hostname: str
    tunnel_id: str
    tunnel: Tunnel
    rule: Rule
    pool: str = ""
    cookie: str = ""

    @property
    def own_status(self) -> int | None:
        """The status that the rule itself answers with, where it names no service."""
        found = _STATUS_SERVICE.fullmatch(self.rule.service)
        return int(found[1]) if found else None


def public_name(host: str, zones: Iterable[str]) -> str:
    """The name that a Host header stands for: `www.kitestacks.localhost:8080` is `www.` in the zone kitestacks.com."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    name = name.lower().rstrip(".")
    if name.endswith(LOCAL):
        labels, _, first = name.removesuffix(LOCAL).rpartition(".")
        for zone in zones:
            if zone.partition(".")[0] == first:
                return f"{labels}.{zone}" if labels else zone
    return name


def local_name(hostname: str, zones: Iterable[str]) -> str:
    """The opposite: the name by which a browser on this machine reaches a public name of a zone."""
    for zone in zones:
        if hostname == zone or hostname.endswith(f".{zone}"):
            return hostname.removesuffix(zone) + zone.partition(".")[0] + LOCAL
    return hostname


def tunnel_id_of(record: DnsRecord) -> str | None:
    """The tunnel that a record leads to."""
    return tunnel_id_of_address(record.content) if record.type == "CNAME" and record.proxied else None


def tunnel_id_of_address(address: str) -> str | None:
    """The tunnel that an address stands for."""
    return address.removesuffix(_TUNNEL_DOMAIN) if address.endswith(_TUNNEL_DOMAIN) else None


def find_balancer(cloud: Cloud, hostname: str) -> LoadBalancer | None:
    """The load balancer of a name, which takes precedence over a DNS record."""
    balancers = cloud.cloudflare.load_balancers.values()
    return next((each for each in balancers if each.name == hostname and each.enabled), None)


def find_route(cloud: Cloud, hostname: str, path: str) -> Route:
    """The way of a request by its DNS record.

    Raises:
        FaultError: the way ends before a connector is asked.
    """
    flare = cloud.cloudflare
    record = _record_of(flare, hostname)
    if record is None:
        raise faults.no_record(hostname)
    tunnel_id = tunnel_id_of(record)
    if tunnel_id is None:
        raise faults.not_a_tunnel(hostname, record.content)
    return route_through(cloud, tunnel_id, hostname, path)


def route_through(cloud: Cloud, tunnel_id: str, hostname: str, path: str) -> Route:
    """The way of a request through a tunnel that is already known.

    Raises:
        FaultError: the way ends before a connector is asked.
    """
    flare = cloud.cloudflare
    tunnel = flare.tunnels.get(tunnel_id)
    if tunnel is None:
        raise faults.no_tunnel(hostname, tunnel_id)
    rule = find_rule(flare, tunnel_id, hostname, path)
    if rule is None:
        raise faults.no_ingress(tunnel.name)
    return Route(hostname, tunnel_id, tunnel, rule)


def find_rule(flare: Cloudflare, tunnel_id: str, hostname: str, path: str) -> Rule | None:
    """The first ingress rule of a tunnel that takes the request."""
    config = flare.tunnel_configs.get(tunnel_id)
    return next((rule for rule in config.ingresses if rule.takes(hostname, path)), None) if config else None


def _record_of(flare: Cloudflare, hostname: str) -> DnsRecord | None:
    """The record of the name itself, else the closest wildcard above it."""
    records = {record.name: record for record in flare.dns_records.values()}
    labels = hostname.split(".")
    names = [hostname, *(".".join(["*", *labels[depth:]]) for depth in range(1, len(labels)))]
    return next((records[name] for name in names if name in records), None)
