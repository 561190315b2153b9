"""Checks of one selector in its place: its form, that what it names exists, and that the place takes its kind."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.errors import Problem
from components.tailnet.selectors import ROLES, Kind, Selector, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from components.tailnet.policy import Policy


@dataclass(frozen=True)
class Place:
    """What a place of the document takes.

    Attributes:
        kinds: The forms of selectors.
        autogroups: The autogroups, where the form is taken.
        takes: Both in words.
    """

    kinds: frozenset[Kind]
    autogroups: frozenset[str]
    takes: str


_PEOPLE_GROUPS = ROLES | {"member"}
_ANYWHERE = frozenset(Kind)
SOURCE = Place(_ANYWHERE, _PEOPLE_GROUPS | {"tagged", "danger-all"}, "who opens connections: no self, no internet")
DESTINATION = Place(
    _ANYWHERE, _PEOPLE_GROUPS | {"tagged", "self", "internet"}, "what answers: not autogroup:danger-all"
)
SSH_SOURCE = Place(
    frozenset({Kind.USER, Kind.DOMAIN, Kind.GROUP, Kind.TAG, Kind.AUTOGROUP}),
    _PEOPLE_GROUPS | {"tagged"},
    "a user, a group, a tag or an autogroup of users",
)
SSH_DESTINATION = Place(
    frozenset({Kind.USER, Kind.TAG, Kind.AUTOGROUP}), frozenset({"self", "tagged"}), "a tag, autogroup:self or a user"
)
OWNER = Place(
    frozenset({Kind.USER, Kind.GROUP, Kind.TAG, Kind.AUTOGROUP}), _PEOPLE_GROUPS, "a user, a group, a tag or a role"
)
MEMBER = Place(frozenset({Kind.USER}), frozenset(), "a login: groups hold users only")
TARGET = Place(
    frozenset({Kind.ANY, Kind.USER, Kind.GROUP, Kind.TAG, Kind.AUTOGROUP, Kind.NETWORK, Kind.HOST}),
    _PEOPLE_GROUPS | {"tagged"},
    "*, a user, a group, a tag, an address or an autogroup",
)
VIA = Place(frozenset({Kind.TAG}), frozenset(), "a tag")
IN_IPSET = Place(
    frozenset({Kind.NETWORK, Kind.HOST, Kind.IPSET, Kind.AUTOGROUP}),
    frozenset({"internet"}),
    "an address, a range, a host, another ipset or autogroup:internet",
)
ADDRESS = Place(frozenset({Kind.NETWORK}), frozenset(), "an address or a range")
TESTED = Place(
    frozenset({Kind.USER, Kind.GROUP, Kind.TAG, Kind.HOST, Kind.NETWORK}),
    frozenset(),
    "one user, group, tag, host or address",
)


def readable(text: str) -> Selector | None:
    """The selector, or None where its form is wrong."""
    try:
        return read(text)
    except ValueError:
        return None


def check_all(policy: Policy, path: str, texts: Iterable[str], place: Place) -> Iterator[Problem]:
    """Checks a list; an empty one is a fault too."""
    found = tuple(texts)
    if not found:
        yield Problem(path=path, rule="must name at least one", way_out=place.takes)
    for number, text in enumerate(found):
        yield from check(policy, f"{path}.{number}", text, place)


def check(policy: Policy, path: str, text: str, place: Place) -> Iterator[Problem]:
    """Checks one selector."""
    try:
        selector = read(text)
    except ValueError as error:
        yield Problem(path=path, rule=str(error))
        return
    if selector.kind not in place.kinds or (selector.kind is Kind.AUTOGROUP and selector.name not in place.autogroups):
        yield Problem(path=path, rule=f"must be {place.takes}, got {text!r}")
        return
    yield from _exists(policy, path, selector)


def _exists(policy: Policy, path: str, selector: Selector) -> Iterator[Problem]:
    sections: dict[Kind, tuple[str, Iterable[str], str]] = {
        Kind.TAG: ("tagOwners", policy.tag_owners, '["autogroup:admin"]'),
        Kind.GROUP: ("groups", policy.groups, '["ada@example.com"]'),
        Kind.IPSET: ("ipsets", policy.ipsets, '["192.168.1.0/24"]'),
        Kind.HOST: ("hosts", policy.hosts, '"100.101.102.103"'),
    }
    if selector.kind not in sections:
        return
    section, known, example = sections[selector.kind]
    if selector.text in known:
        return
    close = difflib.get_close_matches(selector.text, list(known), n=1, cutoff=0.8)
    yield Problem(
        path=path,
        rule=f"must stand in {section}, got {selector.text!r}",
        way_out=f"did you mean {close[0]}?" if close else f'add "{selector.text}": {example} to {section}',
    )
