"""Plan: the policy that the stack files of the whole fleet ask for, with the place where each rule was declared."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

from components.errors import Problem
from components.tailnet.derive import DEFAULT_OWNERS, OwnerRules, derive
from components.tailnet.evaluate import SSH_PORT
from components.tailnet.flows import Flow, SshAccess
from components.tailnet.invariants import DATABASE_PORTS
from components.tailnet.known import tag_of
from components.tailnet.selectors import Kind, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.fleet import Fleet
    from components.tailnet.policy import Policy
    from components.tailnet.settings import TailnetSettings


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the stack files say about the private network.

    Attributes:
        at: What goes before a path of the section: the name of the foundation's file where another one is planned.
        settings: The section.
        needed: The flows that the program itself declares.
        allowed: The flows that the owner adds.
        rules: The rest of what the owner says.
        hosts: The SSH port of each host.
    """

    at: str
    settings: TailnetSettings
    needed: tuple[Flow, ...]
    allowed: tuple[Flow, ...]
    rules: OwnerRules
    hosts: dict[str, int]

    @cached_property
    def policy(self) -> Policy:
        """The document, in its canonical order."""
        return derive((*self.needed, *self.allowed), self.rules)

    @property
    def declared(self) -> tuple[Flow, ...]:
        """What may be open: the program's own flows, and the owner's between a host and a tag that is no host's.

        Between two hosts only the program opens anything, whatever the owner writes.
        """
        own = {tag_of(host) for host in self.hosts}
        foreign = (
            flow
            for flow in self.allowed
            if {flow.source, flow.destination} - own
            and flow.source.startswith("tag:")
            and flow.destination.startswith("tag:")
            and flow.port not in DATABASE_PORTS
        )
        return (*self.needed, *foreign)


def ssh_port(endpoint: str) -> int:
    """The port of a host's SSH server, as its Docker endpoint names it."""
    _, _, port = endpoint.removeprefix("ssh://").rpartition(":")
    return int(port) if endpoint.startswith("ssh://") and port.isdecimal() else SSH_PORT


def plan_of(fleet: Fleet) -> Plan | None:
    """What the files of the fleet ask for; None where no policy is managed."""
    settings = fleet.stacks[fleet.foundation].tailnet
    if settings is None:
        return None
    at = fleet.at(fleet.foundation)
    names = _Names(fleet, settings)
    allowed = tuple(
        Flow(
            source=names.selector(source),
            destination=names.selector(target),
            port=port,
            protocol=access.protocol,
            reason="the owner's rule",
            path=f"{at}tailnet.access.{number}",
        )
        for number, access in enumerate(settings.access)
        for source, target, port in product(access.from_, access.to or sorted(fleet.stacks), access.ports)
    )
    return Plan(
        at=at,
        settings=settings,
        needed=(*_service_flows(fleet), *_endpoint_flows(fleet)),
        allowed=allowed,
        rules=OwnerRules(
            tag_owners=names.tag_owners(),
            groups={f"group:{name}": logins for name, logins in settings.groups.items()},
            hosts=settings.hosts,
            ssh=tuple(names.ssh(at)),
        ),
        hosts={host: ssh_port(stack.host.docker) for host, stack in sorted(fleet.stacks.items())},
    )


def unknown_names(fleet: Fleet) -> Iterator[Problem]:
    """Every plain word of the section that nothing is called by, and every name that two things have."""
    settings = fleet.stacks[fleet.foundation].tailnet
    if settings is None:
        return
    at = f"{fleet.at(fleet.foundation)}tailnet"
    known = (*settings.groups, *sorted(fleet.stacks), *settings.hosts)
    for name in sorted({name for name in known if known.count(name) > 1}):
        rule = "must be the name of one thing: groups, hosts of the fleet and `hosts` share one set of names"
        section = "groups" if name in settings.groups else "hosts"
        yield Problem(path=f"{at}.{section}.{name}", rule=rule, way_out=f"call the {section[:-1]} something else")
    tags = {tag_of(name) for name in (*fleet.stacks, *settings.tags)}
    for path, text in _words(settings):
        if text in known or text in tags or not _names_something(text):
            continue
        close = difflib.get_close_matches(text, (*known, *sorted(tags)), n=1)
        yield Problem(
            path=f"{at}.{path}",
            rule=f"must be known: a group, a host, a name in hosts, a tag of a host or in tags; got {text!r}",
            way_out=f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}",
        )


def _words(settings: TailnetSettings) -> Iterator[tuple[str, str]]:
    blocks: dict[str, Any] = {"access": settings.access, "ssh": settings.ssh}
    for section, entries in blocks.items():
        for number, entry in enumerate(entries):
            for key, texts in (("from", entry.from_), ("to", entry.to)):
                yield from ((f"{section}.{number}.{key}.{at}", text) for at, text in enumerate(texts))
    for tag, owners in settings.tags.items():
        yield from ((f"tags.{tag}.{at}", owner) for at, owner in enumerate(owners))


def _names_something(text: str) -> bool:
    """Whether a text is a name that these files have to know; `validate` looks at all other selectors."""
    try:
        return read(text).kind in {Kind.HOST, Kind.TAG}
    except ValueError:
        return False


@dataclass(frozen=True)
class _Names:
    """What the section's plain words mean."""

    fleet: Fleet
    settings: TailnetSettings

    def selector(self, text: str) -> str:
        if text in self.settings.groups:
            return f"group:{text}"
        return tag_of(text) if text in self.fleet.stacks else text

    def tag_owners(self) -> dict[str, tuple[str, ...]]:
        """Every host has its tag, also where no flow names it: its key carries it."""
        given = {
            tag_of(tag): tuple(self.selector(owner) for owner in owners) for tag, owners in self.settings.tags.items()
        }
        return {tag_of(host): DEFAULT_OWNERS for host in sorted(self.fleet.stacks)} | given

    def ssh(self, at: str) -> Iterator[SshAccess]:
        for number, entry in enumerate(self.settings.ssh):
            for source, target in product(entry.from_, entry.to or sorted(self.fleet.stacks)):
                yield SshAccess(
                    source=self.selector(source),
                    destination=self.selector(target),
                    users=entry.users,
                    check=entry.check,
                    path=f"{at}tailnet.ssh.{number}",
                )


def _service_flows(fleet: Fleet) -> Iterator[Flow]:
    """What the services of one host need of services that stand on another."""
    for need in fleet.cross_host_needs:
        yield Flow(
            source=tag_of(need.source),
            destination=tag_of(need.destination),
            port=need.port,
            reason=need.reason,
            path=f"{fleet.at(need.destination)}services.{need.service}",
        )


def _endpoint_flows(fleet: Fleet) -> Iterator[Flow]:
    """SSH from the host on which the program runs to the hosts whose daemon it reaches by SSH."""
    from_here = [host for host, stack in sorted(fleet.stacks.items()) if not _by_ssh(stack.host.docker)]
    for host, stack in sorted(fleet.stacks.items()):
        if _by_ssh(stack.host.docker):
            yield from (
                Flow(
                    source=tag_of(source),
                    destination=tag_of(host),
                    port=ssh_port(stack.host.docker),
                    reason=f"{host}'s Docker daemon, by SSH",
                    path=f"{fleet.at(host)}host.docker",
                )
                for source in from_here
            )


def _by_ssh(endpoint: str) -> bool:
    return endpoint.startswith("ssh://")
