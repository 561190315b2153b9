"""The rules an ingress document must keep, worded as cloudflared and the API word them.

Stricter than the API in one thing: a hostname that appears twice without a path is refused, since the second rule could
never answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.resource import shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rehearsal.cloud.wire import Props

ORIGIN_REQUEST = shape(
    "caPool connectTimeout disableChunkedEncoding http2Origin httpHostHeader keepAliveConnections keepAliveTimeout"
    " matchSnItoHost noHappyEyeballs noTlsVerify originServerName proxyType tcpKeepAlive tlsTimeout",
    access=shape("audTags teamName required"),
)

_SERVICE = re.compile(
    r"(https?|wss?|tcp|ssh|rdp|smb)://[^/\s]+/?"
    r"|unix(\+tls)?:\S+"
    r"|http_status:[1-9][0-9]{2}"
    r"|hello_world|bastion|socks-proxy"
)


def ingress_fault(rules: Sequence[Props]) -> str | None:
    """Find the first rule that is wrong; the last one has to match everything."""
    if not rules or _host(rules[-1]) or rules[-1].get("path"):
        return "The last ingress rule must match all URLs (i.e. it should not have a hostname or path filter)"
    seen: dict[str, int] = {}
    for number, rule in enumerate(rules, start=1):
        host = _host(rule)
        fault = _rule_fault(number, rule, host, last=number == len(rules))
        if fault:
            return fault
        if rule.get("path") or not host:
            continue
        if host in seen:
            return (
                f"hostname {host} is in rule #{seen[host]} and again in rule #{number}, which would never be triggered"
            )
        seen[host] = number
    return None


def _host(rule: Props) -> str:
    """Give the hostname a rule asks for; a lone ``*`` asks for nothing."""
    host = str(rule.get("hostname") or "").lower()
    return "" if host == "*" else host


def _rule_fault(number: int, rule: dict[str, Any], host: str, *, last: bool) -> str | None:
    service = str(rule.get("service") or "")
    if not host and not rule.get("path") and not last:
        return (
            f"Rule #{number} is matching the hostname '', but this will match every hostname, meaning the rules which"
            " follow it will never be triggered."
        )
    if ":" in host:
        return f"Hostname cannot contain a port: {host}"
    if "*" in host.removeprefix("*."):
        return (
            f"{host}: Hostname patterns can have at most one wildcard character and it can only be used for subdomains"
        )
    if not _SERVICE.fullmatch(service):
        return (
            f"{service or 'an empty service'} is an invalid address, please make sure it has a scheme and a hostname"
            f" (rule #{number})"
        )
    return None
