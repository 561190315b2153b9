"""Ports of this machine for what listens on them later, and again after each restart."""

from __future__ import annotations

import contextlib
import random
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

OURS = range(20_000, 32_000)
"""Below the range from which Linux gives outgoing connections theirs (`ip_local_port_range`, from 32768 on)."""


def free_port(address: str, among: Iterable[int] = ()) -> int:
    """A port that nobody listens on at an address of this machine, and that no outgoing connection takes meanwhile.

    Args:
        address: Where it is to listen.
        among: The ports to try, in this order; any of `OURS` unless said.

    Raises:
        OSError: there is none.
    """
    for port in among or random.sample(OURS, len(OURS)):
        with contextlib.suppress(OSError), socket.create_server((address, port)):
            return port
    raise OSError(f"no free port at {address}")
