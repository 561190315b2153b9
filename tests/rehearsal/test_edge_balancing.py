"""The local edge with a load balancer: pools in order, monitors on their own clock, the last resort, and its words."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from rehearsal.edge.cloud import Cloud, CloudFile
from rehearsal.edge.monitors import Check, Health, Monitors, _expected
from tests.rehearsal.edge_world import MONK, SHARED, WWW, ZONE, World, cloud_of, token_of, wait_for
from tests.rehearsal.test_edge_server import cloud_with, connector, container

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GONE = "99999999-0000-4000-8000-999999999999"
POOLS = {"first": MONK, "second": SHARED}


def balanced(*hosts: str, **balancer: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A site with a load balancer over two hosts' tunnels; the hosts named have a connector and the site."""
    tunnels = {"monk": MONK, "kscloud1": SHARED}
    running = [
        each
        for host in hosts
        for each in (connector(host, token_of(tunnels[host])), container(host, "portal", labels=_labels(host)))
    ]
    cloud = cloud_with(*running)
    flare = cloud["cloudflare"]
    flare["tunnel_configs"][MONK] = flare["tunnel_configs"][SHARED]
    flare["monitors"] = {"m": {"path": "/", "interval": 1, "timeout": 1, "retries": 0, "expected_codes": "2xx"}}
    flare["pools"] = {
        name: {
            "name": name,
            "monitor": "m",
            "origins": [{"address": f"{tunnel}.cfargotunnel.com", "header": {"hosts": [WWW]}}],
        }
        for name, tunnel in POOLS.items()
    }
    flare["load_balancers"] = {
        "l": {"name": WWW, "default_pools": ["first", "second"], "fallback_pool": "second", **balancer}
    }
    return cloud


def _labels(host: str) -> list[dict[str, str]]:
    return [
        {"label": "kitestacks.host", "value": host},
        {"label": "kitestacks.service", "value": "portal"},
    ]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    opened = World(tmp_path_factory.mktemp("edge"))
    opened.write_cloud(cloud_of())
    opened.start_edge()
    yield opened
    opened.close()


def answering(world: World, **ask: Any) -> str:  # noqa: ANN401
    """The host that answers, or the fault."""
    answer = world.ask(WWW, **ask)
    return answer.fault or (answer.connector or "").partition("-")[0]


def test_first_pool_answers_and_gives_way_when_its_monitor_says_so(world: World) -> None:
    world.write_cloud(balanced("monk", "kscloud1"))
    wait_for(lambda: world.status()["pools"]["first"] == {f"{MONK}.cfargotunnel.com": "answers"})
    assert {answering(world) for _ in range(10)} == {"monk"}

    world.write_cloud(balanced("kscloud1"))
    wait_for(lambda: answering(world) == "kscloud1")
    assert world.status()["pools"]["first"] == {f"{MONK}.cfargotunnel.com": "answers 530"}

    world.write_cloud(balanced("monk", "kscloud1"))
    wait_for(lambda: answering(world) == "monk")


def test_until_the_monitor_notices_the_page_says_whose_turn_it_is(world: World) -> None:
    world.write_cloud(balanced("monk", "kscloud1"))
    wait_for(lambda: answering(world) == "monk")
    slow = balanced("kscloud1")
    slow["cloudflare"]["monitors"]["m"] |= {"interval": 60, "consecutive_down": 5}
    world.write_cloud(slow)

    wait_for(lambda: answering(world) == "1033")
    page = world.ask(WWW).body.decode()
    assert "The tunnel monk has no connector: is the host down?" in page
    assert "The load balancer chose the pool first" in page


def test_fallback_pool_answers_when_no_pool_is_well(world: World) -> None:
    """It gets visitors although its monitor says that it is down, for example because the check asks a wrong path."""
    cloud = balanced("monk", "kscloud1")
    cloud["cloudflare"]["monitors"]["m"]["expected_codes"] = "418"
    world.write_cloud(cloud)

    wait_for(lambda: answering(world) == "kscloud1")


def test_random_steering_uses_every_pool_that_is_well(world: World) -> None:
    world.write_cloud(balanced("monk", "kscloud1", steering_policy="random"))
    wait_for(lambda: {answering(world) for _ in range(8)} == {"monk", "kscloud1"})

    counted = Counter(answering(world) for _ in range(60))

    assert set(counted) == {"monk", "kscloud1"}
    assert min(counted.values()) > 5


def test_session_affinity_keeps_a_visitor_until_the_pool_is_gone(world: World) -> None:
    world.write_cloud(balanced("monk", "kscloud1", steering_policy="random", session_affinity="cookie"))
    wait_for(lambda: {answering(world) for _ in range(8)} == {"monk", "kscloud1"})
    cookie = world.ask(WWW).headers["Set-Cookie"].partition(";")[0]
    kept = {"first": "monk", "second": "kscloud1"}[cookie.partition("=")[2]]

    assert {answering(world, headers={"Cookie": cookie}) for _ in range(20)} == {kept}
    assert world.ask(WWW, headers={"Cookie": cookie}).headers["Set-Cookie"] is None

    other = "kscloud1" if kept == "monk" else "monk"
    world.write_cloud(balanced(other, steering_policy="random", session_affinity="cookie"))
    wait_for(lambda: answering(world, headers={"Cookie": cookie}) == other)


def test_affinity_by_address_begins_with_the_same_pool_for_the_same_visitor(world: World) -> None:
    world.write_cloud(balanced("monk", "kscloud1", steering_policy="random", session_affinity="ip_cookie"))
    wait_for(lambda: answering(world) in ("monk", "kscloud1"))

    assert len({answering(world) for _ in range(20)}) == 1


def test_load_balancer_shadows_the_record_of_its_name_and_leaves_it_behind(world: World) -> None:
    world.write_cloud(balanced("monk", "kscloud1"))
    wait_for(lambda: answering(world) == "monk")
    cloud = balanced("monk", "kscloud1")
    cloud["cloudflare"]["load_balancers"] = {}
    world.write_cloud(cloud)

    wait_for(lambda: answering(world) == "kscloud1")  # the record leads to the shared tunnel


@pytest.mark.parametrize(
    ("change", "fault", "words"),
    [
        (
            {"origins": [{"address": f"{GONE}.cfargotunnel.com"}]},
            "523",
            f"chose the pool second, which leads to {GONE}.cfargotunnel.com: there is no such tunnel",
        ),
        ({"origins": [{"address": "192.0.2.1"}]}, "523", "leads to 192.0.2.1: there is no such tunnel"),
    ],
)
def test_pool_that_leads_nowhere_is_named(change: dict[str, Any], fault: str, words: str, world: World) -> None:
    cloud = balanced("monk")
    cloud["cloudflare"]["pools"]["second"] |= change
    cloud["cloudflare"]["load_balancers"]["l"]["default_pools"] = ["second"]
    world.write_cloud(cloud)

    answer = wait_for(lambda: (found := world.ask(WWW)).fault == fault and found)
    assert answer
    assert words in answer.body.decode()


def test_balancer_without_pools_is_named(world: World) -> None:
    cloud = balanced("monk")
    cloud["cloudflare"]["pools"] = {}
    world.write_cloud(cloud)

    wait_for(lambda: answering(world) == "1016")
    assert f"The load balancer of {WWW} has no pool left" in world.ask(WWW).body.decode()


def test_visitor_cannot_pass_for_a_check(world: World) -> None:
    """A check goes to the tunnel that it names; nobody else may choose one."""
    world.write_cloud(balanced("monk", "kscloud1"))
    wait_for(lambda: answering(world) == "monk")

    assert answering(world, headers={"X-Rehearsal-Probe": f" {SHARED}.cfargotunnel.com"}) == "monk"
    assert answering(world, headers={"X-Rehearsal-Probe": f"guess {SHARED}.cfargotunnel.com"}) == "monk"


def check(**monitor: Any) -> Check:  # noqa: ANN401
    flare = Cloud.model_validate(balanced("monk")).cloudflare
    return Check("first", flare.pools["first"].origins[0], flare.monitors["m"].model_copy(update=monitor))


def test_health_changes_after_as_many_checks_as_the_monitor_says() -> None:
    health, patient = Health(), check(consecutive_down=2, consecutive_up=3)

    states = []
    for fault in ("500", "", "500", "500", "", "", ""):
        health.note(patient, fault)
        states.append(health.well)

    assert states == [True, True, True, False, False, False, True]


@pytest.mark.parametrize(
    ("codes", "status", "good"),
    [
        ("2xx", 204, True),
        ("2xx", 302, False),
        ("200", 200, True),
        ("200", 201, False),
        ("200-204,301", 301, True),
        ("200-204,301", 205, False),
        ("fine", 200, False),
    ],
)
def test_expected_codes(codes: str, status: int, good: bool) -> None:
    assert _expected(codes, status) is good


def test_check_asks_with_its_own_patience_and_as_often_as_it_may(tmp_path: Path) -> None:
    """An origin that takes the request and never answers: after `timeout`, `retries` times more."""
    asked: list[str] = []

    async def never(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(f"{request.host} {request.path}")
        await asyncio.sleep(60)
        return web.Response()

    async def scene() -> str:
        runner = web.ServerRunner(web.Server(never), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        monitors = Monitors(CloudFile(tmp_path / "cloud.json"), "key")
        monitors.start(runner.addresses[0][1])
        try:
            return await monitors._fault(check(timeout=0.1, retries=2, path="/status"))
        finally:
            await monitors.close()
            await runner.cleanup()

    assert asyncio.run(scene()) == "no answer in 0.1 s"
    assert asked == [f"{WWW} /status"] * 3


def test_name_outside_the_balancer_keeps_its_record(world: World) -> None:
    world.write_cloud(balanced("monk", "kscloud1"))

    assert world.ask(f"notes.{ZONE}").fault == "404"
