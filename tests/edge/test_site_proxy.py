"""The site proxy with the real Caddy: which copy answers, by which way, and what is never done twice."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.edge.parties import wait_for
from tests.edge.proxy_world import (
    KEY,
    VISITOR,
    WIKI,
    WIKI_MONK,
    World,
    environment,
    packaged_caddy,
    pinned_caddy,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BOTH = ("monk", "kscloud1")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("proxies")) as world:
        yield world


@pytest.fixture
def world(running: World) -> World:
    """Both hosts, with everything well."""
    running.heal()
    return running


@pytest.mark.parametrize("host", BOTH)
@pytest.mark.parametrize("public_edge", [None, "172.17.0.1:8080"])
@pytest.mark.parametrize("caddy", [packaged_caddy, pinned_caddy])
def test_caddy_itself_finds_the_configuration_valid(
    caddy: Callable[[], str], host: str, public_edge: str | None, tmp_path: Path
) -> None:
    config = World(tmp_path).config(host, public_edge=public_edge)
    file = tmp_path / "site-proxy.json"
    file.write_text(json.dumps(config))

    checked = subprocess.run(
        [caddy(), "validate", "--config", file], capture_output=True, text=True, env=environment(tmp_path), check=False
    )

    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("host", BOTH)
def test_primary_answers_whichever_host_the_visitor_came_to(host: str, world: World) -> None:
    assert world.ask(host) == (200, "monk")
    assert world.ask(host, "POST", b"text") == (200, "monk")
    assert not world.apps["kscloud1"].seen


def test_with_the_tailnet_cut_the_primary_is_reached_by_its_tunnel(world: World) -> None:
    world.tailnet["monk"].listener.stop()

    answers = [world.ask("kscloud1") for _ in range(10)]

    assert answers == [(200, "monk")] * 10
    assert not world.apps["kscloud1"].seen, "no second copy may take writes while the primary can be reached"


@pytest.mark.parametrize("tunnel", ["dead", "gone"])
def test_local_copy_answers_only_when_neither_way_does_and_gives_back(tunnel: str, world: World) -> None:
    world.tailnet["monk"].listener.stop()
    assert world.ask("kscloud1") == (200, "monk")
    if tunnel == "dead":
        world.cloudflare.tunnel_dead = True
    else:
        world.cloudflare.listener.stop()

    assert world.ask("kscloud1") == (200, "kscloud1"), "a safe request is answered at once, not after the next check"

    world.cloudflare.tunnel_dead = False
    world.cloudflare.listener.start()
    wait_for(lambda: world.ask("kscloud1") == (200, "monk"))


def test_visitors_of_both_hosts_go_to_the_other_copy_when_the_primary_is_sick(world: World) -> None:
    world.apps["monk"].well = False

    for host in BOTH:
        wait_for(lambda host=host: world.ask(host) == (200, "kscloud1"))  # type: ignore[misc]
    world.apps["monk"].well = True
    for host in BOTH:
        wait_for(lambda host=host: world.ask(host) == (200, "monk"))  # type: ignore[misc]


def test_primary_that_accepts_and_never_answers_loses_no_safe_request(world: World) -> None:
    world.apps["monk"].silent = True

    assert world.ask("monk") == (200, "kscloud1")
    assert world.ask("kscloud1") == (200, "kscloud1")


@pytest.mark.parametrize("host", BOTH)
def test_write_that_was_sent_is_not_sent_again(host: str, world: World) -> None:
    world.apps["monk"].hang_up = True

    assert world.ask(host, "POST", b"once")[0] == 502

    posts = [method for app in world.apps.values() for method, *_ in app.seen]
    assert posts == ["POST"]
    assert world.ask(host) == (200, "kscloud1"), "a safe request in the same place is"


def test_write_that_could_not_be_sent_goes_whole_to_the_other_copy(world: World) -> None:
    world.apps["monk"].listener.stop()
    body = b"words " * 1000

    assert world.ask("monk", "POST", body) == (200, "kscloud1")

    (_, _, digest) = world.apps["kscloud1"].seen[-1]
    assert digest == hashlib.sha256(body).hexdigest()


def test_nobody_there_is_said_with_the_hosts_name(world: World) -> None:
    for app in world.apps.values():
        app.listener.stop()

    status, text = world.ask("kscloud1")

    assert status in (502, 503)
    assert text == f"No copy of {WIKI} answers, as seen from kscloud1. Try again in a minute.\n"


@pytest.mark.parametrize("way", ["here", "tailnet", "tunnel"])
def test_application_sees_the_visitor_and_no_key(way: str, world: World) -> None:
    if way == "tunnel":
        world.tailnet["monk"].listener.stop()

    world.ask("monk" if way == "here" else "kscloud1", headers={"X-Site-Proxy-Client": "192.0.2.66"})

    (_, headers, _) = world.apps["monk"].seen[-1]
    assert headers["host"] == WIKI
    assert headers["cf-connecting-ip"] == headers["x-forwarded-for"] == VISITOR
    assert headers["x-forwarded-proto"] == "https"
    assert KEY not in str(headers)
    assert not [name for name in headers if name.startswith("x-site-proxy")]


@pytest.mark.parametrize("headers", [{}, {"X-Site-Proxy-Key": "guessed", "X-Site-Proxy-Client": "192.0.2.66"}])
def test_door_behind_the_public_hostname_opens_with_the_key_alone(headers: dict[str, str], world: World) -> None:
    assert world.ask("monk", door="tunnel", headers=headers)[0] == 404
    assert world.ask("monk", door="tunnel", headers={"X-Site-Proxy-Key": KEY}) == (200, "monk")


@pytest.mark.parametrize("door", ["tailnet", "tunnel"])
def test_doors_for_proxies_lead_to_the_local_copy_alone(door: str, world: World) -> None:
    """Else two proxies could send a request to each other for ever."""
    world.apps["monk"].listener.stop()

    assert world.ask("monk", door=door, headers={"X-Site-Proxy-Key": KEY})[0] == 0


@pytest.mark.parametrize("door", ["visitors", "tailnet", "tunnel"])
def test_name_that_is_no_shared_site_is_not_found(door: str, world: World) -> None:
    assert world.ask("kscloud1", door=door, headers={"Host": WIKI_MONK, "X-Site-Proxy-Key": KEY})[0] == 404


def test_large_upload_passes_whole(world: World) -> None:
    body = bytes(range(256)) * 4 * 16 * 1024

    assert world.ask("kscloud1", "POST", body) == (200, "monk")

    (_, _, digest) = world.apps["monk"].seen[-1]
    assert digest == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("host", BOTH)
def test_websocket_passes_both_ways(host: str, world: World) -> None:
    # The relay that plays the tailnet knows no websockets: here the hosts' doors are one step apart.
    door = "visitors" if host == "monk" else "tailnet"
    with socket.create_connection(("127.0.0.1", world.door("monk", door)), timeout=10) as line:
        upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        line.sendall(f"GET /socket HTTP/1.1\r\nHost: {WIKI}\r\n{upgrade}Sec-WebSocket-Key: a\r\n\r\n".encode())
        reader = line.makefile("rb")
        assert reader.readline().split()[1] == b"101"
        while reader.readline().strip():
            pass
        line.sendall(b"hello")
        assert reader.read(5) == b"HELLO"
