"""Protocols and ports, as grants, acls and tests spell them."""

from __future__ import annotations

from dataclasses import dataclass

HIGHEST = 65535
TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
UNNAMED = frozenset({TCP, UDP, ICMP, ICMPV6})
"""What a rule without a protocol lets through (tailcfg.ProtoPortRange and wgengine/filter of tailscale.com)."""
WITH_PORTS = frozenset({TCP, UDP, 132})
PING = frozenset({ICMP, ICMPV6})

NUMBERS = {
    "icmp": 1, "icmpv4": 1, "igmp": 2, "ipv4": 4, "ip-in-ip": 4, "tcp": 6, "egp": 8, "igp": 9, "udp": 17, "dccp": 33,
    "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58, "ipv6-icmp": 58, "sctp": 132,
}  # fmt: skip
"""The names that Tailscale's client knows (types/ipproto of tailscale.com)."""


@dataclass(frozen=True, order=True)
class PortRange:
    """Ports from `first` to `last`, both included."""

    first: int
    last: int

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last

    def __str__(self) -> str:
        if self == ANY_PORT:
            return "all ports"
        first = max(self.first, 1)  # nothing listens on 0
        return str(first) if first == self.last else f"{first}-{self.last}"


ANY_PORT = PortRange(0, HIGHEST)


@dataclass(frozen=True)
class Traffic:
    """Some protocols on some ports."""

    protocols: frozenset[int]
    ports: tuple[PortRange, ...]


def read_protocol(text: str) -> frozenset[int]:
    """The protocol numbers that an acl's or a test's `proto` names; none named means TCP, UDP and ping.

    Raises:
        ValueError: No such name, or no number from 1 to 255.
    """
    if not text:
        return UNNAMED
    number = NUMBERS.get(text.lower())
    if number is None and text.isascii() and text.isdecimal() and not text.startswith("0"):
        number = int(text)
    if number is None or number > 255:  # noqa: PLR2004 - the field is one byte
        raise ValueError(
            f"must be a protocol name or a number from 1 to 255, got {text!r}; names: {', '.join(NUMBERS)}"
        )
    return PING if number in PING else frozenset({number})


def read_ports(text: str) -> tuple[PortRange, ...]:
    """The ports of a destination: `*`, `22`, `8000-8080`, or several with commas.

    Raises:
        ValueError: A part is no port from 1 to 65535 and no range that rises.
    """
    if text == "*":
        return (ANY_PORT,)
    return tuple(_range(part, text) for part in text.split(","))


def read_traffic(text: str) -> Traffic:
    """The entry of a grant's `ip`: `*`, `<ports>` or `<protocol>:<ports>`, one port or one range.

    Raises:
        ValueError: It has another form.
    """
    protocol, _, ports = text.rpartition(":")
    if "," in ports:
        raise ValueError(f"must be one port or one range, each further one an entry of its own, got {text!r}")
    if not protocol and text.startswith(":"):
        raise ValueError(f"must name a protocol before the colon, got {text!r}")
    return Traffic(UNNAMED if protocol in {"", "*"} else read_protocol(protocol), read_ports(ports))


def split_destination(text: str) -> tuple[str, str]:
    """Selector and ports of an acl's or a test's destination, `tag:monk:22` or `[fd7a::1]:22`.

    Raises:
        ValueError: It does not end in a colon and ports.
    """
    selector, _, ports = text.rpartition(":")
    if not selector or not ports or not set(ports) <= set("0123456789-,*"):
        raise ValueError(
            f"must end in a port, got {text!r}, for example {text.rstrip(':')}:443 or {text.rstrip(':')}:*"
        )
    return selector, ports


def merged(ranges: list[PortRange]) -> tuple[PortRange, ...]:
    """The same ports in the fewest ranges, rising."""
    result: list[PortRange] = []
    for current in sorted(ranges):
        if result and current.first <= result[-1].last + 1:
            result[-1] = PortRange(result[-1].first, max(result[-1].last, current.last))
        else:
            result.append(current)
    return tuple(result)


def without(ranges: tuple[PortRange, ...], taken: tuple[PortRange, ...]) -> tuple[PortRange, ...]:
    """The ports of `ranges` that are not in `taken`."""
    left = list(ranges)
    for gone in taken:
        left = [
            piece
            for current in left
            for piece in (
                PortRange(current.first, min(current.last, gone.first - 1)),
                PortRange(max(current.first, gone.last + 1), current.last),
            )
            if piece.first <= piece.last
        ]
    return merged(left)


def protocol_name(number: int) -> str:
    """`tcp` for 6; the number itself where it has no name."""
    return next((name for name, known in NUMBERS.items() if known == number), f"protocol {number}")


def _range(part: str, whole: str) -> PortRange:
    first, dash, last = part.partition("-")
    if not (first.isascii() and first.isdecimal()) or (dash and not (last.isascii() and last.isdecimal())):
        raise ValueError(f"must be a port, a range such as 8000-8080, or *, got {whole!r}")
    bounds = PortRange(int(first), int(last) if dash else int(first))
    if not 1 <= bounds.first <= HIGHEST or not 1 <= bounds.last <= HIGHEST:
        raise ValueError(f"must be ports from 1 to {HIGHEST}, got {whole!r}")
    if bounds.first > bounds.last:
        raise ValueError(f"must be a range that rises, got {whole!r}")
    return bounds
