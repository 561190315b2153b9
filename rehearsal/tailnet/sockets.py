"""Which TCP sockets of this machine listen, read from the kernel; nothing is sent."""

from __future__ import annotations

import ipaddress
from pathlib import Path

_LISTENING = "0A"
_TABLES = ("tcp", "tcp6")
_WORD = 8
"""Hexadecimal digits of one machine word: the kernel prints an address word by word, each with its last byte first."""


def listening(folder: Path = Path("/proc/net")) -> frozenset[tuple[str, int]]:
    """Address and port of every listening TCP socket, as `0.0.0.0` or `::` where it takes all addresses.

    Args:
        folder: Where the kernel shows its tables (Linux: proc_pid_net(5)).
    """
    found = set()
    for table in _TABLES:
        file = folder / table
        if not file.exists():
            continue
        for line in file.read_text(encoding="ascii").splitlines()[1:]:
            _, local, _, state = line.split()[:4]
            if state == _LISTENING:
                address, _, port = local.partition(":")
                found.add((_address(address), int(port, 16)))
    return frozenset(found)


def _address(text: str) -> str:
    words = (bytes.fromhex(text[at : at + _WORD])[::-1] for at in range(0, len(text), _WORD))
    return str(ipaddress.ip_address(b"".join(words)))
