"""The edge as a process: its doors, its files, its own pages, and simulated containers behind it."""

from __future__ import annotations

import base64
import contextlib
import json
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.edge.connector import PING_HEADER
from tests.rehearsal.edge_world import EMPTY, MONK, SHARED, WWW, ZONE, World, cloud_of, token_of, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("edge"))
    world.start_edge()
    yield world
    world.close()


@pytest.fixture
def world(running: World) -> World:
    """The running edge, with a cloud without connectors."""
    running.write_cloud(cloud_of())
    return running


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[World]:
    """A world whose edge does not run yet."""
    world = World(tmp_path)
    yield world
    world.close()


def container(host: str, name: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    labels = {"kitestacks.host": host, "kitestacks.service": name}
    return {
        "name": f"{host}-{name}",
        "hostname": f"{host}-{name}",
        "labels": [{"label": key, "value": value} for key, value in labels.items()],
        "networksAdvanced": [{"name": f"{host}-edge", "aliases": [name]}],
        **more,
    }


def connector(host: str, token: str) -> dict[str, Any]:
    file = "/etc/cloudflared/token"
    return container(
        host,
        "cloudflared",
        envs=["TUNNEL_METRICS=0.0.0.0:2000", f"TUNNEL_TOKEN_FILE={file}"],
        uploads=[{"file": file, "content": token}],
    )


def cloud_with(*containers: dict[str, Any]) -> dict[str, Any]:
    return cloud_of() | {"docker": {"containers": {str(number): each for number, each in enumerate(containers)}}}


def run_edge(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rehearsal.edge", "serve", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


def test_the_files_tell_where_it_is_and_go_with_it(fresh: World) -> None:
    fresh.write_cloud(cloud_of())
    edge = fresh.start_edge()
    facts = fresh.facts
    assert facts["pid"] == edge.pid
    assert set(facts) == {"visitors", "connectors", "pid"}
    assert fresh.connections() == dict.fromkeys(cloud_of()["cloudflare"]["tunnels"], 0)
    for name in ("edge.json", "edge.connections.json"):
        assert (fresh.folder / name).stat().st_mode & 0o077 == 0
    edge.send_signal(signal.SIGTERM)
    assert edge.wait(10) == 0
    assert sorted(path.name for path in fresh.folder.iterdir()) == ["cloud.json"]


@pytest.mark.parametrize("door", ["--listen", "--connect"])
def test_a_taken_port_is_said_in_one_sentence(tmp_path: Path, door: str) -> None:
    options = {"--listen": "127.0.0.1:0", "--connect": "127.0.0.1:0"}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options[door] = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = run_edge("--state", str(tmp_path), *(word for option in options.items() for word in option))
    assert ended.returncode == 1
    assert f"the edge can't listen on {options[door]}" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["0.0.0.0:8080", "8.8.8.8:80", "localhost:80", "127.0.0.1", "127.0.0.1:x"])
def test_addresses_that_others_reach_are_refused(tmp_path: Path, address: str) -> None:
    ended = run_edge("--state", str(tmp_path), "--listen", address)
    assert ended.returncode == 2
    assert "must be" in ended.stderr


@pytest.mark.parametrize(
    "greeting",
    [
        b"hello\n",
        b"{}\n",
        b"[]\n",
        b'{"token": "x", "connector": "a"}\n',
        json.dumps({"token": token_of(key="no")}).encode() + b"\n",
        json.dumps({"token": token_of(key="bm8="), "connector": "a", "connection": 0}).encode() + b"\n",
    ],
)
def test_a_stranger_at_the_connectors_door_is_turned_away_in_words(world: World, greeting: bytes) -> None:
    assert set(world.greet(greeting)) == {"error"}
    assert world.names() == []


def test_an_endless_greeting_is_cut_off(world: World) -> None:
    with (
        socket.create_connection(world.address("connectors"), timeout=10) as line,
        contextlib.suppress(ConnectionError),
    ):
        line.sendall(b"x" * 20_000)
        assert line.recv(1) == b""


def test_a_connector_that_never_answers_is_not_asked_for_long(world: World) -> None:
    """Somebody with a good token who then says nothing: the ping finds it out."""
    greeting = json.dumps({"token": token_of(), "connector": "mute", "connection": 0}).encode() + b"\n"
    with socket.create_connection(world.address("connectors"), timeout=10) as line:
        line.sendall(greeting)
        assert json.loads(line.makefile("rb").readline()) == {"ok": True}
        assert world.names() == ["mute"]
        answer = world.ask(WWW)
        assert (answer.status, answer.fault) == (530, "1033")
        wait_for(lambda: world.names() == [])


def _answer_visitors_alone(world: World, end: threading.Event) -> None:
    """A connector that has no time for pings. It dials anew for each request, and keeps two lines, as all do."""
    greeting = json.dumps({"token": token_of(), "connector": "busy"}).encode() + b"\n"
    with contextlib.ExitStack() as opened:

        def dial() -> socket.socket:
            line = opened.enter_context(socket.create_connection(world.address("connectors"), timeout=10))
            line.sendall(greeting)
            welcome = b'{"ok": true}\n'
            assert line.recv(len(welcome)) == welcome  # a request may come with it
            return line

        lines = [dial(), dial()]
        while not end.is_set():
            for line in select.select(lines, [], [], 0.1)[0]:
                lines[lines.index(line)] = dial()
                if PING_HEADER.encode() not in line.recv(65536):
                    line.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
                    line.close()


def test_a_connector_in_a_rush_lives_as_long_as_it_answers_visitors(world: World) -> None:
    end = threading.Event()
    busy = threading.Thread(target=_answer_visitors_alone, args=(world, end))
    busy.start()
    try:
        wait_for(lambda: world.names() == ["busy"])
        over = time.monotonic() + 4  # a ping begins within half a second, and is given up after two
        while time.monotonic() < over:
            assert world.ask(WWW).status == 204
    finally:
        end.set()
        busy.join()
    wait_for(lambda: world.names() == [])


def test_its_own_pages(world: World) -> None:
    world.write_cloud(cloud_with(connector("monk", token_of())))
    port = world.address()[1]
    site = world.status()["sites"][WWW]
    assert site == {
        "url": f"http://www.kitestacks.localhost:{port}/",
        "tunnel": "shared",
        "connectors": ["monk-cloudflared"],
        "service": "http://portal:80",
    }
    for host in (f"127.0.0.1:{port}", "localhost", "edge.localhost"):
        page = world.ask(host)
        assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert site["url"].encode() in page.body
        assert world.ask(host, "/nothing").status == 404


def test_an_empty_cloud_has_a_page_too(world: World) -> None:
    (world.folder / "cloud.json").unlink()
    assert b"There is no site yet" in world.ask("127.0.0.1").body
    assert world.ask(WWW).fault == "1001"


@pytest.mark.parametrize(
    ("name", "status", "fault"),
    [("nobody", 404, "1001"), ("mail", 530, "1016"), ("left", 530, "1016"), ("bare", 503, "503"), ("www", 530, "1033")],
)
def test_error_pages(world: World, name: str, status: int, fault: str) -> None:
    answer = world.ask(f"{name}.{ZONE}")
    assert (answer.status, answer.fault) == (status, fault)
    assert b"<h1>" in answer.body


def test_simulated_hosts_serve_their_uploaded_sites(world: World) -> None:
    picture = bytes(range(10))
    site = [
        {"file": "/srv/index.html", "content": "<h1>portal</h1>"},
        {"file": "/srv/style.css", "content": "h1{}"},
        {"file": "/srv/a/b.png", "contentBase64": base64.b64encode(picture).decode()},
        {"file": "/etc/caddy/Caddyfile", "content": "secret"},
    ]
    world.write_cloud(
        cloud_with(
            connector("monk", token_of()),
            container("monk", "portal", uploads=site),
            connector("kscloud1", token_of()),
            container("kscloud1", "portal"),
        )
    )
    answers = {answer.connector: answer for answer in (world.ask(WWW), world.ask(WWW))}
    monk, kscloud1 = answers["monk-cloudflared"], answers["kscloud1-cloudflared"]
    assert monk.body == b"<h1>portal</h1>"
    assert monk.headers["X-Rehearsal-Simulated"] == "yes"
    assert kscloud1.body == b"service portal on host kscloud1\n"
    wait_for(lambda: world.connections() == {SHARED: 8, MONK: 0, EMPTY: 0})

    world.write_cloud(cloud_with(connector("monk", token_of()), container("monk", "portal", uploads=site)))
    found = {path: world.ask(WWW, path) for path in ("/style.css", "/a/b.png", "/none", "/../etc/caddy/Caddyfile")}
    assert (found["/style.css"].body, found["/style.css"].headers["Content-Type"]) == (b"h1{}", "text/css")
    assert (found["/a/b.png"].body, found["/a/b.png"].headers["Content-Type"]) == (picture, "image/png")
    assert found["/none"].status == found["/../etc/caddy/Caddyfile"].status == 404
    assert world.ask(WWW, method="HEAD").body == b""
    assert world.status()["connectors"][0]["simulated"] is True


@pytest.mark.parametrize(
    "containers",
    [
        (connector("monk", token_of()),),
        (connector("monk", token_of()), container("kscloud1", "portal")),
        (
            connector("monk", token_of()),
            container("monk", "portal", networksAdvanced=[{"name": "x", "aliases": ["portal"]}]),
        ),
    ],
    ids=["no portal", "portal on another host", "portal on another network"],
)
def test_a_simulated_connector_reaches_only_its_own_networks(
    world: World, containers: tuple[dict[str, Any], ...]
) -> None:
    world.write_cloud(cloud_with(*containers))
    answer = world.ask(WWW)
    assert (answer.status, answer.fault) == (502, "502")
    assert b"no container on its networks is called portal" in answer.body


@pytest.mark.parametrize(
    "container_of_monk",
    [
        connector("monk", token_of(key="d3Jvbmc=")),
        connector("monk", "no token"),
        connector("monk", token_of()) | {"uploads": []},
        connector("monk", token_of()) | {"envs": []},
        connector("monk", token_of()) | {"envs": None, "uploads": None, "labels": None, "networksAdvanced": None},
    ],
    ids=["wrong secret", "no token", "no file", "no variable", "nothing"],
)
def test_a_simulated_container_without_a_good_token_is_no_connector(
    world: World, container_of_monk: dict[str, Any]
) -> None:
    world.write_cloud(cloud_with(container_of_monk))
    assert world.ask(WWW).fault == "1033"


def test_a_host_that_goes_is_noticed_at_once(world: World) -> None:
    world.write_cloud(cloud_with(connector("monk", token_of()), container("monk", "portal")))
    assert world.ask(WWW).status == 200
    world.write_cloud(cloud_of())
    assert world.ask(WWW).fault == "1033"
    wait_for(lambda: world.connections().get(SHARED) == 0)


def proxy(host: str, *copies: str) -> dict[str, Any]:
    """A simulated site proxy with its real configuration's shape, and its door for other hosts."""
    route = {"match": [{"host": [WWW]}], "handle": [{"upstreams": [{"dial": copy} for copy in copies]}]}
    locked = {**route, "match": [{"host": [WWW], "header": {"X-Site-Proxy-Key": ["key"]}}]}
    inside = {"match": [{"host": [WWW]}], "handle": [{"upstreams": [{"dial": "portal:80"}]}]}
    servers = {
        "visitors": {"listen": [":8080"], "routes": [route]},
        "tailnet": {"listen": [":8081"], "routes": [inside]},
        "tunnel": {"listen": [":8082"], "routes": [locked]},
    }
    config = json.dumps({"apps": {"http": {"servers": servers}}})
    return container(
        host,
        "site-proxy",
        uploads=[{"file": "/etc/caddy/site-proxy.json", "content": config}],
        ports=[{"ip": f"127.0.0.{len(host)}", "external": 8081, "internal": 8081}],
    )


@pytest.mark.parametrize(
    ("copies", "answered"),
    [
        (("portal:80", "127.0.0.4:8081"), "service portal on host kscloud1"),
        (("127.0.0.4:8081", "127.0.0.1:9001", "portal:80"), "service portal on host monk"),
        (("127.0.0.1:9001", "portal:80"), "service portal on host kscloud1"),
    ],
)
def test_a_simulated_site_proxy_sends_to_the_first_copy_of_its_configuration(
    copies: tuple[str, ...], answered: str, world: World
) -> None:
    cloud = cloud_with(
        connector("kscloud1", token_of()),
        proxy("kscloud1", *copies),
        container("kscloud1", "portal"),
        proxy("monk", "portal:80"),
        container("monk", "portal"),
    )
    cloud["cloudflare"]["tunnel_configs"][SHARED]["ingresses"][0]["service"] = "http://site-proxy:8080"
    world.write_cloud(cloud)

    assert world.ask(WWW).body.decode().strip() == answered


def test_a_simulated_door_with_a_key_stays_shut(world: World) -> None:
    cloud = cloud_with(connector("monk", token_of()), proxy("monk", "portal:80"), container("monk", "portal"))
    cloud["cloudflare"]["tunnel_configs"][SHARED]["ingresses"][0]["service"] = "http://site-proxy:8082"
    world.write_cloud(cloud)

    assert world.ask(WWW).status == 404
    assert world.ask(WWW, headers={"X-Site-Proxy-Key": "key"}).status == 200
