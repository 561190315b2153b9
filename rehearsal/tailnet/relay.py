"""Relay: carries connections from one rehearsed host's containers to another host's ports, where the policy lets them.

Each host has an address of its own at which containers reach it. The relay listens there on every port that answers at
the host's private address, and knows who asks by the container network that the connection comes from. Whom the policy
does not let through is cut off at once, and what stands behind never hears of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
from typing import TYPE_CHECKING

from rehearsal.tailnet.sockets import listening

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from rehearsal.tailnet.gate import Gate

_log = logging.getLogger(__name__)
_LOOK_EVERY = 0.25
"""Seconds between two looks at what listens."""
_BLOCK = 65536

Door = tuple[str, int]


class Relay:
    """The doors of all rehearsed hosts.

    Args:
        gate: Whom the policy lets through.
        networks: Asked for the host of each container network, by its range, whenever an unknown address comes.
    """

    def __init__(self, gate: Gate, networks: Callable[[], Mapping[str, str]]) -> None:
        self._gate = gate
        self._networks = networks
        self._ranges: Mapping[str, str] = {}
        self._doors: dict[Door, asyncio.Server] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Opens and closes doors as ports come and go, until told to stop."""
        while not stop.is_set():
            await self.look()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_EVERY)
        for server in self._doors.values():
            server.close()

    async def look(self) -> None:
        """Brings the doors in line with what listens."""
        wanted = self._wanted()
        for door in self._doors.keys() - wanted.keys():
            self._doors.pop(door).close()
        for door in wanted.keys() - self._doors.keys():
            host = wanted[door]
            with contextlib.suppress(OSError):  # the address goes with its network; the next look shows it
                self._doors[door] = await asyncio.start_server(self._answer(host, door[1]), *door)

    def _wanted(self) -> dict[Door, str]:
        places = self._gate.hosts().items()
        hosts = {each["address"]: (name, each["reached-at"]) for name, each in places if "reached-at" in each}
        return {(hosts[address][1], port): hosts[address][0] for address, port in listening() if address in hosts}

    def _answer(self, host: str, port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._carry(host, port, reader, writer)

        return answer

    async def _carry(self, host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        source = await self._host_of(writer.get_extra_info("peername")[0])
        if not self._gate.lets(source, host, port):
            _log.info("refused: %s -> %s:%s", source or "unknown", host, port)
            writer.transport.abort()
            return
        try:
            inner_reader, inner_writer = await asyncio.open_connection(self._gate.hosts()[host]["address"], port)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        for each in (inner_writer, writer):
            each.close()

    async def _host_of(self, address: str) -> str:
        """The host from whose containers an address is; empty if it is from none."""
        if not _known(address, self._ranges):
            self._ranges = await asyncio.to_thread(self._networks)
        return _known(address, self._ranges)


def _known(address: str, ranges: Mapping[str, str]) -> str:
    asking = ipaddress.ip_address(address)
    return next((host for network, host in ranges.items() if asking in ipaddress.ip_network(network)), "")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes on what comes until it ends, and its end too."""
    with contextlib.suppress(OSError):
        while block := await reader.read(_BLOCK):
            writer.write(block)
            await writer.drain()
        writer.write_eof()
