"""Status: what the edge sees, for programs and as a small page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.edge.faults import template
from rehearsal.edge.routing import find_rule, local_name, tunnel_id_of
from rehearsal.edge.simulated import SimulatedConnector

if TYPE_CHECKING:
    from rehearsal.edge.cloud import Cloud, DnsRecord
    from rehearsal.edge.monitors import Monitors
    from rehearsal.edge.switchboard import Switchboard


def status(cloud: Cloud, switchboard: Switchboard, monitors: Monitors, port: int) -> dict[str, Any]:
    """Every site with its tunnel, connectors and service, and every connector; `port` is the visitors'."""
    records = sorted(cloud.cloudflare.dns_records.values(), key=lambda record: record.name)
    return {
        "sites": {record.name: _site(cloud, switchboard, record, port) for record in records},
        "pools": {
            pool.name: {origin.address: monitors.said(pool_id, origin) for origin in pool.origins}
            for pool_id, pool in cloud.cloudflare.pools.items()
        },
        "connectors": [
            {
                "tunnel": _tunnel_name(cloud, connector.tunnel_id),
                "name": connector.name,
                "since": connector.since.isoformat(timespec="seconds"),
                "idle": connector.idle,
                "requests": connector.requests,
                "simulated": isinstance(connector, SimulatedConnector),
            }
            for connector in switchboard.all()
        ],
    }


def index(facts: dict[str, Any]) -> str:
    """The page for a browser that opens the edge's bare address."""
    return template("index.html").render(sites=facts["sites"])


def _site(cloud: Cloud, switchboard: Switchboard, record: DnsRecord, port: int) -> dict[str, Any]:
    tunnel_id = tunnel_id_of(record)
    rule = find_rule(cloud.cloudflare, tunnel_id, record.name, "/") if tunnel_id else None
    return {
        "url": f"http://{local_name(record.name, cloud.cloudflare.zones.values())}:{port}/",
        "tunnel": _tunnel_name(cloud, tunnel_id) if tunnel_id else None,
        "connectors": [each.name for each in switchboard.all() if each.tunnel_id == tunnel_id],
        "service": rule.service if rule else None,
    }


def _tunnel_name(cloud: Cloud, tunnel_id: str) -> str | None:
    tunnel = cloud.cloudflare.tunnels.get(tunnel_id)
    return tunnel.name if tunnel else None
