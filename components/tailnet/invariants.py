"""What must hold whatever the settings say: the policy opens nothing that was not declared."""

from __future__ import annotations

import ipaddress
from itertools import permutations
from typing import TYPE_CHECKING

from components.errors import Problem
from components.tailnet import ports
from components.tailnet.evaluate import Evaluator
from components.tailnet.parties import Tailnet
from components.tailnet.ports import PortRange
from components.tailnet.selectors import Kind, Selector, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from components.tailnet.flows import Flow
    from components.tailnet.parties import Party
    from components.tailnet.policy import Policy

DATABASE_PORTS = {5432: "PostgreSQL", 6379: "Redis", 3306: "MariaDB"}
_HALF = 1
"""The prefix length from which on a network counts as everything: two halves of a wildcard are one."""


def check_invariants(
    policy: Policy, tailnet: Tailnet, flows: Iterable[Flow], *, wildcards_allowed: bool = False
) -> list[Problem]:
    """Every breach, over the known devices.

    Args:
        policy: A policy without problems in `validate`.
        tailnet: The devices; an unknown device has no breach to show, so every host of the platform belongs here.
        flows: All that was declared.
        wildcards_allowed: The owner says out loud that a rule may name everybody.
    """
    evaluator = Evaluator(policy, tailnet)
    problems = [] if wildcards_allowed else list(_wildcards(policy))
    declared = tuple(flows)
    parties = [tailnet.party(device) for device in tailnet.devices]
    for source, destination in permutations(parties, 2):
        open_ = evaluator.allowed(source, destination)
        said = _declared(evaluator, declared, source, destination)
        problems += _databases(evaluator, source, destination, open_, said)
        if source.tags and destination.tags:
            problems += _between_hosts(evaluator, source, destination, open_, said)
    return problems


Ports = dict[int, tuple[PortRange, ...]]


def _declared(evaluator: Evaluator, flows: tuple[Flow, ...], source: Party, destination: Party) -> Ports:
    found: dict[int, list[PortRange]] = {}
    for flow in flows:
        ends = ((flow.source, source), (flow.destination, destination))
        if all(evaluator.selects(read(text), party, source) for text, party in ends):
            for protocol in ports.read_protocol(flow.protocol):
                found.setdefault(protocol, []).append(PortRange(flow.port, flow.port))
            found[ports.ICMP] = [ports.ANY_PORT]
    return {protocol: ports.merged(ranges) for protocol, ranges in found.items()}


def _databases(evaluator: Evaluator, source: Party, destination: Party, open_: Ports, said: Ports) -> Iterator[Problem]:
    for port, database in DATABASE_PORTS.items():
        reached = any(port in part for part in open_.get(ports.TCP, ()))
        if reached and not any(port in part for part in said.get(ports.TCP, ())):
            yield Problem(
                path=evaluator.reach(source, destination, port).rule,
                rule=f"must not let {source.name} reach {database} on {destination.name}:{port}: no flow declares it",
                way_out="take the port out of the rule; a service that needs it is let through by itself",
            )


def _between_hosts(
    evaluator: Evaluator, source: Party, destination: Party, open_: Ports, said: Ports
) -> Iterator[Problem]:
    for protocol, ranges in open_.items():
        for extra in ports.without(ranges, said.get(protocol, ())):
            if extra.first == extra.last and extra.first in DATABASE_PORTS and protocol == ports.TCP:
                continue  # already said, in the words of the database
            what = "by ping" if protocol == ports.ICMP else f"on {ports.protocol_name(protocol)} {extra}"
            yield Problem(
                path=evaluator.reach(source, destination, extra.first, protocol).rule,
                rule=f"must not let {source.name} reach {destination.name} {what}: no flow declares it",
                way_out="narrow the rule; what a service needs of another host is let through by itself",
            )


def _wildcards(policy: Policy) -> Iterator[Problem]:
    if policy.grants is None and policy.acls is None:
        yield Problem(
            path="policy",
            rule="must have grants: without grants and acls everything may reach everything",
            way_out="write `grants: []` to let nothing through",
        )
    places = [(f"grants.{number}", rule.src, rule.dst) for number, rule in enumerate(policy.grants or ())]
    for number, acl in enumerate(policy.acls or ()):
        places.append((f"acls.{number}", acl.src, tuple(ports.split_destination(text)[0] for text in acl.dst)))
    places += [(f"ssh.{number}", rule.src, rule.dst) for number, rule in enumerate(policy.ssh)]
    for path, sources, destinations in places:
        for key, texts in (("src", sources), ("dst", destinations)):
            for number, text in enumerate(texts):
                if _is_wildcard(policy, read(text)):
                    yield Problem(
                        path=f"{path}.{key}.{number}",
                        rule=f"must not name everybody, got {text!r}",
                        way_out="name users, tags or hosts, or say it out loud: `wildcards: true`",
                    )


def _is_wildcard(policy: Policy, selector: Selector) -> bool:
    match selector.kind:
        case Kind.ANY:
            return True
        case Kind.AUTOGROUP:
            return selector.name == "danger-all"
        case Kind.HOST:
            return _is_wildcard(policy, read(policy.hosts[selector.text]))
        case Kind.IPSET:
            networks = Evaluator(policy, Tailnet()).networks_of(selector)
        case _:
            networks = selector.networks
    tailnet = ipaddress.ip_network("100.64.0.0/10")
    return any(network.prefixlen <= _HALF or network == tailnet for network in networks)
