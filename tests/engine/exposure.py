"""What of a rehearsal could be reached from where: its listening sockets and the daemon's NAT rules, only read."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

from rehearsal.tailnet.sockets import listening_sockets

_RULE = re.compile(r"-A DOCKER (-d (?P<address>[\d.]+)/32 )?.*--dport (?P<port>\d+) .*--to-destination (?P<to>[\d.]+):")


def sockets_of(pids: set[int]) -> set[tuple[str, int]]:
    """Address and port of every TCP socket on which these processes listen."""
    inodes: set[str] = set()
    for pid in pids:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = str(entry.readlink())
            except FileNotFoundError:  # closed meanwhile
                continue
            inodes |= {target.removeprefix("socket:[").removesuffix("]")} if target.startswith("socket:") else set()
    return {(each.address, each.port) for each in listening_sockets() if each.inode in inodes}


def proxies_for(networks: list[str]) -> set[int]:
    """The daemon's own listening processes for the containers of some networks."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):  # ended meanwhile
            continue
        if words[0].endswith("docker-proxy") and _inside(words[words.index("-container-ip") + 1], networks):
            found.add(int(folder.name))
    return found


def nat_rules(text: str, networks: list[str]) -> set[tuple[str, int]]:
    """Address and port of every rule that leads to a container of some networks; `0.0.0.0` where a rule names none."""
    return {
        (rule["address"] or "0.0.0.0", int(rule["port"]))
        for rule in map(_RULE.search, text.splitlines())
        if rule and _inside(rule["to"], networks)
    }


def _inside(address: str, networks: list[str]) -> bool:
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(network) for network in networks)
