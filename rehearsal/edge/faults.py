"""Faults: what is missing on the way to a site, in words for a person and as a code for a program."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

FAULT_HEADER = "X-Rehearsal-Fault"


@dataclass(eq=False)
class FaultError(Exception):
    """A request that the edge answers itself.

    Attributes:
        status: HTTP status, the one that Cloudflare uses.
        code: Cloudflare's error code where it has one (523, 1001, 1016, 1033), else the status.
        title: What is wrong, in a few words.
        text: Which part is missing, and where to look.
    """

    status: int
    code: int
    title: str
    text: str

    def page(self, hostname: str) -> web.Response:
        """The error page, with the code in a header."""
        body = template("fault.html").render(fault=self, hostname=hostname)
        return web.Response(
            status=self.status, text=body, content_type="text/html", headers={FAULT_HEADER: str(self.code)}
        )


@cache
def template(name: str) -> Template:
    """One of the HTML templates beside this file."""
    pages = FileSystemLoader(Path(__file__).parent)
    return Environment(loader=pages, autoescape=True, undefined=StrictUndefined).get_template(name)


def no_record(hostname: str) -> FaultError:
    """A browser would say that the name does not exist."""
    return FaultError(
        404,
        1001,
        "No such name",
        f"There is no DNS record for {hostname}. Does a stack declare this site, and is that stack up?",
    )


def not_a_tunnel(hostname: str, content: str) -> FaultError:
    """The record leads somewhere that the edge can't go."""
    return FaultError(
        530, 1016, "Origin DNS error", f"The record of {hostname} leads to {content}, which is not a proxied tunnel."
    )


def no_tunnel(hostname: str, tunnel_id: str) -> FaultError:
    """The record outlived its tunnel."""
    return FaultError(
        530,
        1016,
        "Origin DNS error",
        f"The record of {hostname} leads to tunnel {tunnel_id}, which does not exist. Was the tunnel deleted?",
    )


def no_connector(tunnel: str, pool: str = "") -> FaultError:
    """Nobody serves the tunnel."""
    text = f"The tunnel {tunnel} has no connector: is the host down?"
    if pool:
        text += f" The load balancer chose the pool {pool}: its monitor has not noticed yet, or no other is well."
    return FaultError(530, 1033, "Tunnel error", text)


def no_pool(hostname: str) -> FaultError:
    """A load balancer whose pools are gone."""
    return FaultError(
        530, 1016, "Origin DNS error", f"The load balancer of {hostname} has no pool left. Were the pools deleted?"
    )


def origin_unreachable(hostname: str, pool: str, address: str) -> FaultError:
    """A pool that leads nowhere."""
    return FaultError(
        523,
        523,
        "Origin is unreachable",
        f"The load balancer of {hostname} chose the pool {pool}, which leads to {address}: there is no such tunnel.",
    )


def no_ingress(tunnel: str) -> FaultError:
    """A tunnel without any rule."""
    return FaultError(503, 503, "No ingress", f"The tunnel {tunnel} has no ingress rules, so nothing picks up.")


def by_rule(status: int, tunnel: str, hostname: str) -> FaultError:
    """A rule `http_status:...` answers, usually the catch-all."""
    return FaultError(
        status,
        status,
        "Answered by rule",
        f"The ingress rules of the tunnel {tunnel} answer {status} to this address of {hostname}; no service does.",
    )


def unreachable(service: str, connector: str, reason: str) -> FaultError:
    """The connector is there, the service is not."""
    return FaultError(
        502, 502, "Bad gateway", f"The connector {connector} can't reach the service {service}: {reason}."
    )


def broken_off(connector: str) -> FaultError:
    """The connector died, and what it had been sent is not here any more to be sent to another."""
    return FaultError(502, 502, "Bad gateway", f"The connector {connector} went away in the middle of the request.")


def too_large(limit: int) -> FaultError:
    """Cloudflare's limit on the smaller plans."""
    return FaultError(413, 413, "Too large", f"A request may carry at most {limit // 1_000_000} MB through the edge.")
