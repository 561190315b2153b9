"""Sites: the site contract as a report, one object per site, read by the stack's output and by what a plan prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

from components.edge import SITE_PROXY
from components.edge.promises import Kind, Promise, promises
from components.login import ProxyLogin
from components.model import StateClass
from components.settings import service_class

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.backup import Backup
    from components.fleet import Fleet, Site


@dataclass(frozen=True, kw_only=True)
class SiteReport:
    """What is promised of one site, in plain values.

    Attributes:
        hostname: What visitors type.
        service: Who answers.
        hosts: Where it stands, in the order in which hosts take over.
        primary: The host whose copy answers as long as it can; empty: any copy may answer.
        route: How visitors reach a host.
        login: How they are let in.
        health: The path that tells whether a copy is well.
        monitor: Who asks that path, and how often.
        backup: What of it is kept.
        data: How its data gets to the other hosts, where that needs saying.
        promises: What happens when a part is gone.
    """

    hostname: str
    service: str
    hosts: tuple[str, ...]
    primary: str
    route: str
    login: str
    health: str
    monitor: str
    backup: str
    data: str
    promises: tuple[Promise, ...]

    def output(self) -> dict[str, Any]:
        """What the stack puts out of it."""
        facts = {name: getattr(self, name) for name in _SAID} | {"hosts": list(self.hosts)}
        return facts | {"seconds": {promise.fault: promise.seconds for promise in self.promises}}

    def worst_of_each(self) -> tuple[str, ...]:
        """The longest time without an answer, in words: a host gone, a connector gone, a copy sick."""
        return tuple(self.worst(kind) for kind in _COLUMNS)

    def worst(self, kind: Kind) -> str:
        """The longest time without an answer for one sort of fault, in words."""
        faults = [promise for promise in self.promises if promise.kind is kind]
        seconds = [promise.seconds for promise in faults if promise.seconds is not None]
        limit = next((f", {promise.limit}" for promise in faults if promise.limit), "")
        longest = f"{max(seconds)} s{limit}" if seconds else ""
        down = [promise.fault.removesuffix(" gone") for promise in faults if promise.seconds is None]
        if not down:
            return longest
        where = f"down with {' and '.join(down)}" if kind is Kind.HOST else "down"
        return f"{where}, else {longest}" if longest else where


_SAID = ("service", "primary", "route", "login", "health", "monitor", "backup", "data")
_COLUMNS = (Kind.HOST, Kind.CONNECTOR, Kind.COPY)
_DATA = {
    "copy": "data: copy, the other host has what was written until the last copy",
    "manual": "data: manual, the other hosts have what somebody last carried there",
    "ring": "data: ring, the other host has what was written up to seconds ago",
    "read-only": "data: read-only, the other host has what was written up to seconds ago, for reading",
}


def site_reports(fleet: Fleet) -> tuple[SiteReport, ...]:
    """The reports of all sites of the fleet."""
    return tuple(_report(fleet, site) for site in fleet.sites)


def show(reports: Sequence[SiteReport]) -> None:
    """Prints the contract with a plan, a line for each site; an update has shown it before."""
    if reports and pulumi.runtime.is_dry_run():
        pulumi.log.info(f"the longest time without an answer, by what is gone\n{table(reports)}")


def table(reports: Sequence[SiteReport]) -> str:
    """A line for each site, under one with the sorts of faults."""
    rows: list[tuple[str, ...]] = [("site", "hosts", *_COLUMNS, "")]
    rows += [(report.hostname, "+".join(report.hosts), *report.worst_of_each(), report.data) for report in reports]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _report(fleet: Fleet, site: Site) -> SiteReport:
    ranked = fleet.ranked(site)
    standby = site.state is StateClass.PRIMARY_STANDBY and site.shared
    return SiteReport(
        hostname=site.hostname,
        service=site.service,
        hosts=ranked,
        primary=ranked[0] if standby else "",
        route=_route(fleet, site),
        login=_login(site),
        health=site.health_path,
        monitor=_monitor(fleet, site),
        backup=_backup(service_class(site.service).backup),
        data=_data(fleet, site) if standby else "",
        promises=promises(fleet, site),
    )


def _route(fleet: Fleet, site: Site) -> str:
    if not site.shared:
        return f"tunnel of {site.hosts[0]}"
    edge = fleet.stacks[fleet.foundation].edge
    if edge and edge.failover == "load-balancer" and edge.load_balancer:
        return f"load balancer, steering {edge.load_balancer.steering}"
    return "shared tunnel"


def _login(site: Site) -> str:
    if site.login is None:
        return "public"
    return "Authentik stands in front" if isinstance(site.login, ProxyLogin) else "single sign-on"


def _monitor(fleet: Fleet, site: Site) -> str:
    if not site.shared:
        return f"Docker on {site.hosts[0]}, every {fleet.stacks[site.hosts[0]].host.health_interval}"
    intervals = {block.check_interval for _, name, block in fleet.blocks() if name == SITE_PROXY}
    proxies = f"site proxies, every {' or '.join(sorted(intervals))}"
    edge = fleet.stacks[fleet.foundation].edge
    if edge and edge.failover == "load-balancer" and edge.load_balancer:
        return f"{proxies}; Cloudflare, every {edge.load_balancer.interval}"
    return proxies


def _backup(kept: Backup) -> str:
    if kept.disposable:
        return f"none: {kept.disposable}"
    return ", ".join([*(f"{dump.engine} {dump.database}" for dump in kept.dumps), *kept.folders])


def _data(fleet: Fleet, site: Site) -> str:
    ways = {block.data for _, name, block in fleet.blocks() if name == site.service and block.data}
    return "; ".join(_DATA[way] for way in sorted(ways))
