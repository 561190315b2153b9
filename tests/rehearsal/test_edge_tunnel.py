"""The edge and the stand-in connector together: real processes, the real protocol, a service behind them."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from rehearsal.images.program import standin_binary
from tests.ports import free_port
from tests.rehearsal.edge_origin import BLOCK, Origin
from tests.rehearsal.edge_world import MONK, SHARED, WWW, ZONE, World, cloud_of, token_of, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    shutil.which("go") is None, reason="the stand-in connector is built with Go: install it"
)


@pytest.fixture(scope="session")
def program() -> Path:
    return standin_binary()


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with Origin() as running:
        yield running


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory, program: Path, origin: Origin) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("edge"))
    world.write_cloud(cloud_of(f"http://127.0.0.1:{origin.port}"))
    world.start_edge()
    world.start_connector(program, "alpha")
    wait_for(lambda: world.names() == ["alpha"])
    yield world
    world.close()


@pytest.fixture
def one(steady: World, origin: Origin) -> World:
    """An edge with one connector that live on from test to test."""
    origin.forget()
    return steady


@pytest.fixture
def world(tmp_path: Path, origin: Origin) -> Iterator[World]:
    """An edge of this test's own, without connectors."""
    world = World(tmp_path)
    world.write_cloud(cloud_of(f"http://127.0.0.1:{origin.port}"))
    origin.forget()
    world.start_edge()
    yield world
    origin.go_on.set()
    world.close()


@pytest.fixture
def two(world: World, program: Path) -> dict[str, subprocess.Popen[bytes]]:
    started = {name: world.start_connector(program, name) for name in ("alpha", "beta")}
    wait_for(lambda: world.connections().get(SHARED) == 8)
    return started


def longest_gap(world: World, seconds: float) -> tuple[float, list[str | None]]:
    """Asks again and again; the longest time between two good answers, and who gave the last ones."""
    end = time.monotonic() + seconds
    last, longest, answered = time.monotonic(), 0.0, []
    while time.monotonic() < end:
        answer = world.ask(WWW)
        now = time.monotonic()
        assert answer.status == 200, answer.body
        longest, last = max(longest, now - last), now
        answered.append(answer.connector)
    return longest, answered


def test_a_request_reaches_the_service_with_the_headers_that_cloudflare_adds(one: World) -> None:
    spoofed = {"X-Rehearsal-Service": "http://127.0.0.1:1", "Cf-Connecting-Ip": "6.6.6.6", "X-Forwarded-For": "7.7.7.7"}
    answer = one.ask(WWW, "/a%2Fb?x=1;y=%20", headers={**spoofed, "Accept-Encoding": "br"})
    assert answer.status == 200
    assert answer.connector == "alpha"
    assert answer.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert answer.headers["Cf-Ray"]
    seen = json.loads(answer.body)
    assert seen["path"] == "/a%2Fb?x=1;y=%20"
    headers = seen["headers"]
    assert headers["host"] == WWW
    assert headers["cf-connecting-ip"] == "127.0.0.1"
    assert headers["x-forwarded-for"] == "7.7.7.7, 127.0.0.1"
    assert headers["x-forwarded-proto"] == "https"
    assert headers["accept-encoding"] == "br"
    assert not [name for name in headers if name.startswith("x-rehearsal")]
    assert "user-agent" not in headers


def test_the_localhost_name_stands_for_the_public_one(one: World) -> None:
    answer = one.ask("www.kitestacks.localhost:8080")
    assert json.loads(answer.body)["headers"]["host"] == WWW


@pytest.mark.parametrize(
    ("host", "target", "wanted"),
    [
        (
            "www.kitestacks.localhost:8080",
            f"https://auth.{ZONE}/in?next=/",
            "http://auth.kitestacks.localhost:8080/in?next=/",
        ),
        ("www.kitestacks.localhost:8080", "/in", "/in"),
        ("www.kitestacks.localhost:8080", "https://example.org/", "https://example.org/"),
        (WWW, f"https://auth.{ZONE}/in", f"https://auth.{ZONE}/in"),
    ],
)
def test_redirects_stay_in_the_rehearsal(one: World, host: str, target: str, wanted: str) -> None:
    answer = one.ask(host, f"/moved?to={target}")
    assert (answer.status, answer.headers["Location"]) == (302, wanted)


@pytest.mark.usefixtures("two")
def test_both_connectors_take_turns(world: World) -> None:
    assert [world.ask(WWW).connector for _ in range(4)] == ["alpha", "beta"] * 2
    assert world.status()["sites"][WWW]["connectors"] == ["alpha", "beta"]


def test_the_nearest_connector_is_asked_first(tmp_path: Path, program: Path, origin: Origin) -> None:
    world = World(tmp_path)
    try:
        world.write_cloud(cloud_of(f"http://127.0.0.1:{origin.port}"))
        world.start_edge("--nearest", "bet")
        alpha_and_beta = [world.start_connector(program, name) for name in ("alpha", "beta")]
        wait_for(lambda: len(world.names()) == 2)
        assert {world.ask(WWW).connector for _ in range(4)} == {"beta"}
        alpha_and_beta[1].kill()
        assert world.ask(WWW).connector == "alpha"
    finally:
        world.close()


@pytest.mark.parametrize(("method", "size"), [("POST", 0), ("POST", 1000), ("PUT", 3_000_000), ("DELETE", 0)])
def test_bodies_arrive_whole(one: World, method: str, size: int) -> None:
    body = bytes(i % 251 for i in range(1000)) * (size // 1000)
    seen = json.loads(one.ask(WWW, method=method, body=body).body)
    assert (seen["method"], seen["size"], seen["sha256"]) == (method, size, hashlib.sha256(body).hexdigest())


def test_a_large_answer_streams(one: World) -> None:
    answer = one.ask(WWW, "/large?blocks=600")
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(BLOCK * 600).digest()


def test_an_answer_in_pieces_is_passed_on_in_pieces(one: World, origin: Origin) -> None:
    connection = http.client.HTTPConnection(*one.address(), timeout=10)
    connection.request("GET", "/pieces", headers={"Host": WWW})
    response = connection.getresponse()
    assert response.read(5) == b"first"
    origin.go_on.set()
    assert response.read() == b"second"
    connection.close()


def test_half_an_answer_is_not_shown_as_a_whole_one(one: World) -> None:
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        one.ask(WWW, "/broken")
    assert one.ask(WWW).status == 200


def test_more_than_100_mb_is_refused_beforehand(one: World, origin: Origin) -> None:
    with socket.create_connection(one.address(), timeout=10) as visitor:
        visitor.sendall(f"POST / HTTP/1.1\r\nHost: {WWW}\r\nContent-Length: 100000001\r\n\r\n".encode())
        assert visitor.makefile("rb").readline().split()[1] == b"413"
    assert origin.requests == []


def test_more_than_100_mb_in_pieces_is_cut_off(one: World) -> None:
    piece = b"%x\r\n%s\r\n" % (len(BLOCK), BLOCK)
    with socket.create_connection(one.address(), timeout=20) as visitor:
        visitor.sendall(f"POST / HTTP/1.1\r\nHost: {WWW}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        sender = threading.Thread(target=_send_for_ever, args=(visitor, piece))
        sender.start()
        assert visitor.makefile("rb").readline().split()[1] == b"413"
    sender.join(10)
    assert not sender.is_alive()


def _send_for_ever(visitor: socket.socket, piece: bytes) -> None:
    try:
        while True:
            visitor.sendall(piece)
    except OSError:
        pass


def test_websockets_pass_both_ways_and_end_in_the_same_words(one: World) -> None:
    async def talk() -> None:
        host, port = one.address()
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(
                f"http://{host}:{port}/websocket", headers={"Host": WWW}, protocols=["none", "chat"]
            ) as line,
        ):
            assert line.protocol == "chat"
            await line.send_str("hello")
            assert await line.receive_str() == "heard hello"
            await line.send_bytes(b"abc" * 100_000)
            assert await line.receive_bytes() == b"cba" * 100_000
            await line.send_str("bye")
            assert (await line.receive()).type is aiohttp.WSMsgType.CLOSE
            assert line.close_code == 4001

    asyncio.run(asyncio.wait_for(talk(), 20))


@pytest.mark.parametrize(("host", "status"), [(WWW, 403), (f"dead.{ZONE}", 502)])
def test_a_refused_websocket_keeps_its_status(one: World, host: str, status: int) -> None:
    async def talk() -> int:
        address = "http://{}:{}/websocket?refuse=1".format(*one.address())
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(address, headers={"Host": host})
            return refused.value.status

    assert asyncio.run(asyncio.wait_for(talk(), 20)) == status


def test_many_visitors_at_once(one: World) -> None:
    async def all_at_once() -> list[int]:
        address = "http://{}:{}/large?blocks=4".format(*one.address())
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def visit() -> int:
                async with session.get(address, headers={"Host": WWW}) as answer:
                    return len(await answer.read()) if answer.status == 200 else -answer.status

            return await asyncio.gather(*(visit() for _ in range(100)))

    assert set(asyncio.run(asyncio.wait_for(all_at_once(), 30))) == {4 * len(BLOCK)}
    # Afterwards nothing is left of the rush.
    wait_for(lambda: one.connections().get(SHARED) == 4)


def test_a_killed_connector_is_not_missed(world: World, two: dict[str, subprocess.Popen[bytes]]) -> None:
    threading.Timer(0.3, two["alpha"].kill).start()
    gap, answered = longest_gap(world, 1.5)
    assert gap < 1.0
    assert set(answered[-10:]) == {"beta"}
    assert "alpha" in answered
    assert world.names() == ["beta"]
    wait_for(lambda: world.connections().get(SHARED) == 4)


def test_a_silent_connector_is_given_up_and_comes_back(world: World, two: dict[str, subprocess.Popen[bytes]]) -> None:
    two["alpha"].send_signal(signal.SIGSTOP)
    # Until all its threads stand still it may begin an answer that it never ends.
    wait_for(lambda: Path(f"/proc/{two['alpha'].pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
    started = time.monotonic()
    answers = [world.ask(WWW) for _ in range(2)]  # one of them is alpha's turn
    assert time.monotonic() - started <= 4.0
    assert [(answer.status, answer.connector) for answer in answers] == [(200, "beta")] * 2
    assert world.names() == ["beta"]
    two["alpha"].send_signal(signal.SIGCONT)
    wait_for(lambda: world.names() == ["alpha", "beta"])
    assert {world.ask(WWW).connector for _ in range(2)} == {"alpha", "beta"}


def test_a_waiting_request_moves_to_the_next_connector(
    world: World, two: dict[str, subprocess.Popen[bytes]], origin: Origin
) -> None:
    answers: list[tuple[int, str | None]] = []

    def visit() -> None:
        answer = world.ask(WWW, "/stuck")
        answers.append((answer.status, answer.connector))

    visitor = threading.Thread(target=visit)
    visitor.start()
    wait_for(lambda: origin.requests == ["stuck"])
    two["alpha"].kill()
    wait_for(lambda: origin.requests == ["stuck", "stuck"])
    origin.go_on.set()
    visitor.join(10)
    assert answers == [(200, "beta")]


def test_a_half_sent_upload_is_not_given_to_another(
    world: World, two: dict[str, subprocess.Popen[bytes]], origin: Origin
) -> None:
    with socket.create_connection(world.address(), timeout=10) as visitor:
        visitor.sendall(f"POST / HTTP/1.1\r\nHost: {WWW}\r\nContent-Length: 1000000\r\n\r\n".encode() + b"x" * 500_000)
        wait_for(lambda: origin.requests == ["POST"])
        two["alpha"].kill()
        assert visitor.makefile("rb").readline().split()[1] == b"502"
    assert world.ask(WWW).connector == "beta"
    assert origin.requests == ["POST", "GET"]


def test_without_connector_the_page_asks_for_the_host(world: World) -> None:
    answer = world.ask(f"notes.{ZONE}")
    assert (answer.status, answer.fault) == (530, "1033")
    assert b"The tunnel monk has no connector: is the host down?" in answer.body


@pytest.mark.parametrize(
    ("host", "status", "fault", "words"),
    [
        (f"dead.{ZONE}", 502, "502", b"The connector alpha can&#39;t reach the service http://127.0.0.1:1"),
        (f"ftp.{ZONE}", 502, "502", b"must be an http:// or https:// address"),
        (f"other.{ZONE}", 404, "404", b"answer 404"),
    ],
)
def test_faults_behind_a_connector(one: World, host: str, status: int, fault: str, words: bytes) -> None:
    answer = one.ask(host)
    assert (answer.status, answer.fault) == (status, fault)
    assert words in answer.body


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"key": "b3RoZXI="}, "the secret is not that of the tunnel shared"),
        ({"account": "another"}, "the tunnel shared belongs to another account"),
        ({"tunnel_id": "gone"}, "there is no tunnel gone"),
    ],
)
def test_a_refused_token_is_said_once_and_plainly(
    world: World, program: Path, wrong: dict[str, str], reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    metrics = free_port()
    token = token_of(**{"edge": world.facts["connectors"], **wrong})
    world.start_connector(program, "alpha", token=token, metrics=metrics)
    log = ""

    def refused() -> bool:
        nonlocal log
        log += capfd.readouterr().err
        return f"the edge refused the token: {reason}" in log

    wait_for(refused)
    assert log.count("; trying again") == 1
    assert token not in log
    assert world.names() == []
    assert _ready(program, metrics) == 1


def test_ready_means_a_connection_to_the_edge(world: World, program: Path) -> None:
    metrics = free_port()
    connector = world.start_connector(program, "alpha", metrics=metrics)
    wait_for(lambda: _ready(program, metrics) == 0)
    assert b"cloudflared_tunnel_ha_connections 4" in _metrics(metrics)
    connector.terminate()
    assert connector.wait(2) == 0
    assert _ready(program, metrics) == 1


def test_a_connector_comes_back_when_the_edge_does(tmp_path: Path, program: Path, origin: Origin) -> None:
    world = World(tmp_path)
    try:
        world.write_cloud(cloud_of(f"http://127.0.0.1:{origin.port}"))
        edge = world.start_edge()
        doors = world.facts
        metrics = free_port()
        world.start_connector(program, "alpha", metrics=metrics)
        wait_for(lambda: world.names() == ["alpha"])
        edge.terminate()
        assert edge.wait(10) == 0
        assert not (tmp_path / "edge.json").exists()
        wait_for(lambda: _ready(program, metrics) == 1)
        world.start_edge("--listen", doors["visitors"], "--connect", doors["connectors"])
        wait_for(lambda: world.names() == ["alpha"])
        assert world.ask(WWW).status == 200
    finally:
        world.close()


def test_connectors_of_a_deleted_tunnel_are_cut_off(world: World, program: Path, origin: Origin) -> None:
    world.start_connector(program, "alpha")
    wait_for(lambda: world.names() == ["alpha"])
    cloud = cloud_of(f"http://127.0.0.1:{origin.port}")
    del cloud["cloudflare"]["tunnels"][SHARED]
    world.write_cloud(cloud)
    wait_for(lambda: world.names() == [])
    answer = world.ask(WWW)
    assert (answer.status, answer.fault) == (530, "1016")
    wait_for(lambda: SHARED not in world.connections())
    assert world.connections()[MONK] == 0


def _ready(program: Path, metrics: int) -> int:
    command = [str(program), "cloudflared", "tunnel", "--metrics", f"127.0.0.1:{metrics}", "ready"]
    return subprocess.run(command, check=False, capture_output=True, timeout=10).returncode


def _metrics(port: int) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics")
    body = connection.getresponse().read()
    connection.close()
    return body
