"""Needs: which service has to reach which, on its own host or across to another."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Need:
    """A service that another has to reach.

    Attributes:
        service: Who is needed.
        port: The port on which it answers; on another host, on that host's Tailscale address.
        reason: What for, in words.
        on_each: The one on every other host is needed, even where one stands on the host itself.
    """

    service: str
    port: int
    reason: str
    on_each: bool = False


@dataclass(frozen=True, kw_only=True, order=True)
class CrossHostNeed:
    """A need that has to cross from one host to another, over the private network.

    Attributes:
        source: The host that opens the connection.
        destination: The host that answers.
        service: The service that answers there.
        port: On the destination's Tailscale address.
        reason: What for, in words.
    """

    source: str
    destination: str
    service: str
    port: int
    reason: str
