"""The tailnet that the tests ask about, and the readable form of their tables."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.tailnet.parties import Device, Party, Tailnet
from components.tailnet.policy import parse
from components.tailnet.ports import read_protocol

if TYPE_CHECKING:
    from components.tailnet.policy import Policy

TAILNET = Tailnet(
    devices=(
        Device(name="monk", tags=("tag:monk",), addresses=("100.64.0.1",)),
        Device(name="kscloud1", tags=("tag:kscloud1",), addresses=("100.64.0.2",)),
        Device(name="nas", user="ada@example.com", tags=("tag:monk", "tag:store"), addresses=("100.64.0.4",)),
        Device(name="laptop", user="ada@example.com", addresses=("100.64.0.11",)),
        Device(name="phone", user="ada@example.com", addresses=("100.64.0.12",)),
        Device(name="tablet", user="bob@example.com", addresses=("100.64.0.13",)),
        Device(name="guest", user="eve@other.org", addresses=("100.64.0.14",)),
        Device(name="six", user="zoe@six.net", addresses=("fd7a:115c:a1e0::6",)),
    ),
    roles={"ada@example.com": frozenset({"owner", "admin"}), "bob@example.com": frozenset({"auditor"})},
)
ADDRESSES = {device.name: device.addresses[0] for device in TAILNET.devices} | {
    "printer": "192.168.1.9",
    "camera": "192.168.2.7",
    "office": "10.1.2.3",
    "depot": "172.20.0.5",
    "website": "93.184.216.34",
    "sixhost": "2606:2800:220:1::1",
}
NAMES = """
    "groups": {"group:family": ["ada@example.com", "bob@example.com"], "group:empty": []},
    "hosts": {"printer": "192.168.1.9", "lan": "192.168.0.0/16", "cloud": "100.64.0.2"},
    "tagOwners": {"tag:monk": ["ada@example.com"], "tag:kscloud1": ["ada@example.com"], "tag:store": ["group:family"]},
"""


def party(name: str) -> Party:
    """A device of the tailnet, or an address outside of it."""
    device = next((device for device in TAILNET.devices if device.name == name), None)
    if device:
        return TAILNET.party(device)
    return Party(name=name, networks=(ipaddress.ip_network(ADDRESSES[name]),))


def policy(rules: str) -> Policy:
    """A policy with the names that all tables share."""
    return parse("{" + NAMES + rules + "}")


@dataclass(frozen=True)
class Case:
    """One line of a table: `laptop monk tcp/443 grants.0`; `-` where nothing lets it through."""

    table: str
    rules: str
    source: str
    destination: str
    protocol: str
    port: int
    rule: str

    def __str__(self) -> str:
        return f"{self.table}: {self.source} -> {self.destination} {self.protocol}/{self.port}"

    @property
    def number(self) -> int:
        """The protocol of the packet."""
        return min(read_protocol(self.protocol))


def cases(table: str, rules: str, lines: str) -> list[Case]:
    """The cases of one policy; a line may ask several questions: `laptop monk tcp/22,udp/53 -`."""
    found = []
    for line in lines.strip().splitlines():
        source, destination, asked, rule = line.split()
        for question in asked.split(","):
            protocol, _, port = question.partition("/")
            found.append(Case(table, rules, source, destination, protocol, int(port or 0), "" if rule == "-" else rule))
    return found
