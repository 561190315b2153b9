"""Metrics: where a container gives its figures to Prometheus."""

from __future__ import annotations

from dataclasses import dataclass

LEFT_FOR_PROMETHEUS = "node-exporter"
"""Folder below the data root: Node Exporter finds figures there that others leave, each in a folder of its own."""


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """One endpoint that Prometheus asks.

    Attributes:
        container: The container that answers; empty: the host itself, on its private address.
        port: Its port inside.
        path: Where the figures lie.
        token: Name of the service's secret that opens them, sent as a bearer token.
        user: The name that goes with it, where it is a password (basic authentication) and no bearer token.
        outside: Port on the host's Tailscale address, for a Prometheus on another host; None: on its own host only.
    """

    container: str
    port: int
    path: str = "/metrics"
    token: str = ""
    user: str = ""
    outside: int | None = None
