"""The rehearsed private network on loopback addresses: who is let through, who is cut off, what is seen listening."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.cloud.store import DEVICES
from rehearsal.tailnet.gate import Gate
from rehearsal.tailnet.relay import Relay
from rehearsal.tailnet.sockets import listening

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

MONK, KSCLOUD1, ATTIC = "127.41.0.1", "127.41.0.2", "127.41.0.3"
DOORS = {"monk": "127.42.0.1", "kscloud1": "127.42.0.2", "attic": "127.42.0.3"}
HOSTS = {"monk": MONK, "kscloud1": KSCLOUD1, "attic": ATTIC}
RANGES = {f"{address}/32": host for host, address in HOSTS.items()}
"""In the place of container networks: here each host asks from its own loopback address."""


def write(state: Path, *grants: tuple[str, str, int], policy: bool = True) -> None:
    document = {
        "tagOwners": {f"tag:{host}": ["autogroup:admin"] for host in HOSTS},
        "grants": [{"src": [f"tag:{a}"], "dst": [f"tag:{b}"], "ip": [f"tcp:{port}"]} for a, b, port in grants],
    }
    text = f"// the house\n{json.dumps(document)}" if policy else None
    (state / "cloud.json").write_text(json.dumps({"tailscale": {"policy": text}}))
    devices = {host: {"address": address, "reached-at": DOORS[host]} for host, address in HOSTS.items()}
    (state / DEVICES).write_text(json.dumps(devices))


class Answering:
    """A program that answers on a host's private address, and counts who came."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.port = 0
        self.came = 0
        self._server: asyncio.Server

    async def open(self) -> Answering:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.came += 1
            writer.write(b"said: " + await reader.read())
            writer.close()

        self._server = await asyncio.start_server(answer, self.address, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def close(self) -> None:
        self._server.close()


@asynccontextmanager
async def relayed(state: Path, *answering: Answering) -> AsyncIterator[Relay]:
    relay, stop = Relay(Gate(state), lambda: RANGES), asyncio.Event()
    for each in answering:
        await each.open()
    await relay.look()
    task = asyncio.create_task(relay.run(stop))
    try:
        yield relay
    finally:
        stop.set()
        await task
        for each in answering:
            each.close()


async def ask(source: str, destination: str, port: int) -> bytes:
    """What a program on a host gets to hear from another host's door; nothing where it is cut off."""
    try:
        local = (HOSTS.get(source, source), 0)
        reader, writer = await asyncio.open_connection(DOORS[destination], port, local_addr=local)
        writer.write(b"hello")
        writer.write_eof()
        heard = await reader.read()
        writer.close()
    except ConnectionError:
        return b""
    return heard


def run(test: Any) -> None:  # noqa: ANN401 - a coroutine
    asyncio.run(asyncio.wait_for(test, 20))


def test_a_granted_port_is_carried_in_both_directions(tmp_path: Path) -> None:
    async def test() -> None:
        database = Answering(KSCLOUD1)
        async with relayed(tmp_path, database):
            write(tmp_path, ("monk", "kscloud1", database.port))
            await _until(lambda: ask("monk", "kscloud1", database.port), b"said: hello")

    write(tmp_path)
    run(test())


def test_everybody_else_is_cut_off_and_the_program_behind_never_hears_of_it(tmp_path: Path) -> None:
    async def test() -> None:
        database, shell = Answering(KSCLOUD1), Answering(KSCLOUD1)
        home = Answering(MONK)
        async with relayed(tmp_path, database, shell, home):
            write(tmp_path, ("monk", "kscloud1", database.port))
            await _until(lambda: ask("monk", "kscloud1", database.port), b"said: hello")
            assert await ask("attic", "kscloud1", database.port) == b""
            assert await ask("monk", "kscloud1", shell.port) == b""
            assert await ask("kscloud1", "monk", home.port) == b""
            assert await ask("127.99.0.1", "kscloud1", database.port) == b"", "nobody's network"
            assert (database.came, shell.came, home.came) == (1, 0, 0)

    write(tmp_path)
    run(test())


def test_a_rule_taken_away_closes_the_way(tmp_path: Path) -> None:
    async def test() -> None:
        database = Answering(KSCLOUD1)
        async with relayed(tmp_path, database):
            write(tmp_path, ("monk", "kscloud1", database.port))
            await _until(lambda: ask("monk", "kscloud1", database.port), b"said: hello")
            write(tmp_path)
            await _until(lambda: ask("monk", "kscloud1", database.port), b"")

    write(tmp_path)
    run(test())


def test_without_a_policy_everything_is_let_through_as_on_a_fresh_tailnet(tmp_path: Path) -> None:
    async def test() -> None:
        home = Answering(MONK)
        async with relayed(tmp_path, home):
            assert await ask("kscloud1", "monk", home.port) == b"said: hello"

    write(tmp_path, policy=False)
    run(test())


def test_a_host_reaches_itself_whatever_the_policy_says(tmp_path: Path) -> None:
    async def test() -> None:
        exporter = Answering(MONK)
        async with relayed(tmp_path, exporter):
            assert await ask("monk", "monk", exporter.port) == b"said: hello"

    write(tmp_path)
    run(test())


def test_a_port_that_nobody_answers_has_no_door_and_one_that_is_gone_loses_it(tmp_path: Path) -> None:
    async def test() -> None:
        database = Answering(KSCLOUD1)
        async with relayed(tmp_path, database):
            door = (DOORS["kscloud1"], database.port)
            assert door in listening()
            assert {port for address, port in listening() if address == DOORS["kscloud1"]} == {database.port}
            database.close()
            await _until(lambda: _listens(door), expected=False)

    write(tmp_path)
    run(test())


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "127.43.0.1", "::1"])
def test_a_listening_socket_is_found_whatever_its_address(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as server:
        server.bind((address, 0))
        port = server.getsockname()[1]
        assert (address, port) not in listening(), "bound, and not yet listening"
        server.listen()
        assert (address, port) in listening()
    assert (address, port) not in listening()


async def _listens(door: tuple[str, int]) -> bool:
    return door in listening()


async def _until(ask_again: Any, expected: object) -> None:  # noqa: ANN401 - a function that gives a coroutine
    for _ in range(200):
        if (found := await ask_again()) == expected:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"still {found!r}, not {expected!r}")
