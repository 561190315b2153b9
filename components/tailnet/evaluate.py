"""Who may reach whom under a policy, by which rule, and who may log in by SSH.

Where the verdict hangs on something that is not declared, the wider reading holds, so that a check sees too much and
never too little: a `srcPosture` counts as met, and `*` is any address. `via` only steers a connection and is not read.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from components.tailnet import ports
from components.tailnet.parties import Party, Tailnet
from components.tailnet.ports import PortRange, Traffic
from components.tailnet.selectors import ROLES, Kind, Selector, read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.tailnet.policy import Policy
    from components.tailnet.selectors import Network

_NOT_INTERNET = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16",
        "224.0.0.0/3", "::1/128", "fc00::/7", "fe80::/10", "ff00::/8",
    )
)  # fmt: skip
SSH_PORT = 22


@dataclass(frozen=True)
class Verdict:
    """Whether a connection is let through.

    Attributes:
        allowed: It is.
        rule: Dotted path of the first rule that lets it through, empty if none does.
    """

    allowed: bool
    rule: str = ""


class Login(StrEnum):
    """How an SSH login ends."""

    ACCEPT = "accept"
    CHECK = "check"
    DENY = "deny"


@dataclass(frozen=True)
class Rule:
    """A grant or an acl in one form; both only ever add.

    Attributes:
        path: Dotted path in the document.
        sources: Any of them may open the connection.
        destinations: What may be reached, each with the traffic that is let through.
    """

    path: str
    sources: tuple[Selector, ...]
    destinations: tuple[tuple[Selector, tuple[Traffic, ...]], ...]


class Evaluator:
    """A policy that answers questions.

    Raises:
        ValueError: The policy has a selector, port or protocol that cannot be read; `validate` names them all first.
    """

    def __init__(self, policy: Policy, tailnet: Tailnet) -> None:
        self.policy = policy
        self.tailnet = tailnet
        self.rules = tuple(_rules(policy))

    def reach(self, source: Party, destination: Party, port: int, protocol: int = ports.TCP) -> Verdict:
        """Whether `source` may open a connection; ping is let through where any rule joins the two.

        A protocol without ports needs a rule for that protocol and all ports (wgengine/filter of tailscale.com).
        """
        for rule in self.rules:
            for traffic in self._between(rule, source, destination):
                if protocol in ports.PING:
                    return Verdict(allowed=True, rule=rule.path)
                if protocol not in traffic.protocols:
                    continue
                fits = ports.ANY_PORT in traffic.ports
                if protocol in ports.WITH_PORTS:
                    fits = any(port in ports_ for ports_ in traffic.ports)
                if fits:
                    return Verdict(allowed=True, rule=rule.path)
        return Verdict(allowed=False)

    def allowed(self, source: Party, destination: Party) -> dict[int, tuple[PortRange, ...]]:
        """All that `source` may open to `destination`: the ports of each protocol."""
        found: dict[int, list[PortRange]] = {}
        for rule in self.rules:
            for traffic in self._between(rule, source, destination):
                found.setdefault(ports.ICMP, []).append(ports.ANY_PORT)
                for protocol in traffic.protocols - ports.PING:
                    if protocol in ports.WITH_PORTS:
                        found.setdefault(protocol, []).extend(traffic.ports)
                    elif ports.ANY_PORT in traffic.ports:
                        found.setdefault(protocol, []).append(ports.ANY_PORT)
        return {protocol: ports.merged(found[protocol]) for protocol in sorted(found)}

    def login(self, source: Party, destination: Party, user: str) -> Login:
        """What the SSH rules say; a check goes before an accept, and the network access to port 22 is not looked at."""
        actions = {
            rule.action
            for rule in self.policy.ssh
            if self._any(rule.src, source, source)
            and self._any(rule.dst, destination, source)
            and any(_is_user(form, user, source) for form in rule.users)
        }
        if "check" in actions:
            return Login.CHECK
        return Login.ACCEPT if "accept" in actions else Login.DENY

    def parties(self, text: str) -> tuple[Party, ...]:
        """Everybody whom a selector means: the known devices, else one that stands for an unknown one.

        Raises:
            ValueError: It can't be read, or is no single user, group, tag, host or address.
        """
        selector = read(text)
        devices = tuple(party for party in self._devices if self.selects(selector, party, party))
        if devices:
            return devices
        match selector.kind:
            case Kind.USER:
                return (self.tailnet.person(text),)
            case Kind.GROUP:
                return tuple(party for member in self.policy.groups.get(text, ()) for party in self.parties(member))
            case Kind.TAG:
                return (Party(name=text, tags=frozenset({text})),)
            case Kind.NETWORK:
                return tuple(Party(name=str(network), networks=(network,)) for network in selector.networks)
            case Kind.HOST if text in self.policy.hosts:
                return self.parties(self.policy.hosts[text])
        raise ValueError(f"must be a user, a group, a tag, a name in hosts or an address, got {text!r}")

    def selects(self, selector: Selector, party: Party, source: Party) -> bool:  # noqa: PLR0911 - one for each kind
        """Whether a selector means a party; `source` is who opens the connection, for `autogroup:self`."""
        match selector.kind:
            case Kind.ANY:
                return True
            case Kind.USER:
                return party.user == selector.text
            case Kind.DOMAIN:
                return bool(party.user) and party.user.partition("@")[2] == selector.text.partition("@")[2]
            case Kind.GROUP:
                return any(self.selects(read(who), party, source) for who in self.policy.groups.get(selector.text, ()))
            case Kind.TAG:
                return selector.text in party.tags
            case Kind.AUTOGROUP:
                return _in_autogroup(selector.name, party, source)
            case Kind.IPSET:
                return _within(party, self._ipset(selector.text))
            case Kind.NETWORK:
                return _within(party, selector.networks)
            case Kind.HOST:
                address = self.policy.hosts.get(selector.text)
                return address is not None and self.selects(read(address), party, source)

    @cached_property
    def _devices(self) -> tuple[Party, ...]:
        return tuple(self.tailnet.party(device) for device in self.tailnet.devices)

    def _between(self, rule: Rule, source: Party, destination: Party) -> Iterator[Traffic]:
        if any(self.selects(selector, source, source) for selector in rule.sources):
            for selector, traffic in rule.destinations:
                if self.selects(selector, destination, source):
                    yield from traffic

    def _any(self, texts: tuple[str, ...], party: Party, source: Party) -> bool:
        return any(self.selects(read(text), party, source) for text in texts)

    def _ipset(self, name: str) -> tuple[Network, ...]:
        """The set's networks: each entry adds or removes, in the order written."""
        found: list[Network] = []
        for entry in self.policy.ipsets.get(name, ()):
            operation, text = ipset_entry(entry)
            networks = self.networks_of(read(text))
            if operation == "remove":
                found = [piece for network in found for piece in _cut(network, networks)]
            else:
                found.extend(networks)
        return tuple(found)

    def networks_of(self, selector: Selector) -> tuple[Network, ...]:
        """The addresses that a host, an ipset, `autogroup:internet` or an address stands for; of others, none."""
        match selector.kind:
            case Kind.HOST:
                return self.networks_of(read(self.policy.hosts[selector.text]))
            case Kind.IPSET:
                return self._ipset(selector.text)
            case Kind.AUTOGROUP:
                everything = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
                return tuple(piece for network in everything for piece in _cut(network, _NOT_INTERNET))
            case _:
                return selector.networks


def ipset_entry(text: str) -> tuple[str, str]:
    """Operation and selector of an ipset's entry: `add 10.0.0.0/8`, `remove host:nas`, or a bare selector."""
    operation, blank, selector = text.partition(" ")
    if not blank or operation not in {"add", "remove"}:
        operation, selector = "add", text
    return operation, selector.strip().removeprefix("host:")


def _rules(policy: Policy) -> Iterator[Rule]:
    if policy.grants is None and policy.acls is None:
        everything = Traffic(ports.UNNAMED, (ports.ANY_PORT,))
        yield Rule("policy", (read("*"),), ((read("*"), (everything,)),))
    for number, grant in enumerate(policy.grants or ()):
        traffic = tuple(ports.read_traffic(text) for text in grant.ip)
        destinations = tuple((read(text), traffic) for text in grant.dst)
        yield Rule(f"grants.{number}", tuple(map(read, grant.src)), destinations)
    for number, acl in enumerate(policy.acls or ()):
        protocols = ports.read_protocol(acl.proto)
        split = tuple(ports.split_destination(text) for text in acl.dst)
        destinations = tuple((read(text), (Traffic(protocols, ports.read_ports(open_)),)) for text, open_ in split)
        yield Rule(f"acls.{number}", tuple(map(read, acl.src)), destinations)


def _in_autogroup(name: str, party: Party, source: Party) -> bool:
    match name:
        case "danger-all":
            return True
        case "tagged":
            return bool(party.tags)
        case "member":
            return bool(party.user)
        case "self":
            return bool(party.user) and party.user == source.user
        case "internet":
            private = any(network.overlaps(closed) for network in party.networks for closed in _NOT_INTERNET)
            return bool(party.networks) and not private
        case _:
            return name in ROLES and name in party.roles


def _is_user(form: str, user: str, source: Party) -> bool:
    """Whether an SSH rule's user form covers a local user; `localpart:*@domain` is the login's own first part."""
    if form == "autogroup:nonroot":
        return user != "root"
    if form.startswith("localpart:*@"):
        local, _, domain = source.user.partition("@")
        return bool(local) and user == local and domain == form.removeprefix("localpart:*@")
    return form == user


def _within(party: Party, networks: tuple[Network, ...]) -> bool:
    return any(_inside(own, network) for own in party.networks for network in networks)


def _inside(inner: Network, outer: Network) -> bool:
    if isinstance(inner, ipaddress.IPv4Network) and isinstance(outer, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, ipaddress.IPv6Network) and isinstance(outer, ipaddress.IPv6Network):
        return inner.subnet_of(outer)
    return False


def _cut(network: Network, holes: tuple[Network, ...]) -> list[Network]:
    """What is left of a network without some others."""
    left: list[Network] = [network]
    for hole in holes:
        kept: list[Network] = []
        for piece in left:
            if _inside(piece, hole):
                continue
            kept.extend(piece.address_exclude(hole) if _inside(hole, piece) else (piece,))  # type: ignore[arg-type]
        left = kept
    return left
