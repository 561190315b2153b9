"""Switchboard: which connectors there are, who may join, and who is asked first."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from typing import TYPE_CHECKING

from rehearsal.edge.connector import DialledConnector
from rehearsal.edge.simulated import simulated_connectors
from rehearsal.edge.token import Token, TokenError

if TYPE_CHECKING:
    from rehearsal.edge.cloud import Cloud, CloudFile
    from rehearsal.edge.connector import Connector

_log = logging.getLogger(__name__)
_HELLO_LIMIT = 16 * 1024
_HELLO_WAIT = 5.0


class Switchboard:
    """All connectors of all tunnels, dialled and simulated.

    Args:
        cloud_file: The simulated cloud, against which tokens are held.
        nearest: Connectors with this in their name are asked first; without it they take turns.
    """

    def __init__(self, cloud_file: CloudFile, nearest: str | None) -> None:
        self._cloud_file = cloud_file
        self._nearest = nearest
        self._dialled: dict[tuple[str, str], DialledConnector] = {}
        self._simulated: list[Connector] = []
        self._simulated_of: Cloud | None = None
        self._turns: Counter[str] = Counter()
        self._last_refusal = ""
        self._closed = False
        self._endings: set[asyncio.Task[None]] = set()

    def all(self) -> list[Connector]:
        """Every connector, by name."""
        cloud = self._cloud_file.read()
        if cloud is not self._simulated_of:
            self._simulated_of, self._simulated = cloud, list(simulated_connectors(cloud))
        return sorted([*self._dialled.values(), *self._simulated], key=lambda connector: connector.name)

    def candidates(self, tunnel_id: str) -> list[Connector]:
        """The connectors of a tunnel in the order in which they are to be tried."""
        found = [connector for connector in self.all() if connector.tunnel_id == tunnel_id]
        if found:
            turn = self._turns[tunnel_id] % len(found)
            self._turns[tunnel_id] += 1
            found = found[turn:] + found[:turn]
        nearest = self._nearest
        return sorted(found, key=lambda connector: nearest not in connector.name) if nearest else found

    def connections(self) -> dict[str, int]:
        """Open connections per tunnel of the cloud."""
        counts = dict.fromkeys(self._cloud_file.read().cloudflare.tunnels, 0)
        for connector in self.all():
            counts[connector.tunnel_id] = counts.get(connector.tunnel_id, 0) + connector.connections
        return counts

    def admit(self, hello: bytes, transport: asyncio.Transport) -> None:
        """Lets a connection in, or turns it away in words."""
        if self._closed:
            transport.abort()
            return
        try:
            greeting = json.loads(hello)
            token = Token.read(str(greeting["token"]))
            name = str(greeting["connector"])
            token.check(self._cloud_file.read())
        except (TokenError, ValueError, KeyError, TypeError) as error:
            reason = (
                str(error) if isinstance(error, TokenError) else "the greeting is not JSON with token and connector"
            )
            if reason != self._last_refusal:
                self._last_refusal = reason
                _log.warning("a connector was refused: %s", reason)
            transport.write(json.dumps({"error": reason}).encode() + b"\n")
            transport.close()
            return
        key = (token.tunnel_id, name)
        connector = self._dialled.get(key)
        if connector is None:
            connector = self._dialled[key] = DialledConnector(name, token, self._gone)
            _log.info("connector %s joined tunnel %s", name, token.tunnel_id)
        transport.write(b'{"ok": true}\n')
        connector.add(transport)

    def drop_refused(self) -> None:
        """Cuts off connectors whose tunnel was deleted or whose secret was changed since they came."""
        cloud = self._cloud_file.read()
        for connector in tuple(self._dialled.values()):
            try:
                connector.token.check(cloud)
            except TokenError as error:
                _log.warning("connector %s is cut off: %s", connector.name, error)
                connector.drop()

    async def close(self) -> None:
        """Cuts off everyone, and lets nobody in again."""
        self._closed = True
        for connector in tuple(self._dialled.values()):
            self._gone(connector)
        await asyncio.gather(*self._endings)

    def _gone(self, connector: DialledConnector) -> None:
        if self._dialled.pop((connector.tunnel_id, connector.name), None) is None:
            return
        _log.info("connector %s left tunnel %s", connector.name, connector.tunnel_id)
        ending = asyncio.get_running_loop().create_task(connector.close())
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)


class Handshake(asyncio.Protocol):
    """The first line on a connection that was dialled in; afterwards the connection is an HTTP client's."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard
        self._received = b""
        self._transport: asyncio.Transport
        self._limit: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Starts the clock: who says nothing is not kept."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what asyncio gives to a stream's protocol
        self._transport = transport
        self._limit = asyncio.get_running_loop().call_later(_HELLO_WAIT, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Gathers the line, and hands the connection over."""
        self._received += data
        line, newline, _ = self._received.partition(b"\n")
        if newline:
            self._limit.cancel()
            self._switchboard.admit(line, self._transport)
        elif len(self._received) > _HELLO_LIMIT:
            self._transport.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        """Stops the clock."""
        self._limit.cancel()
