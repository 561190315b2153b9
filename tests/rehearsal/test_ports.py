"""Ports that are found now and used later."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from rehearsal.ports import OURS, free_port


def test_port_of_a_listener_is_passed_over() -> None:
    first = free_port("127.0.0.1")

    with socket.create_server(("127.0.0.1", first)):
        second = free_port("127.0.0.1", (first, *OURS))

    assert first != second
    assert second in OURS


def test_no_outgoing_connection_is_given_one() -> None:
    """As the kernel of this machine is set."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])

    assert max(OURS) < lowest


def test_none_left_is_an_error() -> None:
    with (
        socket.create_server(("127.0.0.1", free_port("127.0.0.1"))) as taken,
        pytest.raises(OSError, match=r"no free port at 127\.0\.0\.1"),
    ):
        free_port("127.0.0.1", (taken.getsockname()[1],))
