"""Which TCP sockets of this machine listen, read from the kernel; nothing is sent."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LISTENING = "0A"
_TABLES = ("tcp", "tcp6")
_WORD = 8
"""Hexadecimal digits of one machine word: the kernel prints an address word by word, each with its last byte first."""


@dataclass(frozen=True)
class Socket:
    """A listening TCP socket.

    Attributes:
        address: Where it listens; `0.0.0.0` or `::` is everywhere.
        port: The port.
        inode: The kernel's number of it, by which the process that holds it can be found.
    """

    address: str
    port: int
    inode: str


def listening() -> frozenset[tuple[str, int]]:
    """Address and port of every listening TCP socket."""
    return frozenset((each.address, each.port) for each in listening_sockets())


def listening_sockets() -> Iterator[Socket]:
    """Every listening TCP socket (Linux: proc_pid_net(5))."""
    for table in _TABLES:
        file = Path("/proc/net") / table
        if not file.exists():
            continue
        for line in file.read_text(encoding="ascii").splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == _LISTENING:
                address, _, port = local.partition(":")
                yield Socket(address=_address(address), port=int(port, 16), inode=inode)


def _address(text: str) -> str:
    words = (bytes.fromhex(text[at : at + _WORD])[::-1] for at in range(0, len(text), _WORD))
    address = ipaddress.ip_address(b"".join(words))
    return str(getattr(address, "ipv4_mapped", None) or address)
