"""Server: the edge's two doors, one for visitors and one for connectors, and the files that tell others of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
from typing import TYPE_CHECKING

from aiohttp import web

from rehearsal.cloud.store import write_private
from rehearsal.edge.cloud import CloudFile
from rehearsal.edge.connector import MAX_HEADER
from rehearsal.edge.monitors import Monitors
from rehearsal.edge.switchboard import Handshake, Switchboard
from rehearsal.edge.visitors import Visitors

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

_log = logging.getLogger(__name__)
_LOOK_EVERY = 0.25


class EdgeError(Exception):
    """The edge can't start; the message says why, and what to do."""


async def serve(state: Path, listen: Sequence[tuple[str, int]], connect: tuple[str, int], nearest: str | None) -> None:
    """Runs the edge until SIGTERM or SIGINT.

    Writes `edge.json` (its addresses and process id) once it answers, and keeps `edge.connections.json` (open
    connections per tunnel) up to date; both go when it ends.

    Args:
        state: Folder with `cloud.json`.
        listen: Addresses and ports for visitors, the first one on the loopback address; port 0 takes a free one.
        connect: The same for connectors.
        nearest: Part of the name of the connectors to ask first.

    Raises:
        EdgeError: an address can't be had.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    cloud_file = CloudFile(state / "cloud.json")
    switchboard = Switchboard(cloud_file, nearest)
    monitors = Monitors(cloud_file, secrets.token_hex(16))
    visitors = Visitors(cloud_file, switchboard, monitors)
    counts_file = state / "edge.connections.json"
    async with _visitor_door(visitors, listen) as visitor_door, _connector_door(switchboard, connect) as connector_door:
        facts_file = state / "edge.json"
        write_private(counts_file, switchboard.connections())
        write_private(facts_file, {"visitors": visitor_door, "connectors": connector_door, "pid": os.getpid()})
        _log.info("visitors at http://%s, connectors at %s", visitor_door, connector_door)
        monitors.start(int(visitor_door.rpartition(":")[2]))
        try:
            await _keep_up(switchboard, monitors, counts_file, stop)
        finally:
            await monitors.close()
            facts_file.unlink(missing_ok=True)
            counts_file.unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def _visitor_door(visitors: Visitors, addresses: Sequence[tuple[str, int]]) -> AsyncIterator[str]:
    server = web.Server(visitors.handle, access_log=None, max_line_size=MAX_HEADER, max_field_size=MAX_HEADER)
    runner = web.ServerRunner(server, shutdown_timeout=1.0)
    await runner.setup()
    try:
        for address in addresses:
            with _explained(address):
                await web.TCPSite(runner, *address).start()
        yield _text(runner.addresses[0])
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def _connector_door(switchboard: Switchboard, address: tuple[str, int]) -> AsyncIterator[str]:
    with _explained(address):
        server = await asyncio.get_running_loop().create_server(lambda: Handshake(switchboard), *address)
    try:
        yield _text(server.sockets[0].getsockname())
    finally:
        server.close()
        await switchboard.close()


@contextlib.contextmanager
def _explained(address: tuple[str, int]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EdgeError(
            f"the edge can't listen on {_text(address)}: {error.strerror}; "
            "end what listens there (an older rehearsal?) or choose another address"
        ) from error


def _text(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"


async def _keep_up(switchboard: Switchboard, monitors: Monitors, file: Path, stop: asyncio.Event) -> None:
    """Watches the cloud and the connectors, without work where nothing changes, until told to stop."""
    written: dict[str, int] | None = None
    while not stop.is_set():
        switchboard.drop_refused()
        monitors.keep_up()
        counts = switchboard.connections()
        if counts != written:
            write_private(file, counts)
            written = counts
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _LOOK_EVERY)
