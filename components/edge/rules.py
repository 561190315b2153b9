"""What must hold for sites and services that stand on several hosts: no split brain, and a way to every copy."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from components.declared import declared_blocks
from components.edge import SITE_PROXY
from components.edge.copies import copy_hostname
from components.edge.plans import plan_problems
from components.errors import Problem
from components.login import ProxyLogin
from components.model import StateClass
from components.settings import service_class

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.fleet import Fleet

_LONGEST_LABEL = 63


def _placed(fleet: Fleet) -> dict[str, list[tuple[str, str, Any]]]:
    """Host, path and settings of each block, by service."""
    places: dict[str, list[tuple[str, str, Any]]] = defaultdict(list)
    for host, name, path, settings in declared_blocks(fleet):
        places[name].append((host, path, settings))
    return places


def _one_writer(fleet: Fleet) -> Iterator[Problem]:
    for name, blocks in _placed(fleet).items():
        if len(blocks) > 1 and service_class(name).state is StateClass.SINGLE_WRITER:
            yield Problem(
                path=f"services.{name}",
                rule=f"must stand on one host, got it on {' and '.join(host for host, _, _ in blocks)}: "
                "it is single-writer, two copies would write apart",
                way_out=f"take {name} out of all files but one",
            )


def _standby_is_kept_apart(fleet: Fleet) -> Iterator[Problem]:
    """A primary-standby service on several hosts: data that gets across, and one copy that is asked first."""
    for name, blocks in _placed(fleet).items():
        service = service_class(name)
        if service.state is not StateClass.PRIMARY_STANDBY or service.replicated or len(blocks) == 1:
            continue
        hosts = " and ".join(host for host, _, _ in blocks)
        if not any(settings.data for _, _, settings in blocks):
            yield Problem(
                path=f"{blocks[0][1]}.data",
                rule=f"must say how its data gets from one host to the other: {name} is primary-standby, on {hosts}",
                way_out=f"{_ways(name)}, or take it out of all files but one",
            )
        for _, path, settings in blocks:
            if settings.site is None:
                yield Problem(
                    path=f"{path}.site",
                    rule=f"must be there: on {hosts} only a shared site sees to it that one copy of {name} answers",
                    way_out="write the same site in each file, with `shared: true`",
                )
        sites = [settings.site for _, _, settings in blocks if settings.site]
        if sites and not any(site.primary for site in sites):
            yield Problem(
                path=f"{blocks[0][1]}.site.primary",
                rule=f"must name the host whose copy of {name} answers as long as it can, one of {hosts}",
                way_out=f"for example `primary: {blocks[0][0]}`",
            )


def _ways(service: str) -> str:
    """What may be written under `data`, the best first."""
    said = (
        f"`data: {way}`{' if somebody carries it' if way == _BY_HAND else ''}"
        for way in service_class(service).data_ways
    )
    return f"write {' or '.join(said)}"


def _way_leads_across(fleet: Fleet) -> Iterator[Problem]:
    """A way for the data that the service has, and that every file says alike."""
    for name, blocks in _placed(fleet).items():
        said = {host: settings.data for host, _, settings in blocks if settings.data}
        path = f"services.{name}.data"
        for way in sorted(set(said.values()) - set(service_class(name).data_ways)):
            yield Problem(path=path, rule=f"must be a way that {name} has, got {way!r}", way_out=_ways(name))
        by_itself = sorted(set(said.values()) - {_BY_HAND})
        if not by_itself or len(blocks) == 1:
            continue
        hosts = " and ".join(host for host, _, _ in blocks)
        if len(blocks) != _SIDES:
            yield Problem(
                path=path,
                rule=f"must stand on {_SIDES} hosts for `data: {by_itself[0]}`, got {hosts}",
                way_out=f"take {name} out of the others' files",
            )
        if len(said) != len(blocks) or len(set(said.values())) > 1:
            got = " and ".join(f"{said.get(host, 'nothing')!r} on {host}" for host, _, _ in blocks)
            yield Problem(
                path=path,
                rule=f"must be the same in every file, got {got}",
                way_out=f"for example `data: {by_itself[0]}` in each",
            )


_BY_HAND = "manual"
_SIDES = 2


def _data_is_said_where_it_means_something(fleet: Fleet) -> Iterator[Problem]:
    for name, blocks in _placed(fleet).items():
        service = service_class(name)
        carried = service.state is StateClass.PRIMARY_STANDBY and not service.replicated
        for _, path, settings in blocks:
            if settings.data and (len(blocks) == 1 or not carried):
                state = "replicates itself" if service.replicated else f"is {service.state}"
                why = f"it stands on {blocks[0][0]} alone" if len(blocks) == 1 else f"{name} {state}"
                yield Problem(path=f"{path}.data", rule=f"must be left out: {why}, so no data has to get across")


def _primaries(fleet: Fleet) -> Iterator[Problem]:
    said: dict[str, dict[str, str]] = defaultdict(dict)
    for _, name, path, settings in declared_blocks(fleet):
        if not (settings.site and settings.site.primary):
            continue
        hosts, primary = fleet.hosts_of(name), settings.site.primary
        said[settings.site.hostname][primary] = path
        if primary not in hosts:
            yield Problem(
                path=f"{path}.site.primary",
                rule=f"must be a host that has {name}, got {primary!r}",
                way_out=f"one of: {', '.join(hosts)}",
            )
        elif not settings.site.shared:
            yield Problem(path=f"{path}.site.primary", rule="must be left out: the site is not shared")
    for hostname, primaries in said.items():
        if len(primaries) > 1:
            yield Problem(
                path=f"{next(iter(primaries.values()))}.site.primary",
                rule=f"must be the same in every file that has {hostname!r}, got {' and '.join(sorted(primaries))}",
                way_out="two primaries are two writers: name one",
            )


def _proxies(fleet: Fleet) -> Iterator[Problem]:
    for host, _, path, settings in declared_blocks(fleet):
        if settings.site and settings.site.shared and not fleet.has(SITE_PROXY, host):
            yield Problem(
                path=path.rpartition(".")[0],
                rule=f"must have {SITE_PROXY}: on {host} nothing leads visitors of {settings.site.hostname} "
                "to the copy that may answer",
                way_out=f"add `{SITE_PROXY}: {{image: caddy:2.11.4-alpine}}`",
            )


def _health_is_seen_from_outside(fleet: Fleet) -> Iterator[Problem]:
    for _, name, path, settings in declared_blocks(fleet):
        site, login = settings.site, service_class(name).login
        if site and site.shared and not site.public and isinstance(login, ProxyLogin):
            yield Problem(
                path=f"{path}.site.shared",
                rule=f"must be false: all of {name} lies behind a login, so no health check can tell a sick copy",
                way_out="leave it on one host",
            )


def _copies_have_names(fleet: Fleet) -> Iterator[Problem]:
    if not fleet.foundations:
        return
    taken = {site.hostname for site in fleet.sites}
    for site in fleet.shared_sites:
        for host in site.hosts:
            name = copy_hostname(site.hostname, host, fleet.domain)
            if name in taken:
                yield Problem(
                    path=f"services.{site.service}.site.hostname",
                    rule=f"must leave {name} free: it is the name of the copy of {site.hostname} on {host}",
                    way_out=f"give the other site of the name {name} another one",
                )
            if len(name.partition(".")[0]) > _LONGEST_LABEL:
                yield Problem(
                    path=f"services.{site.service}.site.hostname",
                    rule=f"must be shorter: {name}, the name of its copy on {host}, has a part of more than "
                    f"{_LONGEST_LABEL} letters",
                )
            taken.add(name)


def _plan_allows_it(fleet: Fleet) -> Iterator[Problem]:
    edges = [stack.edge for stack in fleet.stacks.values() if stack.edge]
    if len(edges) != 1 or edges[0].failover != "load-balancer":
        return
    if edges[0].load_balancer is None:
        yield Problem(
            path="edge.load-balancer",
            rule="must be there for `failover: load-balancer`: it is a paid add-on, whose limits depend on the plan",
            way_out="add `load-balancer: {plan: pro}`, or write `failover: replicas`",
        )
        return
    shared = fleet.shared_sites
    yield from plan_problems(edges[0].load_balancer, len(shared), sum(len(site.hosts) for site in shared))


SHARING_RULES = (
    _one_writer,
    _standby_is_kept_apart,
    _data_is_said_where_it_means_something,
    _way_leads_across,
    _primaries,
    _proxies,
    _health_is_seen_from_outside,
    _copies_have_names,
    _plan_allows_it,
)
