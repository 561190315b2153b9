"""`deploy` on the real engine and daemon: sites go on, and a version that fails goes back with its data."""

from __future__ import annotations

import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from components.fleet_files import fleet_of_files
from kitestacks.console import Console
from kitestacks.deploying.engine import Engine
from kitestacks.deploying.host import deploy
from kitestacks.deploying.order import in_order
from kitestacks.exits import CommandError
from rehearsal.daemon import Daemon
from rehearsal.drill import faults, measure
from rehearsal.drill.probe import Probes
from rehearsal.drill.promised import promised
from rehearsal.drill.scene import Scene
from rehearsal.sites import wait_until_answering
from tests.stack_files import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable

    from kitestacks.deploying.host import HostDeployment
    from tests.engine.lab import Lab

pytestmark = [pytest.mark.engine, pytest.mark.docker]

SERVICES = ("cloudflared", "site-proxy", "portal", "portainer")
PORTAL, KEEPER = "www.kitestacks.com", "portainer.kitestacks.com"
START_TIMEOUT = 8
SLACK = 3
"""The engine's own work around two starts, in turns of a host on which nothing changes, in the same run."""


@pytest.fixture(scope="module")
def deployed(docker_lab: Lab) -> Lab:
    """Both hosts with a shared site without data, and a site of monk's alone that keeps a folder."""
    docker_lab.files.keep(*SERVICES)
    docker_lab.files.edit("monk", "services.portainer.site.public", value=True)
    for stack in ("kscloud1", "monk"):
        docker_lab.files.edit(stack, "host.start-timeout", f"{START_TIMEOUT}s")
    docker_lab.render()
    for stack in ("kscloud1", "monk"):
        docker_lab.up(stack)
    wait_until_answering(docker_lab.twin, (PORTAL, KEEPER))
    return docker_lab


@pytest.fixture
def engine(deployed: Lab, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """As in the rehearsal's shell: its launcher is `pulumi`."""
    monkeypatch.setenv("KITESTACKS_REHEARSAL", str(deployed.twin.state))
    monkeypatch.setenv("PATH", f"{deployed.twin.state}/bin:{deployed.environment['PATH']}")
    return Engine(files=deployed.twin.project, logs=deployed.twin.logs)


def set_image(lab: Lab, stack: str, service: str, image: str, local: str) -> None:
    """Another image in the deployed stack file, with the local one that stands for it."""
    file = lab.twin.project / f"Pulumi.{stack}.yaml"
    document = yaml.safe_load(file.read_text())
    document["config"][f"{PREFIX}services"][service]["image"] = image
    document["config"][f"{PREFIX}images"][image] = local
    file.write_text(yaml.safe_dump(document))


def image_of(lab: Lab, stack: str, service: str) -> str:
    document = yaml.safe_load((lab.twin.project / f"Pulumi.{stack}.yaml").read_text())
    return str(document["config"][f"{PREFIX}services"][service]["image"])


def local_image(lab: Lab, stack: str, service: str) -> Any:  # noqa: ANN401 - the SDK has no types
    daemon = Daemon.find()
    assert daemon
    name = f"{lab.twin.installation}-{stack}-{service}"
    return next(each for each in daemon.containers(lab.twin.installation, stack) if each.name == name).image


def data(lab: Lab) -> Path:
    document = yaml.safe_load((lab.twin.project / "Pulumi.monk.yaml").read_text())
    return Path(document["config"][f"{PREFIX}host"]["data"])


def agreed(_: HostDeployment) -> bool:
    return True


def roll(engine: Engine, asked: Callable[[HostDeployment], bool] = agreed) -> bool:
    fleet_of = partial(fleet_of_files, engine.files)
    return deploy(in_order(fleet_of_files(engine.files), {}), fleet_of, engine, Console(), asked=asked)


def test_shared_site_never_loses_both_while_its_image_changes(deployed: Lab) -> None:
    """The drill of that name: foundation first, then monk, and back again."""
    daemon, upgrade = Daemon.find(), faults.known()["upgrade"]
    assert daemon
    scene = Scene(twin=deployed.twin, daemon=daemon, tools=deployed.tools, console=Console())
    ran = {stack: local_image(deployed, stack, "portal").id for stack in ("kscloud1", "monk")}
    tagged = f"{deployed.twin.installation}-portal:newer"

    with Probes(deployed.twin, [PORTAL]) as probes:
        result = measure.play(upgrade, scene, probes, {PORTAL: promised(upgrade, scene)[PORTAL]})

    (site,) = result.sites
    assert result.kept, site
    assert site.promised is not None
    assert len(site.answered_by) == len(ran), "both hosts carried visitors"
    assert {stack: local_image(deployed, stack, "portal").id for stack in ran} == ran
    assert not daemon.client.images.list(name=tagged)


def test_version_that_never_gets_healthy_goes_back_with_its_data(deployed: Lab, engine: Engine) -> None:
    canary = data(deployed) / "portainer/canary"
    canary.write_text("of before")
    before = image_of(deployed, "monk", "portainer")
    ran = local_image(deployed, "monk", "portainer").id
    sick = next(tag for tag in local_image(deployed, "monk", "cloudflared").tags if "cloudflared" in tag)
    set_image(deployed, "monk", "portainer", "portainer/portainer-ce:2.40.0-alpine", sick)
    migration = threading.Thread(target=_migrate, args=(deployed, canary, ran))
    turns: dict[str, float] = {}

    with Probes(deployed.twin, [KEEPER, PORTAL]) as probes:

        def agreed_at(deployment: HostDeployment) -> bool:
            turns[deployment.host] = probes.now()
            return True

        migration.start()
        with pytest.raises(CommandError) as raised:
            roll(engine, agreed_at)
        assert probes.wait_until_good([KEEPER], 20)
        until = probes.now()
    migration.join()

    told = raised.value.message
    assert "the new version on monk did not hold" in told
    assert "monk runs what it ran before" in told
    assert f"services.portainer.image is {before} again, in Pulumi.monk.yaml" in told
    assert len(told.splitlines()) <= 40, "one screen"
    assert image_of(deployed, "monk", "portainer") == before
    assert local_image(deployed, "monk", "portainer").id == ran
    assert canary.read_text() == "of before"
    assert (data(deployed) / ".before-upgrade/portainer.failed/portainer/canary").read_text() == "migrated"
    assert probes.by_site[KEEPER].silence(0, turns["monk"]) <= 1, "noticed at the other host's turn"
    works = turns["monk"] - turns["kscloud1"]
    assert probes.by_site[KEEPER].silence(0, until) <= 2 * START_TIMEOUT + SLACK * works
    assert probes.by_site[PORTAL].silence(0, until) <= 1


def _migrate(lab: Lab, canary: Path, before: str) -> None:
    """What a new version does to the data once it runs."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if local_image(lab, "monk", "portainer").id != before:
                canary.write_text("migrated")
                return
        except Exception:  # noqa: BLE001 - between two containers there is none
            time.sleep(0.05)
        time.sleep(0.05)
