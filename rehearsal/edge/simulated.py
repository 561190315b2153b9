"""Simulated containers: where there is no Docker daemon, the edge answers for those that only `cloud.json` has."""

from __future__ import annotations

import base64
import mimetypes
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from aiohttp import hdrs, web

from rehearsal.edge import faults
from rehearsal.edge.forward import CONNECTOR_HEADER
from rehearsal.edge.simulated_proxy import addresses
from rehearsal.edge.token import Token, TokenError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rehearsal.edge.cloud import Cloud
    from rehearsal.edge.forward import Order

SIMULATED_HEADER = "X-Rehearsal-Simulated"
_SITE_ROOT = PurePosixPath("/srv")
_PROXY_CONFIG = PurePosixPath("/etc/caddy/site-proxy.json")
_CONNECTIONS = 4


class Container:
    """A container as the Docker provider was given it.

    Args:
        properties: The provider's properties, under the provider's names.
    """

    def __init__(self, properties: Mapping[str, Any]) -> None:
        labels = {label["label"]: label["value"] for label in properties.get("labels") or ()}
        networks = properties.get("networksAdvanced") or ()
        self.name: str = properties.get("hostname") or properties.get("name") or "without-a-name"
        self.host: str = labels.get("kitestacks.host", "")
        self.service: str = labels.get("kitestacks.service", self.name)
        self.networks = frozenset(network["name"] for network in networks)
        self.names = {self.name, properties.get("name")} | {
            alias for network in networks for alias in network.get("aliases") or ()
        }
        self.files = {PurePosixPath(upload["file"]): _content(upload) for upload in properties.get("uploads") or ()}
        self.ports = {(port["ip"], port["external"]): port["internal"] for port in properties.get("ports") or ()}
        self.env = dict(entry.split("=", 1) for entry in properties.get("envs") or () if "=" in entry)

    @property
    def token(self) -> Token | None:
        """The tunnel token that it was given as a file, if it is a connector."""
        file = self.files.get(PurePosixPath(self.env.get("TUNNEL_TOKEN_FILE", "")))
        try:
            return Token.read(file.decode()) if file else None
        except (TokenError, UnicodeDecodeError):
            return None

    def page(self, path: str) -> web.Response:
        """Its answer: the file of its site, or a word on who would answer here."""
        if not any(file.is_relative_to(_SITE_ROOT) for file in self.files):
            return web.Response(text=f"service {self.service} on host {self.host}\n")
        asked = _SITE_ROOT / unquote(path).lstrip("/")
        file = asked / "index.html" if path.endswith("/") else asked
        if file not in self.files:
            return web.Response(status=404, text="no such file\n")
        kind, _ = mimetypes.guess_type(file.name)
        return web.Response(body=self.files[file], headers={"Content-Type": kind or "application/octet-stream"})


class SimulatedConnector:
    """A connector that exists on paper alone, and passes requests to containers of its host that do likewise."""

    def __init__(self, container: Container, token: Token, containers: list[Container]) -> None:
        self.name = container.name
        self.tunnel_id = token.tunnel_id
        self.since = datetime.now(UTC)
        self.requests = 0
        self.connections = self.idle = _CONNECTIONS
        self._container = container
        self._containers = containers

    async def answer(self, request: web.BaseRequest, order: Order) -> web.StreamResponse:
        """Answers as the container that the service address names.

        Raises:
            FaultError: no container of the host, on a network of the connector, has that name.
        """
        self.requests += 1
        service = urlsplit(order.service)
        target = self._beside(self._container, service.hostname)
        if target is None:
            reason = f"no container on its networks is called {service.hostname}"
            raise faults.unreachable(order.service, self.name, reason)
        copy = self._behind(target, service.port or 80, order.headers)
        response = copy.page(request.rel_url.raw_path) if copy else web.Response(status=404)
        response.headers[CONNECTOR_HEADER] = self.name
        response.headers[SIMULATED_HEADER] = "yes"
        order.finish(response.headers)
        await response.prepare(request)
        await response.write_eof()
        return response

    def _behind(self, target: Container, port: int, headers: Mapping[str, str]) -> Container | None:
        """The container itself, or the copy that it would send the request to, were it a site proxy."""
        config = target.files.get(_PROXY_CONFIG)
        if config is None:
            return target
        for address in addresses(config, port, headers.get(hdrs.HOST, ""), headers):
            host, _, asked = address.rpartition(":")
            door = (host, int(asked))
            remote = next((each for each in self._containers if door in each.ports), None)
            found = self._beside(target, host) or (remote and self._behind(remote, remote.ports[door], headers))
            if found:
                return found
        return None

    def _beside(self, container: Container, name: str | None) -> Container | None:
        """The container that another finds under a name: on its host, on one of its networks."""
        for each in self._containers:
            if each.host == container.host and name in each.names and container.networks & each.networks:
                return each
        return None


def simulated_connectors(cloud: Cloud) -> Iterator[SimulatedConnector]:
    """The connectors among the simulated containers; one whose token the cloud refuses is none."""
    containers = [Container(properties) for properties in cloud.docker.containers.values()]
    for container in containers:
        token = container.token
        if token is None:
            continue
        try:
            token.check(cloud)
        except TokenError:
            continue
        yield SimulatedConnector(container, token, containers)


def _content(upload: Mapping[str, Any]) -> bytes:
    encoded = upload.get("contentBase64")
    return base64.b64decode(encoded) if encoded else (upload.get("content") or "").encode()
