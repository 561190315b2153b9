"""Ports and grants of both real stacks agree: nothing published without a grant, nothing granted without an answer."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from components.tailnet.known import tag_of
from tests.recorder import Recorded, foundation_outputs, run_program
from tests.tailnet.fleets import fleet_in, plan_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.needs import CrossHostNeed

RUNS = {
    "kscloud1": run_program("kscloud1"),
    "monk": run_program("monk", references={"kscloud1": foundation_outputs("monk", "kscloud1")}),
}
FLEET, PLAN = fleet_in(), plan_in()
PRIVATE = {host: stack.host.tailscale_address for host, stack in FLEET.stacks.items()}
NEEDS = FLEET.cross_host_needs
UNGRANTED = {9100: "node-exporter lives on the host's own network; whoever reads it from another host declares that"}
"""Ports on a private address that need no grant, each with its reason."""


def _published(host: str, containers: Iterable[Recorded]) -> set[int]:
    """What listens on a host's private address: published ports, and addresses that a program is told to take."""
    found = set()
    for container in containers:
        found |= {port["external"] for port in container.inputs.get("ports", [])}
        if container.inputs["networkMode"] == "host":
            text = " ".join(map(str, container.inputs.get("command", [])))
            found |= {int(port) for port in re.findall(rf"{re.escape(PRIVATE[host])}:(\d+)", text)}
    return found


PUBLISHED = {host: _published(host, run.containers().values()) for host, run in RUNS.items()}


def _granted(host: str, sources: Iterable[str]) -> set[int]:
    wanted = set(sources)
    flows = (*PLAN.needed, *PLAN.allowed)
    return {flow.port for flow in flows if flow.destination == tag_of(host) and flow.source in wanted}


@pytest.mark.parametrize("host", RUNS)
def test_each_published_port_has_a_grant(host: str) -> None:
    others = [tag_of(other) for other in RUNS if other != host]

    assert PUBLISHED[host] - _granted(host, others) <= set(UNGRANTED)


@pytest.mark.parametrize("host", RUNS)
def test_each_grant_between_hosts_has_a_port_that_answers(host: str) -> None:
    """SSH is answered by the host itself; the owner's own rules may name what is no container's."""
    others = [tag_of(other) for other in RUNS if other != host]

    assert _granted(host, others) - PUBLISHED[host] <= {PLAN.hosts[host]}


def test_there_is_something_to_compare() -> None:
    assert NEEDS
    assert any(PUBLISHED.values())


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: f"{need.source}-to-{need.destination}-{need.port}")
def test_containers_find_the_other_host_without_magic_dns(need: CrossHostNeed) -> None:
    """By an address in their configuration, or by a name that their own hosts file has."""
    address = FLEET.private_address(need.destination)
    found = []
    for container in RUNS[need.source].containers().values():
        entries = {entry["host"]: entry["ip"] for entry in container.inputs.get("hosts", [])}
        told = json.dumps([container.inputs.get(key) for key in ("command", "envs", "uploads")])
        by_name = re.search(rf"[=/@]{need.destination}[:/\"\\]", told) is not None
        assert not by_name or entries.get(need.destination) == address, "a name that nobody resolves in a container"
        found += [address in told, entries.get(need.destination) == address]
    assert any(found)


def test_a_port_without_a_grant_would_be_found() -> None:
    container = next(iter(RUNS["monk"].containers().values()))
    extra = {"ports": [{"external": 6379, "internal": 6379, "ip": PRIVATE["monk"]}], "networkMode": "bridge"}
    published = _published("monk", [Recorded(**(vars(container) | {"inputs": extra}))])

    assert published - _granted("monk", [tag_of("kscloud1")]) == {6379}
