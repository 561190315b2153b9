"""The reachability change: what one policy lets through that another does not, in plain lines."""

from __future__ import annotations

import ipaddress
from itertools import permutations, product
from typing import TYPE_CHECKING

from components.tailnet import ports
from components.tailnet.evaluate import Evaluator, Login
from components.tailnet.parties import Party, Tailnet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.tailnet.policy import Policy
    from components.tailnet.ports import PortRange

INTERNET = Party(name="the internet", networks=(ipaddress.ip_network("192.0.2.1"),))
"""Stands for any public address (one that is reserved for documentation)."""
ANOTHER_USER = "any other user"


def reachability_change(before: Policy, after: Policy, tailnet: Tailnet) -> list[str]:
    """What `after` changes, over every pair of devices, the named hosts outside the tailnet, and the internet.

    Returns:
        Sorted lines, `+` for what may newly be reached and `-` for what no longer may; empty if nothing changes.
    """
    old, new = Evaluator(before, tailnet), Evaluator(after, tailnet)
    devices = [tailnet.party(device) for device in tailnet.devices]
    outside = [*_named_hosts(old, new), INTERNET]
    lines: list[str] = []
    for source, destination in (*permutations(devices, 2), *product(devices, outside)):
        pair = f"{source.name} -> {destination.name}"
        earlier, later = old.allowed(source, destination), new.allowed(source, destination)
        lines += [f"+ {pair}: {opened}" for opened in _only_in(later, earlier)]
        lines += [f"- {pair}: {closed}" for closed in _only_in(earlier, later)]
    for source, destination in permutations(devices, 2):
        lines += _logins(old, new, source, destination)
    return sorted(lines)


def _only_in(ones: dict[int, tuple[PortRange, ...]], others: dict[int, tuple[PortRange, ...]]) -> Iterator[str]:
    for protocol, ranges in ones.items():
        left = ports.without(ranges, others.get(protocol, ()))
        if protocol == ports.ICMP and left:
            yield "ping"
        else:
            yield from (f"{ports.protocol_name(protocol)} {part}" for part in left)


def _named_hosts(*evaluators: Evaluator) -> list[Party]:
    found = {
        party.name: party
        for evaluator in evaluators
        for name in evaluator.policy.hosts
        for party in evaluator.parties(name)
    }
    inside = {device.name for device in evaluators[0].tailnet.devices}
    return [found[name] for name in sorted(found.keys() - inside)]


def _logins(old: Evaluator, new: Evaluator, source: Party, destination: Party) -> Iterator[str]:
    named = {user for one in (old, new) for rule in one.policy.ssh for user in rule.users if ":" not in user}
    own = source.user.partition("@")[0]
    for user in sorted({*named, "root", ANOTHER_USER} | ({own} if own else set())):
        was, now = old.login(source, destination, user), new.login(source, destination, user)
        if was is not now:
            pair = f"{source.name} -> {destination.name}: ssh as {user}"
            if was is not Login.DENY:
                yield f"- {pair} ({was})"
            if now is not Login.DENY:
                yield f"+ {pair} ({now})"
