"""Taking over on the real Docker daemon: a container made by hand, its folder, and a canary in it."""
# The Docker SDK brings no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import io
import tarfile
import uuid
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from components.machine import Machine
from kitestacks.adopt import Adoption
from kitestacks.adopting.copies import Copies
from kitestacks.adopting.declared import Declared, DeclaredContainer
from kitestacks.adopting.moves import Moves
from kitestacks.adopting.plan import When
from kitestacks.console import Console
from rehearsal.daemon import DaemonError, connect
from rehearsal.images.build import ensure
from rehearsal.images.program import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker.client import DockerClient

    from tests.stack_files import StackFiles

pytestmark = pytest.mark.docker

IMAGE = "portainer/portainer-ce:2.39.6-alpine"
OTHER = "grafana/grafana:13.2.0"
KILLED = 137
CANARY = "written before anything was taken over"


@pytest.fixture
def client() -> Iterator[DockerClient]:
    """The daemon of this machine."""
    try:
        found = connect()
    except DaemonError as error:
        pytest.skip(str(error))
    with closing(found):
        yield found


@pytest.fixture
def images() -> dict[str, str]:
    """Stand-ins that stop when they are told to."""
    try:
        return ensure({IMAGE: (9000,), OTHER: (3000,)})
    except ImageError as error:
        pytest.skip(str(error))


@pytest.fixture
def name(client: DockerClient) -> Iterator[str]:
    """A name for this test's containers, which are all removed with it."""
    mark = f"adopt-{uuid.uuid4().hex[:8]}"
    yield mark
    for each in client.containers.list(all=True, filters={"name": mark}):
        each.remove(force=True, v=True)


def canary(client: DockerClient, name: str) -> str:
    """What a container sees in its folder."""
    stream, _ = client.containers.get(name).get_archive("/data/canary")
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        file = archive.extractfile("canary")
        assert file is not None
        return file.read().decode()


def make(client: DockerClient, image: str, name: str, folder: Path, **more: Any) -> None:  # noqa: ANN401
    """A container with the folder mounted, as a hand or the program makes it."""
    mounts = {str(folder): {"bind": "/data", "mode": "rw"}}
    client.containers.run(
        image, detach=True, name=name, volumes=mounts, restart_policy={"Name": "unless-stopped"}, **more
    )


def test_taken_over_on_the_same_folder_and_brought_back(
    client: DockerClient, images: dict[str, str], name: str, files: StackFiles, tmp_path: Path
) -> None:
    root = tmp_path / "docker"
    folder = root / "portainer"
    folder.mkdir(parents=True)
    (folder / "canary").write_text(CANARY)
    files.edit("monk", "host.data", str(root))
    wanted = DeclaredContainer(
        name=name,
        service="portainer",
        image=images[OTHER],
        setting="services.portainer.image",
        mounts={"/data": str(folder)},
    )
    declared = Declared(
        fleet=files.fleet("monk"), containers={name: wanted}, networks=(), folders={}, given=frozenset()
    )
    copies = Copies(machine=Machine("unix:///var/run/docker.sock"), root=str(root))
    there = Adoption(
        declared=declared,
        client=client,
        moves=Moves(client=client, copies=copies, console=Console(io.StringIO())),
    )
    make(client, images[IMAGE], name, folder)

    plan = there.plan()
    assert [pair.old.name for pair in plan.pairs] == [name]
    assert [problem.path for problem in plan.at(When.BEFORE)] == ["services.portainer.image"]
    assert client.containers.get(name).status == "running", "looking changes nothing"

    there = replace(there, declared=replace(declared, containers={name: replace(wanted, image=images[IMAGE])}))
    plan = there.plan()
    assert not plan.at(When.BEFORE)
    there.do(plan, copy=True)
    old = client.containers.get(f"{name}.before")
    assert old.status == "exited"
    assert old.attrs["State"]["ExitCode"] != KILLED
    assert old.attrs["HostConfig"]["RestartPolicy"]["Name"] == "no"

    make(client, images[IMAGE], name, folder, labels={"kitestacks.installation": name})
    assert [each.name for each in there.plan().taken] == [name]
    assert canary(client, name) == CANARY

    there.back()
    back = client.containers.get(name)
    assert back.id == old.id
    assert back.status == "running"
    assert back.attrs["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert canary(client, name) == CANARY
    assert client.containers.get(f"{name}.after").status == "exited"
    kept = next(tmp_path.glob("docker.before-*"))
    assert (kept / str(folder).strip("/") / "canary").read_text() == CANARY
