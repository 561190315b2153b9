"""Connector: one `cloudflared` that dialled in; the edge is the HTTP client on the connections that it opened."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import aiohttp
from aiohttp.client_proto import ResponseHandler

from rehearsal.edge.forward import Forwarder, GoneError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web

    from rehearsal.edge.forward import Order
    from rehearsal.edge.token import Token

PING_HEADER = "X-Rehearsal-Ping"
_PING_EVERY = 0.5
_PING_LIMIT = 2.0
"""Seconds without an answer after which a connector that still holds its connections counts as dead."""
_IDLE_LIMIT = 2.0
"""Seconds to wait for an idle connection when all are busy; the connector dials more meanwhile."""
MAX_HEADER = 64 * 1024


class Connector(Protocol):
    """Who can answer for a tunnel."""

    name: str
    tunnel_id: str
    since: datetime
    requests: int

    @property
    def connections(self) -> int:
        """How many it holds to the edge."""

    @property
    def idle(self) -> int:
        """How many of them could take a request now."""

    async def answer(self, request: web.BaseRequest, order: Order) -> web.StreamResponse:
        """Serves a request.

        Raises:
            GoneError: it went away before the answer began.
        """


class _ReversedPool(aiohttp.BaseConnector):
    """A client's pool that never dials: its connections are those that the other side dialled.

    Each serves one request: the other side keeps some in reserve, and a request that waits gets the next that comes.
    """

    def __init__(self) -> None:
        super().__init__(limit=0, force_close=True)
        self._fresh: deque[ResponseHandler] = deque()
        self._changed = asyncio.Event()
        self._over = False

    def add(self, connection: ResponseHandler) -> None:
        """A connection that no request has used yet."""
        self._fresh.append(connection)
        self._changed.set()

    def end(self) -> None:
        """No more will come: who waits for one is told at once."""
        self._over = True
        self._changed.set()

    async def _create_connection(self, req: object, traces: object, timeout: object) -> ResponseHandler:  # noqa: ARG002, ASYNC109 - the overridden method's
        while not self._over:
            while self._fresh:
                connection = self._fresh.popleft()
                if connection.is_connected():
                    return connection
            self._changed.clear()
            await self._changed.wait()
        raise GoneError


class DialledConnector:
    """A connector that is reached over the connections that it opened.

    Attributes:
        name: The hostname of its container.
        tunnel_id: The tunnel that it serves.
        since: When its first connection came.
        requests: How many it was given.
        token: What it showed.
    """

    def __init__(self, name: str, token: Token, on_gone: Callable[[DialledConnector], None]) -> None:
        self.name = name
        self.token = token
        self.tunnel_id = token.tunnel_id
        self.since = datetime.now(UTC)
        self.requests = 0
        self._open: set[ResponseHandler] = set()
        self._busy = 0
        self._heard = 0.0
        self._on_gone = on_gone
        self._pool = _ReversedPool()
        self._session = aiohttp.ClientSession(
            connector=self._pool,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=_IDLE_LIMIT),
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
        )
        self._forwarder = Forwarder(self._session, name)
        self._watch = asyncio.create_task(self._ping_for_ever())

    @property
    def connections(self) -> int:
        """Open connections, idle or busy."""
        return len(self._open)

    @property
    def idle(self) -> int:
        """Connections that could take a request now."""
        return max(len(self._open) - self._busy, 0)

    def add(self, transport: asyncio.Transport) -> None:
        """Takes over a connection whose handshake is done."""
        connection = ResponseHandler(loop=asyncio.get_running_loop())
        transport.set_protocol(connection)
        connection.connection_made(transport)
        closed = connection.closed
        assert closed is not None  # noqa: S101 - only a connection that was lost before has no future of its end
        closed.add_done_callback(lambda end: self._lost(connection, end))
        self._open.add(connection)
        self._pool.add(connection)
        self._hear()

    async def answer(self, request: web.BaseRequest, order: Order) -> web.StreamResponse:
        """Passes a request on and streams the answer back.

        Raises:
            GoneError: the connector went away before the answer began.
        """
        self.requests += 1
        self._busy += 1
        try:
            answer = await self._forwarder.forward(request, order)
        finally:
            self._busy -= 1
        self._hear()
        return answer

    def drop(self) -> None:
        """Cuts all connections; requests that wait for an answer fail at once and go to the next connector."""
        for connection in tuple(self._open):
            connection.abort()

    async def close(self) -> None:
        """Ends it for good."""
        self._watch.cancel()
        self.drop()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watch
        await self._session.close()

    def _lost(self, connection: ResponseHandler, end: asyncio.Future[None]) -> None:
        if not end.cancelled():
            end.exception()  # why it ended is told by the request on it, if there was one
        self._open.discard(connection)
        if not self._open:
            self._pool.end()
            self._on_gone(self)

    def _hear(self) -> None:
        """Whatever it does shows that it lives."""
        self._heard = asyncio.get_running_loop().time()

    async def _ping_for_ever(self) -> None:
        """A container that is paused or was cut off keeps its connections: only silence gives it away.

        A rush of visitors does not: a ping may wait behind them, while they are answered.
        """
        while True:
            await asyncio.sleep(_PING_EVERY)
            asked = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(_PING_LIMIT):
                    await self._ping()
            except (aiohttp.ClientError, TimeoutError):
                if self._heard < asked:
                    self.drop()

    async def _ping(self) -> None:
        async with self._session.get("http://connector/", headers={PING_HEADER: "1"}) as answer:
            if answer.status != 204:  # noqa: PLR2004 - No Content
                raise GoneError(self.name)
