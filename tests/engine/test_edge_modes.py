"""Failover modes and the site proxy on the real engine with real containers: switched under visitors, sick copies."""

from __future__ import annotations

import contextlib
import http.client
import re
import time
from typing import TYPE_CHECKING

import pytest

from components.edge.promises import CONNECTOR_SECONDS
from rehearsal import helpers, processes
from rehearsal.daemon import Daemon
from rehearsal.drill.probe import Probe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.models.containers import Container

    from tests.engine.lab import Lab

pytestmark = [pytest.mark.engine, pytest.mark.docker]

SITE = "www.kitestacks.com"
PAID = {"plan": "enterprise", "interval": "10s", "timeout": "2s", "retries": 1}
CHECKS_SECONDS = 2 + 5
"""The site proxy's interval and time-out, as the stack files have them."""


@pytest.fixture(scope="module")
def deployed(docker_lab: Lab) -> Lab:
    """Both hosts with the portal, and nothing that it can do without."""
    docker_lab.files.keep("cloudflared", "site-proxy", "portal")
    docker_lab.render()
    for stack in ("kscloud1", "monk"):
        docker_lab.up(stack)
    return docker_lab


@pytest.fixture
def visited(deployed: Lab) -> Iterator[Probe]:
    """The site under visitors, ten times a second, until the test ends."""
    probe = Probe(deployed.twin, SITE, time.monotonic())
    probe.start()
    wait_for(lambda: probe.answers, 10)
    yield probe
    probe.stop()


def wait_for(what: object, seconds: float) -> None:
    assert callable(what)
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, f"waited {seconds} s in vain"
        time.sleep(0.05)


def answered_by(lab: Lab) -> str:
    """The host whose copy of the portal answers one visitor; empty without a good answer."""
    connection = http.client.HTTPConnection("127.0.0.1", lab.twin.port, timeout=10)
    with contextlib.closing(connection), contextlib.suppress(OSError):
        connection.request("GET", "/", headers={"Host": SITE})
        answer = connection.getresponse()
        return answer.headers.get("X-Answered-By", "") if answer.status == 200 else ""
    return ""


def hosts(lab: Lab, asked: int = 6) -> set[str]:
    """Who answers, over some visitors: connectors take turns."""
    return {answered_by(lab) for _ in range(asked)}


def container(lab: Lab, host: str, name: str) -> Container:
    daemon = Daemon.find()
    assert daemon
    found: Container = daemon.client.containers.get(f"{lab.twin.installation}-{host}-{name}")
    return found


def switch(lab: Lab, mode: str) -> None:
    """The documented way: two words in the foundation's file, one `up`."""
    lab.files.edit("kscloud1", "edge.failover", mode).edit("kscloud1", "edge.load-balancer", PAID)
    lab.render()
    lab.up("kscloud1")


@pytest.mark.parametrize("mode", ["load-balancer", "replicas"])
def test_mode_is_switched_without_a_moment_without_a_route(mode: str, deployed: Lab, visited: Probe) -> None:
    switch(deployed, mode)

    asked_until = len(visited.answers)
    wait_for(lambda: len(visited.answers) > asked_until + 20, 20)
    bad = [(round(at, 1), answer) for at, answer in visited.answers if not answer.good]
    assert not [answer for _, answer in bad if answer.status is not None], bad  # no answer that a part is missing
    assert visited.silence(0.0, visited.answers[-1][0]) <= CONNECTOR_SECONDS, bad
    flare = deployed.cloud()["cloudflare"]
    assert len(flare["load_balancers"]) == (1 if mode == "load-balancer" else 0)
    assert len(flare["pools"]) == 2 * len(flare["load_balancers"]) == 2 * len(flare["monitors"])
    assert SITE in {record["name"] for record in flare["dns_records"].values()}, "it answers when the other goes"
    output = deployed.up("kscloud1").output  # which looks first at what is really there
    assert re.search(r"Resources:\n +\d+ unchanged\n\n", output), output


def test_other_host_has_nothing_to_change_for_a_mode(deployed: Lab) -> None:
    finished = deployed.pulumi("preview", "-s", "monk", "--refresh", "--expect-no-changes")

    assert finished.status == 0, finished.output


def test_every_host_answers_with_its_own_copy(deployed: Lab) -> None:
    wait_for(lambda: hosts(deployed) == {"monk", "kscloud1"}, 20)


def test_copy_that_accepts_and_never_answers_is_left_and_found_again(deployed: Lab, visited: Probe) -> None:
    """Paused: its port is open, its container runs, its tunnel is well. Only the health path tells."""
    portal = container(deployed, "monk", "portal")
    paused = time.monotonic()
    portal.pause()
    try:
        wait_for(lambda: hosts(deployed) == {"kscloud1"}, 30)
        until = time.monotonic()
    finally:
        portal.unpause()
    assert visited.silence(paused - visited.began, until - visited.began) <= CHECKS_SECONDS
    wait_for(lambda: hosts(deployed) == {"monk", "kscloud1"}, 30)


def test_dead_copy_loses_no_visitor(deployed: Lab, visited: Probe) -> None:
    portal = container(deployed, "monk", "portal")
    portal.kill()
    try:
        wait_for(lambda: hosts(deployed) == {"kscloud1"}, 20)
        bad = [answer for _, answer in visited.answers if not answer.good]
        assert not [answer for answer in bad if answer.status is not None], bad  # late on a busy machine is not lost
    finally:
        portal.start()
    wait_for(lambda: hosts(deployed) == {"monk", "kscloud1"}, 30)


def test_with_the_tailnet_cut_the_other_copy_is_reached_by_its_tunnel(deployed: Lab) -> None:
    """The door at the Tailscale address is gone; the copy's own hostname leads through its host's own tunnel."""
    portal = container(deployed, "monk", "portal")
    cut(deployed)
    try:
        portal.kill()
        wait_for(lambda: hosts(deployed) == {"kscloud1"}, 30)
    finally:
        portal.start()
        mend(deployed)
    wait_for(lambda: hosts(deployed) == {"monk", "kscloud1"}, 30)


def cut(lab: Lab) -> None:
    """Ends the rehearsed private network."""
    processes.stop(lab.twin, "tailnet")


def mend(lab: Lab) -> None:
    """Begins it again."""
    helpers.wake(lab.twin)


def test_host_that_dies_is_left_within_the_promise(deployed: Lab, visited: Probe) -> None:
    daemon = Daemon.find()
    assert daemon
    lost = daemon.containers(deployed.twin.installation, "monk")
    gone = time.monotonic() - visited.began
    for each in lost:
        each.kill()
    wait_for(lambda: hosts(deployed, 10) == {"kscloud1"}, 30)
    until = time.monotonic() - visited.began

    deployed.up("monk")

    assert visited.silence(gone, until) <= CONNECTOR_SECONDS
    wait_for(lambda: hosts(deployed) == {"monk", "kscloud1"}, 30)
