"""Selectors: how a policy names devices, people and networks, and what each form means."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ROLES = frozenset({"owner", "admin", "it-admin", "network-admin", "billing-admin", "auditor"})
AUTOGROUPS = frozenset({"member", "tagged", "self", "internet", "danger-all"}) | ROLES
"""The autogroups that select devices (tailscale.com/docs/reference/targets-and-selectors); `shared` is left out: what
other tailnets share into this one is not declared here."""

_TAG = re.compile(r"tag:[A-Za-z][A-Za-z0-9-]*")
_GROUP = re.compile(r"group:[A-Za-z0-9][A-Za-z0-9._-]*")
_IPSET = re.compile(r"ipset:[A-Za-z0-9][A-Za-z0-9._-]*")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_USER = re.compile(r"[^@\s:*,]+@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_DOMAIN = re.compile(r"user:\*@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


class Kind(StrEnum):
    """What a selector selects by."""

    ANY = "any"
    USER = "user"
    DOMAIN = "domain"
    GROUP = "group"
    TAG = "tag"
    AUTOGROUP = "autogroup"
    IPSET = "ipset"
    NETWORK = "network"
    HOST = "host"


PEOPLE = frozenset({Kind.USER, Kind.DOMAIN, Kind.GROUP})


@dataclass(frozen=True)
class Selector:
    """One selector.

    Attributes:
        kind: Its form.
        text: As it was written.
        networks: The addresses of a `NETWORK`, else empty.
    """

    kind: Kind
    text: str
    networks: tuple[Network, ...] = ()

    @property
    def name(self) -> str:
        """What stands after the prefix: `member` of `autogroup:member`."""
        return self.text.rpartition(":")[2]

    @property
    def selects_people(self) -> bool:
        """It stands for users and thereby for the devices they own; never for a tagged device."""
        return self.kind in PEOPLE or (self.kind is Kind.AUTOGROUP and self.name in ROLES | {"member"})


def read(text: str) -> Selector:  # noqa: PLR0911 - one for each form
    """The selector that a text spells.

    Raises:
        ValueError: It has none of the known forms; the message is a rule with the value.
    """
    if networks := _networks(text):
        return Selector(Kind.NETWORK, text, networks)
    prefix = text.partition(":")[0] if ":" in text else ""
    match prefix:
        case "tag":
            return _matching(_TAG, Kind.TAG, text, "a letter, then letters, digits and dashes, for example tag:monk")
        case "group":
            return _matching(_GROUP, Kind.GROUP, text, "letters, digits and dashes, for example group:family")
        case "ipset":
            return _matching(_IPSET, Kind.IPSET, text, "letters, digits and dashes, for example ipset:home")
        case "user":
            return _matching(_DOMAIN, Kind.DOMAIN, text, "a whole domain, for example user:*@example.com")
        case "autogroup":
            if text.removeprefix("autogroup:") not in AUTOGROUPS:
                raise ValueError(f"must be a known autogroup, got {text!r}; known: {', '.join(sorted(AUTOGROUPS))}")
            return Selector(Kind.AUTOGROUP, text)
    if text == "*":
        return Selector(Kind.ANY, text)
    if "@" in text:
        return _matching(_USER, Kind.USER, text, "a login such as ada@example.com or ada@github")
    return _matching(_HOST, Kind.HOST, text, "a user, group:, tag:, autogroup:, ipset:, a name in hosts, or an address")


def _matching(pattern: re.Pattern[str], kind: Kind, text: str, form: str) -> Selector:
    if not pattern.fullmatch(text):
        raise ValueError(f"must be {form}, got {text!r}")
    return Selector(kind, text)


def _networks(text: str) -> tuple[Network, ...]:
    """An address, a CIDR range or a range `first-last`; empty if the text is none of them."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return (ipaddress.ip_network(bare, strict=False),)
    except ValueError:
        pass
    try:
        first, last = (ipaddress.ip_address(part) for part in bare.split("-"))
        return tuple(ipaddress.summarize_address_range(first, last))  # type: ignore[type-var,unused-ignore]
    except (ValueError, TypeError):
        return ()
