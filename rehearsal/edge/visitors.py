"""Visitors: one request from its Host header to an answer, or to a page that says which part is missing."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import replace
from http.cookies import SimpleCookie
from ipaddress import ip_address
from typing import TYPE_CHECKING

from aiohttp import hdrs, web
from yarl import URL

from rehearsal.edge import faults
from rehearsal.edge.balancing import COOKIE, Balancing
from rehearsal.edge.body import Body
from rehearsal.edge.forward import SERVICE_HEADER, GoneError, Order, end_to_end
from rehearsal.edge.monitors import PROBE_HEADER
from rehearsal.edge.routing import (
    LOCAL,
    find_balancer,
    find_route,
    local_name,
    public_name,
    route_through,
    tunnel_id_of_address,
)
from rehearsal.edge.status import index, status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from multidict import CIMultiDict

    from rehearsal.edge.cloud import CloudFile
    from rehearsal.edge.monitors import Monitors
    from rehearsal.edge.routing import Route
    from rehearsal.edge.switchboard import Switchboard

STATUS_PATH = "/.edge/status"
_OWN_NAMES = ("", "localhost", f"edge{LOCAL}")
_OWN_HEADERS = ("x-rehearsal-", "cf-")


class Visitors:
    """Answers visitors.

    Args:
        cloud_file: The simulated cloud.
        switchboard: The connectors.
        monitors: The health checks of load balancers' pools.
    """

    def __init__(self, cloud_file: CloudFile, switchboard: Switchboard, monitors: Monitors) -> None:
        self._cloud_file = cloud_file
        self._switchboard = switchboard
        self._monitors = monitors
        self._balancing = Balancing(monitors)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answers one request."""
        zones = tuple(self._cloud_file.read().cloudflare.zones.values())
        hostname = public_name(request.host, zones)
        if _is_edge_itself(hostname):
            return self._own_answer(request)
        try:
            return await self._answer(request, hostname, zones)
        except faults.FaultError as fault:
            return fault.page(hostname)

    def _own_answer(self, request: web.BaseRequest) -> web.Response:
        facts = status(self._cloud_file.read(), self._switchboard, self._monitors, _port(request))
        if request.path == STATUS_PATH:
            return web.json_response(facts)
        if request.path == "/":
            return web.Response(text=index(facts), content_type="text/html")
        return web.Response(status=404, text=f"The edge itself has only / and {STATUS_PATH}.\n")

    async def _answer(self, request: web.BaseRequest, hostname: str, zones: Iterable[str]) -> web.StreamResponse:
        route = self._route(request, hostname)
        candidates = self._switchboard.candidates(route.tunnel_id)
        if candidates and route.own_status is not None:
            raise faults.by_rule(route.own_status, route.tunnel.name, hostname)
        ray = f"{secrets.token_hex(8)}-KITE"
        body = await Body.of(request)
        order = Order(
            service=route.rule.service,
            headers=_request_headers(request, route, ray),
            body=body,
            finish=_finisher(request, zones, ray, route.cookie),
        )
        for connector in candidates:
            try:
                return await connector.answer(request, order)
            except GoneError:
                if not body.repeatable:
                    raise faults.broken_off(connector.name) from None
        raise faults.no_connector(route.tunnel.name, route.pool)

    def _route(self, request: web.BaseRequest, hostname: str) -> Route:
        """A check goes where its monitor says, a visitor by the load balancer, else by the DNS record."""
        cloud = self._cloud_file.read()
        key, _, address = request.headers.get(PROBE_HEADER, "").partition(" ")
        if hmac.compare_digest(key.encode(), self._monitors.key.encode()):
            tunnel_id = tunnel_id_of_address(address)
            if tunnel_id is None:
                raise faults.origin_unreachable(hostname, "of a check", address)
            return route_through(cloud, tunnel_id, hostname, request.path)
        balancer = find_balancer(cloud, hostname)
        if balancer is None:
            return find_route(cloud, hostname, request.path)
        visitor = request.remote or ""
        choice = self._balancing.choose(cloud.cloudflare, balancer, visitor, _cookies(request))
        route = route_through(cloud, choice.tunnel_id, choice.hostname, request.path)
        return replace(route, pool=choice.pool, cookie=choice.cookie)


def _cookies(request: web.BaseRequest) -> dict[str, str]:
    return {name: morsel.value for name, morsel in SimpleCookie(request.headers.get(hdrs.COOKIE, "")).items()}


def _port(request: web.BaseRequest) -> int:
    """The visitors' port, whatever the Host header says."""
    port: int = request.get_extra_info("sockname")[1]
    return port


def _is_edge_itself(hostname: str) -> bool:
    if hostname in _OWN_NAMES:
        return True
    try:
        ip_address(hostname.strip("[]"))
    except ValueError:
        return False
    return True


def _request_headers(request: web.BaseRequest, route: Route, ray: str) -> CIMultiDict[str]:
    """The visitor's headers as Cloudflare passes them on; what only the edge may say is not taken from the visitor."""
    headers = end_to_end(request.headers)
    for key in {key for key in headers if key.lower().startswith(_OWN_HEADERS)} | {hdrs.EXPECT}:
        headers.popall(key, None)
    visitor = request.remote or ""
    forwarded = headers.get(hdrs.X_FORWARDED_FOR)
    headers[hdrs.HOST] = route.rule.origin_request.http_host_header or route.hostname
    headers[hdrs.X_FORWARDED_FOR] = f"{forwarded}, {visitor}" if forwarded else visitor
    headers[hdrs.X_FORWARDED_PROTO] = "https"
    headers["Cf-Connecting-Ip"] = visitor
    headers["Cf-Ray"] = ray
    headers[SERVICE_HEADER] = route.rule.service
    return headers


def _finisher(
    request: web.BaseRequest, zones: Iterable[str], ray: str, cookie: str
) -> Callable[[CIMultiDict[str]], None]:
    """Marks an answer, and keeps a visitor who came by a .localhost name on such names when a site redirects."""
    came_locally = URL.build(scheme="http", authority=request.host)

    def finish(headers: CIMultiDict[str]) -> None:
        headers["Cf-Ray"] = ray
        if cookie:
            headers.add(hdrs.SET_COOKIE, f"{COOKIE}={cookie}; Path=/; HttpOnly")
        target = URL(headers.get(hdrs.LOCATION, ""))
        if (came_locally.host or "").endswith(LOCAL) and target.host:
            local = local_name(target.host, zones)
            if local != target.host:
                headers[hdrs.LOCATION] = str(target.with_scheme("http").with_host(local).with_port(came_locally.port))

    return finish
