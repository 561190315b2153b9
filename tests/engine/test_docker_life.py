"""Both hosts on the real engine and the real Docker provider: up, unchanged, refreshed, changed, sick, killed."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.daemon import Daemon
from rehearsal.sites import ask
from tests.stack_files import ROOT

if TYPE_CHECKING:
    from docker.models.containers import Container

    from tests.engine.lab import Lab

pytestmark = [pytest.mark.engine, pytest.mark.docker]

SERVICES = ("cloudflared", "site-proxy", "portal", "node-exporter")
"""What these tests need of the stack files: a site on both hosts, and a container on the host's own network."""
NAMES = {"cloudflared", "cloudflared-shared", "node-exporter", "portal", "site-proxy"}
SITE = "www.kitestacks.com"


@pytest.fixture(scope="module")
def deployed(docker_lab: Lab) -> Lab:
    unchange(docker_lab)
    for stack in ("kscloud1", "monk"):
        docker_lab.up(stack)
    return docker_lab


def unchange(lab: Lab) -> None:
    """The real stack files again, as far as these tests need them."""
    lab.restore()
    lab.files.keep(*SERVICES)
    lab.render()


def containers(lab: Lab, host: str | None = None) -> dict[str, Container]:
    daemon = Daemon.find()
    assert daemon
    return {str(each.name): each for each in daemon.containers(lab.twin.installation, host)}


def names(lab: Lab, host: str) -> set[str]:
    return {name.removeprefix(f"{lab.twin.installation}-{host}-") for name in containers(lab, host)}


def wait_for_site(lab: Lab, *, by: str = "") -> None:
    deadline = time.monotonic() + 20
    while not ((answer := ask(lab.twin, SITE)).good and by in answer.by):
        assert time.monotonic() < deadline, answer
        time.sleep(0.1)


@pytest.mark.parametrize("stack", ["kscloud1", "monk"])
def test_second_up_reports_only_unchanged(stack: str, deployed: Lab) -> None:
    output = deployed.up(stack).output

    assert re.search(r"Resources:\n +\d+ unchanged\n\n", output), output


@pytest.mark.parametrize("stack", ["kscloud1", "monk"])
def test_refresh_finds_nothing_to_change(stack: str, deployed: Lab) -> None:
    finished = deployed.pulumi("preview", "-s", stack, "--refresh", "--expect-no-changes")

    assert finished.status == 0, finished.output


@pytest.mark.parametrize("stack", ["kscloud1", "monk"])
def test_every_container_is_there_once_and_healthy(stack: str, deployed: Lab) -> None:
    assert names(deployed, stack) == NAMES
    for container in containers(deployed, stack).values():
        assert container.attrs["State"]["Health"]["Status"] == "healthy"


def test_portal_answers_under_its_hostname_from_both_hosts(deployed: Lab) -> None:
    for host in ("monk", "kscloud1"):
        wait_for_site(deployed, by=host)


def test_containers_are_hardened_as_the_daemon_sees_them(deployed: Lab) -> None:
    for container in containers(deployed).values():
        config: dict[str, Any] = container.attrs["HostConfig"]
        assert config["CapDrop"] == ["ALL"]
        assert "no-new-privileges:true" in config["SecurityOpt"]
        assert config["Memory"] == config["MemorySwap"] > 0
        bindings = [each for ports in (config["PortBindings"] or {}).values() for each in ports]
        assert all(each["HostIp"].startswith("127.") for each in bindings), "on the rehearsed private address alone"
        assert config["RestartPolicy"]["Name"] == "unless-stopped"


def test_no_secret_stands_in_clear_anywhere(deployed: Lab) -> None:
    """State, plan, logs and what Docker shows to anybody who may ask it."""
    tunnels = deployed.cloud()["cloudflare"]["tunnels"].values()
    secrets = {tunnel["secret"] for tunnel in tunnels}
    for container in containers(deployed).values():
        if "cloudflared" in str(container.name):
            # The token is read as root from outside: inside, only its group may besides, which the connector joins.
            bits, stat = container.get_archive("/etc/cloudflared/token")
            assert stat["mode"] & 0o777 == 0o440
            token = b"".join(bits)[512:].rstrip(b"\0").decode()
            secrets.add(token)
        if "site-proxy" in str(container.name):
            bits, _ = container.get_archive("/etc/caddy/site-proxy.json")
            (key,) = set(re.findall(r'"X-Site-Proxy-Key": \[\s*"(\w+)"', b"".join(bits).decode(errors="replace")))
            secrets.add(key)
    secrets |= {deployed.twin.passphrase.read_text(), "rehearsal-token-that-opens-nothing"}
    assert len(secrets) == 3 + 3 + 1 + 2
    shown = {f"state of {stack}": json.dumps(deployed.export(stack)) for stack in ("kscloud1", "monk")}
    for stack in ("kscloud1", "monk"):
        shown[f"plan of {stack}"] = deployed.pulumi("preview", "-s", stack, "--diff").output
        shown[f"file of {stack}"] = (deployed.twin.project / f"Pulumi.{stack}.yaml").read_text()
    shown |= {path.name: path.read_text(errors="replace") for path in deployed.twin.logs.iterdir()}
    shown |= {name: json.dumps(each.attrs) for name, each in containers(deployed).items()}
    shown |= {f"log of {name}": each.logs().decode(errors="replace") for name, each in containers(deployed).items()}
    shown["processes"] = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout

    for where, text in shown.items():
        for secret in secrets:
            assert secret not in text, where


def test_container_taken_away_comes_back_by_one_up(deployed: Lab) -> None:
    for container in containers(deployed, "monk").values():
        container.remove(force=True)
    wait_for_site(deployed, by="kscloud1")

    deployed.up("monk")

    assert names(deployed, "monk") == NAMES
    wait_for_site(deployed, by="monk")


def test_container_that_was_stopped_comes_back_by_one_up(deployed: Lab) -> None:
    for container in containers(deployed, "monk").values():
        container.kill()

    deployed.up("monk")

    assert {each.status for each in containers(deployed, "monk").values()} == {"running"}
    wait_for_site(deployed, by="monk")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("host.health-interval", "3s"),
        ("services.portal.memory", "128MiB"),
    ],
)
def test_changed_setting_reaches_the_running_container(path: str, value: str, deployed: Lab) -> None:
    def facts() -> tuple[Any, Any]:
        attrs = containers(deployed, "monk")[f"{deployed.twin.installation}-monk-portal"].attrs
        return attrs["Config"]["Healthcheck"]["Interval"], attrs["HostConfig"]["Memory"]

    before = facts()
    deployed.files.edit("monk", path, value)
    deployed.render()
    deployed.up("monk")
    after = facts()
    unchange(deployed)
    deployed.up("monk")

    assert after != before
    assert facts() == before


def test_sick_service_is_named_with_its_last_lines_and_heals(deployed: Lab) -> None:
    """A portal with another program's image: it runs, and never answers on the portal's port."""
    deployed.files.edit("monk", "host.start-timeout", "8s")
    deployed.files.edit("monk", "services.portal.image", "prom/node-exporter:v1.12.1")
    deployed.render()
    sick = deployed.pulumi("up", "--yes", "--skip-preview", "-s", "monk")
    unchange(deployed)
    healed = deployed.pulumi("up", "--yes", "--skip-preview", "-s", "monk")

    assert sick.status != 0
    assert f"container {deployed.twin.installation}-monk-portal on monk could not be started" in sick.output
    assert "its health is starting. The end of its log:" in sick.output or "its health is unhealthy" in sick.output
    assert "  | " in sick.output
    assert "wget: " in sick.output, "the last health check's own words"
    assert healed.status == 0, healed.output
    wait_for_site(deployed, by="monk")


def test_engine_killed_in_the_middle_of_a_change_is_mended_by_the_documented_commands(deployed: Lab) -> None:
    """Fourteen random moments; they are drawn from a seeded source, so that a failure can be repeated."""
    moments = random.Random(20)  # noqa: S311 - not for secrets
    for attempt in range(14):
        for stack in ("monk", "kscloud1"):
            deployed.files.edit(stack, "host.health-interval", f"{2 + attempt % 2}s")
        deployed.render()
        _kill_and_mend(deployed, ("monk", "kscloud1")[attempt % 2], moments.uniform(0.3, 9.0))


def test_engine_killed_in_the_middle_of_the_first_up_is_mended_too(docker_lab: Lab) -> None:
    """Six more, where everything is made for the first time: tunnels and records as well as containers."""
    moments = random.Random(6)  # noqa: S311 - not for secrets
    unchange(docker_lab)
    for stack in ("monk", "kscloud1"):
        docker_lab.pulumi("destroy", "--yes", "--skip-preview", "--exclude-protected", "-s", stack)
    for _ in range(6):
        _kill_and_mend(docker_lab, "kscloud1", moments.uniform(0.8, 6.0))
        docker_lab.pulumi("destroy", "--yes", "--skip-preview", "--exclude-protected", "-s", "kscloud1")
        assert not containers(docker_lab)


def _kill_and_mend(lab: Lab, stack: str, delay: float) -> None:
    """Kills `up` after a while; then cancel, up, and at most one other command between make it whole again."""
    process = lab.start("up", "--yes", "--skip-preview", "-s", stack)
    try:
        process.communicate(timeout=delay)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        _wait_for_the_plugins_of(process.pid)

    lab.pulumi("cancel", "--yes", "-s", stack)
    again = lab.pulumi("up", "--yes", "--skip-preview", "-s", stack)
    if again.status:
        _remove_orphans(lab, stack)
        again = lab.pulumi("up", "--yes", "--skip-preview", "-s", stack)

    assert again.status == 0, (delay, again.output)
    assert names(lab, stack) == NAMES, delay
    recorded = {each["id"] for each in lab.resources(stack) if each["type"].endswith(":Container")}
    assert recorded == {each.id for each in containers(lab, stack).values()}, delay
    cloud = lab.cloud()["cloudflare"]
    assert len({tunnel["name"] for tunnel in cloud["tunnels"].values()}) == len(cloud["tunnels"]) == 3
    assert len({record["name"] for record in cloud["dns_records"].values()}) == len(cloud["dns_records"]) >= 2


def _wait_for_the_plugins_of(engine: int) -> None:
    """They end by themselves, in the time that a person takes to type; until then they may still act."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            os.killpg(engine, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)


def _remove_orphans(lab: Lab, stack: str) -> None:
    """The one documented command between: it shows what it finds, and then removes it."""
    search = lab.environment | {"PATH": f"{lab.twin.state}/bin:{lab.environment['PATH']}"}
    command = [str(ROOT / ".venv/bin/python"), "-m", "kitestacks", "orphans", "-s", stack]
    shown = subprocess.run(command, cwd=ROOT, env=search, capture_output=True, text=True, check=False)
    removed = subprocess.run([*command, "--remove"], cwd=ROOT, env=search, capture_output=True, text=True, check=False)

    assert "found" in shown.stdout, shown.stdout + shown.stderr
    assert shown.stdout.count("found") == removed.stdout.count("removed"), removed.stdout + removed.stderr
