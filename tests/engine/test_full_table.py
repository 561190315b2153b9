"""Everything that the stack files list, on both hosts, on the real engine and the real Docker provider."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from components.login import LOGIN_SERVICE, ProxyLogin
from components.secrets import GIVEN
from components.services import KNOWN_SERVICES
from rehearsal import engine, stack_files
from rehearsal.daemon import Daemon
from rehearsal.sites import wait_until_answering
from tests.engine.lab import many_networks
from tests.stack_files import PREFIX, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.models.containers import Container

    from tests.engine.lab import Lab

pytestmark = [pytest.mark.engine, pytest.mark.docker]

STACKS = ("kscloud1", "monk")
SHORTEST_SECRET = 16
CONTAINER, RANDOM = "docker:index/container:Container", "random:index/"
ROTATED = "vault-osticket-database-password"


@dataclass(frozen=True)
class Rotation:
    """What became of one secret: its first value, the containers that were given it, and those that were replaced."""

    old: str
    users: set[str]
    replaced: set[str]


@pytest.fixture(scope="module")
def printed() -> dict[str, str]:
    """What the engine has printed so far, in full detail."""
    return {}


@pytest.fixture(scope="module")
def deployed(docker_lab: Lab, printed: dict[str, str]) -> Iterator[Lab]:
    with many_networks():
        for stack in STACKS:
            printed[f"first up of {stack}"] = docker_lab.up(stack, "--diff").output
        wait_until_answering(docker_lab.twin, stack_files.hostnames())
        yield docker_lab
        docker_lab.clear()


@pytest.fixture(scope="module")
def rotated(deployed: Lab, printed: dict[str, str]) -> Rotation:
    """One secret of monk made anew."""
    before = {name: str(each.id) for name, each in containers(deployed, "monk").items()}
    old = made_secrets(deployed, "monk")[ROTATED]
    users = users_of(deployed, "monk", old)
    deployed.files.edit("monk", "services.osticket.rotate", {"database-password": 1})
    deployed.render()
    printed["plan of the rotation"] = deployed.pulumi("preview", "-s", "monk", "--diff").output
    printed["the rotation"] = deployed.up("monk", "--diff").output
    after = {name: str(each.id) for name, each in containers(deployed, "monk").items()}
    return Rotation(old, users, {name for name in before if before[name] != after.get(name)})


def containers(lab: Lab, stack: str) -> dict[str, Container]:
    """What runs on a host, by the names that people type."""
    daemon = Daemon.find()
    assert daemon
    prefix = f"{lab.twin.installation}-{stack}-"
    return {str(each.name).removeprefix(prefix): each for each in daemon.containers(lab.twin.installation, stack)}


def blocks(stack: str) -> dict[str, dict[str, Any]]:
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    found: dict[str, dict[str, Any]] = config[f"{PREFIX}services"]
    return found


def in_clear(lab: Lab, stack: str) -> list[dict[str, Any]]:
    """The resources of a stack's state with their secrets readable."""
    text = engine.run(lab.twin, lab.tools, "stack", "export", "--show-secrets", "-s", stack)
    found: list[dict[str, Any]] = json.loads(text)["deployment"]["resources"]
    return found


def strings(value: object) -> Iterator[str]:
    """Every string in a value; what the engine has wrapped as a secret is JSON once more."""
    if isinstance(value, dict) and "plaintext" in value:
        yield from strings(json.loads(value["plaintext"]))
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, str):
        yield value


def made_secrets(lab: Lab, stack: str) -> dict[str, str]:
    """The values that the program made for a stack, by the name of the resource."""
    found = {}
    for resource in in_clear(lab, stack):
        if resource["type"].startswith(RANDOM):
            name = resource["urn"].rpartition("::")[2]
            found[name] = next(each for each in strings(resource["outputs"]) if len(each) >= SHORTEST_SECRET)
    return found


def users_of(lab: Lab, stack: str, secret: str) -> set[str]:
    """The containers that are given a secret, as the stack's state has them."""
    return {
        resource["urn"].rpartition("::")[2].removesuffix("-container")
        for resource in in_clear(lab, stack)
        if resource["type"] == CONTAINER and any(secret in each for each in strings(resource["inputs"]))
    }


def ask(lab: Lab, hostname: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", lab.twin.port, timeout=10)
    try:
        connection.request("GET", "/", headers={"Host": hostname})
        response = connection.getresponse()
        assert response.status == http.client.OK
        return response.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("stack", STACKS)
def test_every_declared_container_is_there_once_and_healthy(stack: str, deployed: Lab) -> None:
    declared = {
        each["urn"].rpartition("::")[2].removesuffix("-container")
        for each in deployed.resources(stack)
        if each["type"] == CONTAINER
    }

    running = containers(deployed, stack)

    assert set(running) == declared
    assert {each.attrs["State"]["Health"]["Status"] for each in running.values()} == {"healthy"}
    assert {each.attrs["RestartCount"] for each in running.values()} == {0}
    assert {each.labels["kitestacks.service"] for each in running.values()} == set(blocks(stack))


@pytest.mark.parametrize("stack", STACKS)
def test_second_up_changes_nothing_and_a_refresh_finds_nothing(stack: str, deployed: Lab) -> None:
    output = deployed.up(stack).output
    planned = deployed.pulumi("preview", "-s", stack, "--refresh", "--expect-no-changes")

    assert re.search(r"Resources:\n +\d+ unchanged\n\n", output), output
    assert planned.status == 0, planned.output


def test_every_site_answers_from_its_container_and_a_proxied_one_from_authentik(deployed: Lab) -> None:
    asked = 0
    for stack in STACKS:
        for name, block in blocks(stack).items():
            if "site" not in block or name == "portal":
                continue
            service = KNOWN_SERVICES[name]
            behind_login = isinstance(service.login, ProxyLogin) and not block["site"].get("public")
            front = KNOWN_SERVICES[LOGIN_SERVICE].front if behind_login else service.front or name
            hosts = "|".join(stack_files.hostnames()[block["site"]["hostname"]])

            assert re.search(
                rf" on host {deployed.twin.installation}-({hosts})-{front}\n", ask(deployed, block["site"]["hostname"])
            ), name
            asked += 1
    assert asked + 2 >= len(stack_files.hostnames())


def test_the_portal_lists_every_site(deployed: Lab) -> None:
    page = ask(deployed, "www.kitestacks.com")

    for hostname in stack_files.hostnames():
        assert f"https://{hostname}" in page


def test_rotating_one_secret_replaces_the_containers_that_use_it_and_no_other(deployed: Lab, rotated: Rotation) -> None:
    new = made_secrets(deployed, "monk")[ROTATED]

    assert new != rotated.old
    assert rotated.users == users_of(deployed, "monk", new) == rotated.replaced == {"osticket", "osticket-db"}
    assert not users_of(deployed, "monk", rotated.old)


def test_no_secret_stands_in_clear_anywhere(deployed: Lab, rotated: Rotation, printed: dict[str, str]) -> None:
    """State, plans, logs, what Docker shows to anybody who may ask it, and the simulated cloud's own file."""
    secrets = {rotated.old, *(value for stack in STACKS for value in made_secrets(deployed, stack).values())}
    secrets |= {
        engine.run(deployed.twin, deployed.tools, "config", "get", f"{GIVEN}:{name}", "-s", stack).strip()
        for stack in STACKS
        for name in stack_files.owner_secrets(stack)
    }
    shown = printed | {"the cloud's file": (deployed.twin.state / "cloud.json").read_text()}
    for stack in STACKS:
        shown[f"state of {stack}"] = json.dumps(deployed.export(stack))
        shown[f"file of {stack}"] = (deployed.twin.project / f"Pulumi.{stack}.yaml").read_text()
        for name, each in containers(deployed, stack).items():
            shown[f"{name} on {stack}"] = json.dumps(each.attrs)
            shown[f"log of {name} on {stack}"] = each.logs().decode(errors="replace")
    shown |= {path.name: path.read_text(errors="replace") for path in deployed.twin.logs.iterdir()}
    shown["processes"] = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout

    assert len(secrets) > len(blocks("monk"))
    assert "[secret]" in printed["the rotation"]
    found = {where for where, text in shown.items() for secret in secrets if secret in text}
    assert not found


def test_drill_of_a_lost_host_measures_no_more_than_was_promised_and_puts_it_back(deployed: Lab) -> None:
    drill = [str(ROOT / ".venv/bin/python"), "-m", "kitestacks", "drill", "monk-gone", "--seconds", "8", "--json"]
    environment = deployed.environment | {"KITESTACKS_REHEARSAL": str(deployed.twin.state)}
    finished = subprocess.run(
        drill, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=240
    )

    (result,) = json.loads(finished.stdout)
    sites = {site["hostname"]: site for site in result["sites"]}
    going_on = {name: site for name, site in sites.items() if site["promised"] is not None}
    assert {"www.kitestacks.com", "auth.kitestacks.com", "wiki.kitestacks.com"} == set(going_on), finished.stderr
    assert all(site["seconds"] <= site["promised"] for site in going_on.values()), going_on
    assert all(site["returned"] for site in sites.values()), sites
    down = [site for name, site in sites.items() if name not in going_on]
    assert all(site["faults"] and set(site["faults"]) <= {"1033", "502"} for site in down), down
    assert {each.attrs["State"]["Status"] for each in containers(deployed, "monk").values()} == {"running"}
