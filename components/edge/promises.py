"""Promises: for how long a site is without an answer when a part is gone, and what to type where nobody else acts.

Every figure is a worst case with the formula that gives it, from the settings that are really in force.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from components.edge import SITE_PROXY
from components.edge.copies import answering_order
from components.model import StateClass
from components.settings import service_class
from components.types import duration_seconds

if TYPE_CHECKING:
    from components.fleet import Fleet, Site

CONNECTOR = "cloudflared"
CONNECTOR_SECONDS = 5
"""After so long without a sign of life a connector's line counts as dead (`cloudflared:quic/constants.go`,
MaxIdleTimeout); Cloudflare publishes no figure of its own."""


class Kind(StrEnum):
    """The sorts of parts that may be gone."""

    HOST = "host gone"
    CONNECTOR = "connector gone"
    COPY = "copy sick"
    NETWORK = "tailnet cut"


@dataclass(frozen=True, kw_only=True)
class Promise:
    """What happens to a site when one part is gone.

    Attributes:
        kind: What sort of part it is.
        fault: The part that is gone, in words.
        seconds: The longest time without an answer; None: until somebody acts, or the part is back.
        formula: Where the seconds come from; without seconds, why.
        type: What to type; empty: nothing.
        limit: What visitors then can't do, in words; empty: they can do everything.
    """

    kind: Kind
    fault: str
    seconds: int | None
    formula: str
    type: str = ""
    limit: str = ""


def promises(fleet: Fleet, site: Site) -> tuple[Promise, ...]:
    """Every fault that one site may meet."""
    if site.shared:
        found = [promise for host in site.hosts for promise in _shared(fleet, site, host)] + _cut_off(fleet, site)
    else:
        found = _single(site, site.hosts[0])
    others = (host for host in sorted(fleet.stacks) if (host,) != site.hosts)
    lost = [_lost(fleet, site, host, needed) for host in others if (needed := _needed_there_alone(fleet, site, host))]
    faults = {promise.fault for promise in lost}
    kept = [promise for promise in found if promise.kind is not Kind.HOST or promise.fault not in faults]
    return (*kept, *lost)


def _gone(host: str) -> str:
    return f"{host} gone"


def _needed_there_alone(fleet: Fleet, site: Site, host: str) -> str:
    """What a site can't do without and only one host's copy gives; empty: nothing."""
    for need in service_class(site.service).needs(fleet):
        needed = service_class(need.service)
        if needed.replicated and needed.writer(fleet) == host:
            return need.service
        if not need.on_each and fleet.hosts_of(need.service) == (host,):
            return need.service
    return ""


def _lost(fleet: Fleet, site: Site, host: str, needed: str) -> Promise:
    only = "which writes there" if len(fleet.hosts_of(needed)) > 1 else f"which stands on {host} alone"
    switch = service_class(needed).without_writer(fleet)
    back = f"it answers again when {host} is back{', or another copy is told to write' if switch else ''}"
    formula = f"{site.service} needs {needed}, {only}; {back}"
    return Promise(kind=Kind.HOST, fault=_gone(host), seconds=None, formula=formula, type=switch)


def _single(site: Site, host: str) -> list[Promise]:
    only = f"the one copy stands on {host}"
    return [
        Promise(
            kind=Kind.HOST,
            fault=_gone(host),
            seconds=None,
            formula=f"{only}; it answers again when {host} is back",
        ),
        Promise(
            kind=Kind.CONNECTOR,
            fault=f"connector of {host} gone",
            seconds=None,
            formula=f"{only}, and no other way leads there",
            type=f"docker restart {CONNECTOR}",
        ),
        Promise(
            kind=Kind.COPY,
            fault=f"copy on {host} sick",
            seconds=None,
            formula=only,
            type=f"docker restart {site.service}",
        ),
    ]


def _shared(fleet: Fleet, site: Site, host: str) -> list[Promise]:
    route, copy = _route(fleet), _checks(fleet)
    asked_elsewhere = _asked_elsewhere(fleet, site, host)
    # Both clocks begin at the fault, so the slower one counts.
    gone = max(route, copy) if asked_elsewhere else route
    idle = site.state is StateClass.PRIMARY_STANDBY and not asked_elsewhere
    sick = (0, "nobody is sent there while the primary answers") if idle else copy
    limit, why = _limit(fleet, site, host)
    return [
        Promise(kind=Kind.HOST, fault=_gone(host), seconds=gone[0], formula=gone[1] + why, limit=limit),
        Promise(kind=Kind.CONNECTOR, fault=f"connector of {host} gone", seconds=route[0], formula=route[1]),
        Promise(kind=Kind.COPY, fault=f"copy on {host} sick", seconds=sick[0], formula=sick[1] + why, limit=limit),
    ]


def _limit(fleet: Fleet, site: Site, host: str) -> tuple[str, str]:
    """What visitors can't do while one host's copy is away, in short and at length."""
    if not _takes_no_writes(fleet, site) or host != fleet.ranked(site)[0]:
        return "", ""
    return "for reading", f"; then people read, and nobody writes until {host} is back or another host is the primary"


def _takes_no_writes(fleet: Fleet, site: Site) -> bool:
    """Whether a standby's copy is there to be read."""
    return any(block.data == "read-only" for _, name, block in fleet.blocks() if name == site.service)


def _cut_off(fleet: Fleet, site: Site) -> list[Promise]:
    """One writer at a time: what becomes of it when the hosts can't reach each other."""
    if site.state is not StateClass.PRIMARY_STANDBY:
        return []
    seconds, formula = _checks(fleet)
    primary = fleet.ranked(site)[0]
    apart = f"{formula}; then each host's visitors get its own copy, and "
    if _takes_no_writes(fleet, site):
        apart += f"only that of {primary} is written"
    else:
        apart += "what is written on both must be merged by hand"
    return [
        Promise(
            kind=Kind.NETWORK,
            fault="tailnet cut",
            seconds=seconds,
            formula=f"{formula}; then by the tunnel of {primary}",
        ),
        Promise(kind=Kind.NETWORK, fault=f"tailnet cut and {primary}'s tunnel gone", seconds=seconds, formula=apart),
    ]


def _asked_elsewhere(fleet: Fleet, site: Site, host: str) -> bool:
    """Whether visitors who come to another host may get their answer from this host's copy."""
    others = (other for other in fleet.hosts_of(SITE_PROXY) if other != host)
    return any(answering_order(fleet, site, other)[0] == host for other in others)


def _route(fleet: Fleet) -> tuple[int, str]:
    edge = fleet.stacks[fleet.foundation].edge
    balancer = edge.load_balancer if edge and edge.failover == "load-balancer" else None
    if balancer is None:
        return CONNECTOR_SECONDS, f"connector time-out {CONNECTOR_SECONDS} s"
    interval, timeout = duration_seconds(balancer.interval), duration_seconds(balancer.timeout)
    seconds = interval + timeout * (balancer.retries + 1)
    return seconds, f"monitor interval {interval} s + time-out {timeout} s x (retries {balancer.retries} + 1)"


def _checks(fleet: Fleet) -> tuple[int, str]:
    """The slowest of the site proxies counts."""
    settings = [block for _, name, block in fleet.blocks() if name == SITE_PROXY]
    interval = max((duration_seconds(each.check_interval) for each in settings), default=0)
    timeout = max((duration_seconds(each.check_timeout) for each in settings), default=0)
    return interval + timeout, f"check interval {interval} s + time-out {timeout} s"
