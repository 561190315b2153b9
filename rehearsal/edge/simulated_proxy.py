"""A simulated site proxy: reads its own configuration, of which it follows the order of copies and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def addresses(config: bytes, port: int, hostname: str, headers: Mapping[str, str]) -> list[str]:
    """The copies of a site behind a door of a Caddy, host:port each, best first; none: the door stays shut.

    Args:
        config: Caddy's configuration, as JSON.
        port: The door that is asked.
        hostname: The site that is asked for.
        headers: What the request shows; a door may want a key.
    """
    servers: dict[str, dict[str, Any]] = json.loads(config)["apps"]["http"]["servers"]
    for server in servers.values():
        if f":{port}" not in server["listen"]:
            continue
        for route in server["routes"]:
            if any(_fits(match, hostname, headers) for match in route.get("match", ())):
                return [upstream["dial"] for upstream in route["handle"][0]["upstreams"]]
    return []


def _fits(match: dict[str, Any], hostname: str, headers: Mapping[str, str]) -> bool:
    shown = all(headers.get(name) in values for name, values in match.get("header", {}).items())
    return hostname in match.get("host", ()) and shown
