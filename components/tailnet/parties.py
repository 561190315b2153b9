"""Devices, the tailnet they form, and the parties to a connection."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.tailnet.selectors import Network


@dataclass(frozen=True, kw_only=True)
class Device:
    """A machine of the tailnet: a person's, or tagged and then nobody's.

    Attributes:
        name: How it is called in what is printed.
        user: The login of its owner; ignored where it has tags, as Tailscale does.
        tags: Its tags, each with its prefix (`tag:monk`).
        addresses: Its Tailscale addresses, and those it routes for.
    """

    name: str
    user: str = ""
    tags: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Tailnet:
    """What is known of the tailnet beside its policy.

    Attributes:
        devices: Its machines.
        roles: The roles of a user by login (`admin`, `owner`, ...); anybody else is a plain member.
    """

    devices: tuple[Device, ...] = ()
    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def party(self, device: Device) -> Party:
        """The device as one end of a connection."""
        return Party(
            name=device.name,
            user="" if device.tags else device.user,
            tags=frozenset(device.tags),
            roles=frozenset() if device.tags else self.roles.get(device.user, frozenset()),
            networks=tuple(ipaddress.ip_network(address) for address in device.addresses),
        )

    def person(self, login: str) -> Party:
        """Any device of a user, where none is known."""
        return Party(name=login, user=login, roles=self.roles.get(login, frozenset()))


@dataclass(frozen=True, kw_only=True)
class Party:
    """One end of a connection: a device, somebody's or some tag's unknown device, or an address.

    Attributes:
        name: How it is called in what is printed.
        user: The login of its owner, empty where it is tagged or no device.
        tags: Its tags.
        roles: Its owner's roles.
        networks: Its addresses.
    """

    name: str
    user: str = ""
    tags: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
