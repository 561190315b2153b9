"""Needs: what a service has to reach on another host, so that it is published there and allowed on the private network."""

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
