"""Forward: a visitor's request over a connector's connection and the answer back, both streamed; websockets too."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import WSMsgType, hdrs, web
from multidict import CIMultiDict
from yarl import URL

from rehearsal.edge import faults
from rehearsal.edge.body import LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from multidict import CIMultiDictProxy

    from rehearsal.edge.body import Body

SERVICE_HEADER = "X-Rehearsal-Service"
CONNECTOR_HEADER = "X-Rehearsal-Connector"
_UNREACHABLE_HEADER = "X-Rehearsal-Unreachable"
_HOP_BY_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    }
)


class GoneError(aiohttp.ClientError):
    """A connector went away before it answered."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a connector is asked to do with a request.

    Attributes:
        service: The address that the ingress rule names.
        headers: The visitor's, with the edge's own; among them the service.
        body: What the visitor sent.
        finish: Puts the edge's marks on the answer's headers.
    """

    service: str
    headers: CIMultiDict[str]
    body: Body
    finish: Callable[[CIMultiDict[str]], None]


def end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """The headers that are meant for the far end, not for the next hop (RFC 9110, section 7.6.1)."""
    named = {name.strip().lower() for value in headers.getall(hdrs.CONNECTION, ()) for name in value.split(",")}
    return CIMultiDict((key, value) for key, value in headers.items() if key.lower() not in _HOP_BY_HOP | named)


class Forwarder:
    """Serves requests over one connector's connections.

    Args:
        session: The HTTP client whose pool they are.
        name: The connector's name.
    """

    def __init__(self, session: aiohttp.ClientSession, name: str) -> None:
        self._session = session
        self._name = name

    async def forward(self, request: web.BaseRequest, order: Order) -> web.StreamResponse:
        """Passes a request on and streams the answer back.

        Raises:
            GoneError: the connector went away before the answer began.
            FaultError: the connector can't reach the service, or the body is too large.
        """
        url = URL(f"http://connector{request.rel_url.raw_path_qs}", encoded=True)
        websocket = request.headers.get(hdrs.UPGRADE, "").lower() == "websocket"
        try:
            return await (self._websocket if websocket else self._exchange)(request, order, url)
        except (aiohttp.ClientError, TimeoutError) as error:
            if order.body.too_large:
                raise faults.too_large(LIMIT) from error
            raise GoneError(self._name) from error

    async def _exchange(self, request: web.BaseRequest, order: Order, url: URL) -> web.StreamResponse:
        async with self._session.request(
            request.method, url, headers=order.headers, data=order.body.payload(), allow_redirects=False
        ) as answer:
            self._check_reached(answer.headers, order)
            response = web.StreamResponse(
                status=answer.status, reason=answer.reason, headers=end_to_end(answer.headers)
            )
            self._mark(response, order)
            try:
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
            except (aiohttp.ClientError, ConnectionError):
                # The visitor left, or half an answer came: it must not look like a whole one.
                if request.transport is not None:
                    request.transport.abort()
            return response

    async def _websocket(self, request: web.BaseRequest, order: Order, url: URL) -> web.StreamResponse:
        headers = order.headers.copy()
        offered = headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",")
        for key in {key for key in headers if key.lower().startswith("sec-websocket-")}:
            headers.popall(key)  # the client says its own: it is another connection
        try:
            origin = await self._session.ws_connect(
                url,
                headers=headers,
                protocols=[word.strip() for word in offered if word.strip()],
                autoclose=False,
                max_msg_size=0,
            )
        except aiohttp.WSServerHandshakeError as error:
            self._check_reached(error.headers or {}, order)
            response = web.StreamResponse(status=error.status)
            self._mark(response, order)
            await response.prepare(request)
            return response
        protocols = [origin.protocol] if origin.protocol else []
        visitor = web.WebSocketResponse(protocols=protocols, autoclose=False, max_msg_size=0)
        self._mark(visitor, order)
        async with origin:
            with contextlib.suppress(ConnectionError):  # the visitor left
                await visitor.prepare(request)
                await asyncio.gather(_pump(visitor, origin), _pump(origin, visitor))
        return visitor

    def _mark(self, response: web.StreamResponse, order: Order) -> None:
        response.headers[CONNECTOR_HEADER] = self._name
        order.finish(response.headers)

    def _check_reached(self, headers: Mapping[str, str], order: Order) -> None:
        reason = headers.get(_UNREACHABLE_HEADER)
        if reason is not None:
            raise faults.unreachable(order.service, self._name, reason)


_End = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


async def _pump(source: _End, target: _End) -> None:
    """Passes messages on until one side ends; the other is told in the same words."""
    try:
        async for message in source:
            if message.type is WSMsgType.TEXT:
                await target.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await target.send_bytes(message.data)
    except ConnectionError:
        pass
    unsayable = (None, 1005, 1006, 1015)  # RFC 6455, section 7.4.1: never sent
    code = source.close_code
    await target.close(code=1001 if code is None or code in unsayable else code)
