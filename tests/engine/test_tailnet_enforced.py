"""The rehearsal enforces the policy between two hosts' real containers, and opens nothing to anybody else."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rehearsal import helpers, processes
from rehearsal.daemon import Daemon, container_networks
from rehearsal.tailnet.gate import Gate
from tests.engine.exposure import nat_rules, proxies_for, sockets_of
from tests.stack_files import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engine.lab import Lab

pytestmark = [pytest.mark.engine, pytest.mark.docker]

SERVICES = Path(__file__).parent / "services_for_tests"
DATABASE, CACHE, DOCKER, EXPORTER = 5432, 6379, 2375, 9100
SSH = 22 if os.geteuid() == 0 else 2222
"""The real one where a test may listen there."""


@pytest.fixture(scope="module")
def deployed(docker_lab: Lab) -> Lab:
    """Both hosts with a service that needs one of the other host."""
    components = docker_lab.twin.project / "components"
    components.unlink()
    shutil.copytree(ROOT / "components", components, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("ledger", "till"):
        shutil.copy(SERVICES / f"{name}.py", components / "services")
    images = {"ledger": "postgres:17.6", "cache": "redis:8.2.1", "till": "nginx:1.29.1"}
    docker_lab.files.edit("kscloud1", "services", {"ledger": {"image": images["ledger"]}})
    docker_lab.files.edit("monk", "services", {"till": {"image": images["till"]}})
    docker_lab.render(images=tuple(images.values()))
    for stack in ("kscloud1", "monk"):
        docker_lab.up(stack)
    return docker_lab


@contextlib.contextmanager
def answering(address: str, *ports: int) -> Iterator[dict[int, int]]:
    """Programs that answer on a host's private address like its SSH server; gives how many came to each port."""
    came = dict.fromkeys(ports, 0)

    def serve(server: socket.socket, port: int) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                came[port] += 1
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello")
                connection.close()

    servers = [socket.create_server((address, port)) for port in ports]
    threads = [threading.Thread(target=serve, args=each) for each in zip(servers, ports, strict=True)]
    for thread in threads:
        thread.start()
    try:
        yield came
    finally:
        for server in servers:
            server.shutdown(socket.SHUT_RDWR)
            server.close()
        for thread in threads:
            thread.join()


def hear(lab: Lab, container: str, host: str, port: int) -> str:
    """What a program in a container hears from a port of a host; empty where it is cut off."""
    daemon = Daemon.find()
    assert daemon
    name = f"{lab.twin.installation}-{container}"
    command = ["wget", "-q", "-O", "-", f"http://{host}:{port}/"]
    status, output = daemon.client.containers.get(name).exec_run(command)
    return output.decode() if status == 0 else ""


def place(lab: Lab, host: str) -> dict[str, str]:
    return Gate(lab.twin.state).hosts()[host]


def wait_for_doors(lab: Lab, host: str, ports: set[int]) -> None:
    """The relay looks several times in a second."""
    deadline = time.monotonic() + 10
    relay = processes.pid_of(lab.twin, "tailnet")
    assert relay
    while not {(place(lab, host)["reached-at"], port) for port in ports} <= sockets_of({relay}):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_declared_port_of_the_other_host_is_reached_by_its_name(deployed: Lab) -> None:
    wait_for_doors(deployed, "kscloud1", {DATABASE})

    assert hear(deployed, "monk-till", "kscloud1", DATABASE).startswith("service postgres on host ")


def test_undeclared_port_is_cut_off_although_it_is_published_and_answers(deployed: Lab) -> None:
    wait_for_doors(deployed, "kscloud1", {CACHE})
    with socket.create_connection((place(deployed, "kscloud1")["address"], CACHE)):
        pass

    assert hear(deployed, "monk-till", "kscloud1", CACHE) == ""


def test_ssh_and_docker_of_the_other_host_are_cut_off_and_hear_nothing(deployed: Lab) -> None:
    with answering(place(deployed, "kscloud1")["address"], SSH, DOCKER) as came:
        wait_for_doors(deployed, "kscloud1", {SSH, DOCKER})

        for port in (SSH, DOCKER):
            assert hear(deployed, "monk-till", "kscloud1", port) == ""

        assert came == {SSH: 0, DOCKER: 0}
        assert hear(deployed, "kscloud1-ledger", place(deployed, "kscloud1")["reached-at"], DOCKER) == "hello", "itself"


def test_the_foundation_opens_nothing_on_the_other_host(deployed: Lab) -> None:
    door = place(deployed, "monk")["reached-at"]
    with answering(place(deployed, "monk")["address"], SSH, DOCKER, EXPORTER, DATABASE) as came:
        wait_for_doors(deployed, "monk", set(came))

        for port in came:
            assert hear(deployed, "kscloud1-ledger", door, port) == ""

        assert set(came.values()) == {0}


def test_containers_of_two_hosts_do_not_reach_each_other_past_the_policy(deployed: Lab) -> None:
    daemon = Daemon.find()
    assert daemon
    container = daemon.client.containers.get(f"{deployed.twin.installation}-kscloud1-ledger")
    (network,) = container.attrs["NetworkSettings"]["Networks"].values()

    assert hear(deployed, "monk-till", network["IPAddress"], DATABASE) == ""
    assert hear(deployed, "monk-till", network["Gateway"], DATABASE) == ""


def test_nothing_listens_but_on_loopback_and_in_the_rehearsals_own_networks(deployed: Lab) -> None:
    daemon = Daemon.find()
    assert daemon
    networks = list(container_networks(deployed.twin.installation))
    running = {processes.pid_of(deployed.twin, name) for name in helpers.names(deployed.twin)}
    proxies = proxies_for(networks)
    assert None not in running
    assert len(proxies) == 2, "one for each published port"

    sockets = sockets_of({pid for pid in running if pid} | proxies)

    assert {(place(deployed, "kscloud1")["address"], port) for port in (DATABASE, CACHE)} <= sockets
    own = {place(deployed, host)["reached-at"] for host in ("monk", "kscloud1")} | {daemon.gateway()}
    assert {address for address, _ in sockets if not ipaddress.ip_address(address).is_loopback} <= own


def test_nat_rules_lead_in_from_the_private_address_alone(deployed: Lab) -> None:
    listed = subprocess.run(["iptables", "-t", "nat", "-S", "DOCKER"], capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip(f"the NAT rules can't be read ({listed.stderr.strip().splitlines()[0]}): run the tests as root")

    found = nat_rules(listed.stdout, list(container_networks(deployed.twin.installation)))

    assert found == {(place(deployed, "kscloud1")["address"], port) for port in (DATABASE, CACHE)}


def test_a_port_on_all_addresses_would_be_found() -> None:
    """The two tests above would prove nothing if they saw nothing."""
    program = (
        "import socket, sys; s = socket.create_server(('', 0)); print(s.getsockname()[1], flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout
    port = int(child.stdout.readline())

    found = sockets_of({child.pid})

    child.communicate()
    assert found == {("0.0.0.0", port)}
    rules = """
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i br-1 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.20.0.2:80
-A DOCKER -d 127.1.0.2/32 ! -i br-1 -p tcp -m tcp --dport 5432 -j DNAT --to-destination 172.20.0.3:5432
-A DOCKER ! -i br-2 -p tcp -m tcp --dport 9000 -j DNAT --to-destination 172.21.0.2:9000
"""
    assert nat_rules(rules, ["172.20.0.0/16"]) == {("0.0.0.0", 8080), ("127.1.0.2", 5432)}
