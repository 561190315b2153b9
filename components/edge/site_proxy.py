"""The site proxy's configuration: which copy of a shared site answers, decided again for every request.

Behind every connector of a shared site stands the host's own proxy, a Caddy. It knows each copy of the site in the
order in which they may answer, asks each copy's health path all the time, and sends a request to the first that is
well. A copy on another host is reached over Tailscale, else by that host's own tunnel under a hostname of this copy
alone. The doors for other proxies lead to the local copy and nowhere else, so no request can go in a circle.

Plain values in, a JSON document out (caddyserver.com/docs/json); nothing here knows Pulumi.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

VISITORS_PORT = 8080
"""Where connectors bring visitors; leads to any copy."""
TAILNET_PORT = 8081
"""Where other hosts' proxies come, published at the host's Tailscale address; leads to the local copy."""
TUNNEL_PORT = 8082
"""Where they come by this host's own tunnel, with a key; leads to the local copy."""
ALIVE_PORT = 8083
"""Where the container's health check asks; on the loopback address alone."""
_FIRST_WAY_PORT = 9001
"""The first of the loopback ports behind which the ways through other hosts' tunnels lie."""

_SAFE_METHODS = ["GET", "HEAD", "OPTIONS"]
"""What may be asked twice: a request that changes nothing (RFC 9110, section 9.2.1)."""
_RETRIES = 20
_TRY_INTERVAL = "250ms"
"""With 20 retries: five seconds of patience while no copy can be reached, for example when one is being replaced."""
_DIAL_TIMEOUT = "2s"
_FAILURES = 3
_FAILURES_COUNT_FOR = "10s"
_NO_WAY = [502, 504, *range(520, 531)]
"""What Cloudflare answers for a tunnel that leads nowhere; the copy itself did not say it."""
_CLIENT = "{http.request.header.Cf-Connecting-Ip}"
_CLIENT_HEADER = "X-Site-Proxy-Client"
_KEY_HEADER = "X-Site-Proxy-Key"
_OWN_HEADERS = "X-Site-Proxy-*"


@dataclass(frozen=True, kw_only=True)
class Copy:
    """One copy of a site, as one host's proxy reaches it.

    Attributes:
        host: Where it stands.
        address: host:port; of the container where the copy is local, else of that host's proxy on the tailnet.
        hostname: The hostname of this copy alone, on its host's own tunnel; None: the copy is local.
    """

    host: str
    address: str
    hostname: str | None = None


@dataclass(frozen=True, kw_only=True)
class ProxiedSite:
    """A shared site.

    Attributes:
        hostname: What visitors type.
        health_path: A path of the site that answers 2xx without a login when the site is well.
        copies: In the order in which they may answer.
    """

    hostname: str
    health_path: str
    copies: tuple[Copy, ...]

    @property
    def local(self) -> Copy | None:
        """The copy on the proxy's own host."""
        return next((copy for copy in self.copies if copy.hostname is None), None)


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How soon a sick copy is noticed; durations as Go writes them.

    Attributes:
        check_interval: Between two questions to a health path.
        check_timeout: How long an answer may take.
        patience: How long any other request may wait for the first byte.
    """

    check_interval: str
    check_timeout: str
    patience: str


def site_proxy_config(
    host: str, sites: Sequence[ProxiedSite], timing: Timing, key: str, public_edge: str | None = None
) -> dict[str, Any]:
    """The whole configuration of one host's proxy.

    Args:
        host: The host that it runs on, for its error pages.
        sites: The shared sites.
        timing: How soon a sick copy is noticed.
        key: What proxies show each other at the public doors; secret, and so is the result.
        public_edge: host:port that stands for Cloudflare's network, without TLS, in a rehearsal; None: the real one.
    """
    way_ports = dict(zip(sorted({copy.host for _, copy in _remote(sites)}), count(_FIRST_WAY_PORT)))
    visitors = (_route(site.hostname, _any_copy(site, way_ports, timing)) for site in sites)
    alive = [{"handle": [{"handler": "static_response"}]}]
    servers = {
        "visitors": _server(f":{VISITORS_PORT}", visitors, _error_page(host)),
        "alive": _server(f"127.0.0.1:{ALIVE_PORT}", alive, _ABORT),
        **_doors(sites, timing, key),
    }
    for other, port in way_ports.items():
        copies = [(site, copy) for site, copy in _remote(sites) if copy.host == other]
        routes = (_route(site.hostname, _through_tunnel(copy, timing, key, public_edge)) for site, copy in copies)
        servers[f"way-{other}"] = _server(f"127.0.0.1:{port}", routes, _ABORT)
    return {
        "admin": {"disabled": True, "config": {"persist": False}},
        "logging": {"logs": {"default": {"level": "WARN"}}},
        "apps": {"http": {"grace_period": "10s", "servers": servers}},
    }


def _remote(sites: Sequence[ProxiedSite]) -> list[tuple[ProxiedSite, Copy]]:
    """The copies on other hosts, each with its site."""
    return [(site, copy) for site in sites for copy in site.copies if copy.hostname]


def _doors(sites: Sequence[ProxiedSite], timing: Timing, key: str) -> dict[str, dict[str, Any]]:
    """The doors for other hosts' proxies, which lead to the local copies."""
    local = [(site, site.local) for site in sites if site.local]
    told = f"{{http.request.header.{_CLIENT_HEADER}}}"
    tailnet = (_route(site.hostname, _local_copy(copy, _CLIENT, timing)) for site, copy in local)
    tunnel = (_route(site.hostname, _local_copy(copy, told, timing), key=key) for site, copy in local)
    return {
        "tailnet": _server(f":{TAILNET_PORT}", tailnet, _ABORT),
        "tunnel": _server(f":{TUNNEL_PORT}", tunnel, _ABORT),
    }


_ABORT: dict[str, Any] = {"handler": "static_response", "abort": True}
"""Hangs up: to the proxy that asked, this way has failed, and it takes the next one if the request allows."""


def _error_page(host: str) -> dict[str, Any]:
    body = f"No copy of {{http.request.host}} answers, as seen from {host}. Try again in a minute.\n"
    return {"handler": "static_response", "status_code": "{http.error.status_code}", "body": body}


def _server(listen: str, routes: Iterable[dict[str, Any]], on_error: dict[str, Any]) -> dict[str, Any]:
    unknown = {"handle": [{"handler": "static_response", "status_code": 404}]}
    return {
        "listen": [listen],
        "automatic_https": {"disable": True},
        "routes": [*routes, unknown],
        "errors": {"routes": [{"handle": [on_error]}]},
    }


def _route(hostname: str, handler: dict[str, Any], *, key: str | None = None) -> dict[str, Any]:
    match: dict[str, Any] = {"host": [hostname]}
    if key is not None:
        match["header"] = {_KEY_HEADER: [key]}
    return {"match": [match], "handle": [handler], "terminal": True}


def _any_copy(site: ProxiedSite, way_ports: dict[str, int], timing: Timing) -> dict[str, Any]:
    """The first copy that is well, by the first way that works."""
    addresses: list[str] = []
    for copy in site.copies:
        addresses.append(copy.address)
        if copy.hostname:
            addresses.append(f"127.0.0.1:{way_ports[copy.host]}")
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": address} for address in addresses],
        "load_balancing": {
            "selection_policy": {"policy": "first"},
            "retries": _RETRIES,
            "try_interval": _TRY_INTERVAL,
            "retry_match": [{"method": _SAFE_METHODS}],
        },
        "health_checks": {
            "active": {
                "uri": site.health_path,
                "interval": timing.check_interval,
                "timeout": timing.check_timeout,
                "expect_status": 2,
                "headers": {
                    "Host": [site.hostname],
                    "X-Forwarded-Proto": ["https"],
                    "Cf-Connecting-Ip": ["127.0.0.1"],
                },
            },
            "passive": {"fail_duration": _FAILURES_COUNT_FOR, "max_fails": _FAILURES},
        },
        "headers": {"request": _as_visitor_came(_CLIENT)},
        "transport": _transport(timing),
    }


def _local_copy(copy: Copy, client: str, timing: Timing) -> dict[str, Any]:
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": copy.address}],
        "headers": {"request": _as_visitor_came(client)},
        "transport": _transport(timing),
    }


def _through_tunnel(copy: Copy, timing: Timing, key: str, public_edge: str | None) -> dict[str, Any]:
    """By Cloudflare's network, which sets its own headers anew and refuses some that it finds."""
    transport = _transport(timing) | ({} if public_edge else {"tls": {}})
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": public_edge or f"{copy.hostname}:443"}],
        "headers": {
            "request": {
                "set": {"Host": [copy.hostname], _CLIENT_HEADER: [_CLIENT], _KEY_HEADER: [key]},
                "delete": ["Cf-*", "Cdn-Loop", "X-Forwarded-*"],
            }
        },
        "handle_response": [{"match": {"status_code": _NO_WAY}, "routes": [{"handle": [_ABORT]}]}],
        "transport": transport,
    }


def _as_visitor_came(client: str) -> dict[str, Any]:
    """Headers by which an application knows its visitor: Cloudflare speaks https with him, whatever comes after."""
    return {
        "set": {"Cf-Connecting-Ip": [client], "X-Forwarded-For": [client], "X-Forwarded-Proto": ["https"]},
        "delete": [_OWN_HEADERS],
    }


def _transport(timing: Timing) -> dict[str, Any]:
    return {
        "protocol": "http",
        "compression": False,
        "dial_timeout": _DIAL_TIMEOUT,
        "response_header_timeout": timing.patience,
    }
