"""The room on a real Docker daemon: what a live container has, a scratch one has, and nothing that leads out of it."""

from __future__ import annotations

import io
import json
import re
import shutil
import socket
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from components.backup_runner import description
from components.backup_runner import room as room_module
from components.backup_runner.containers import docker, docker_bytes
from components.backup_runner.plan import BackupError, Kept, Plan
from components.backup_runner.room import Room, clear
from rehearsal.daemon import Daemon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.backup_runner.description import Described

pytestmark = pytest.mark.docker

IMAGE = "kitestacks-room-test:1"
PROGRAMS = ("/bin/sh", "/bin/bash", "/bin/cat", "/bin/grep", "/bin/sleep")
LIVE = "kitestacks-room-test"
INSTALLATION = "room-test"
WORD = "of-the-live-one"
WITHIN = "/run/secrets/key"


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """A shell and its libraries, out of this machine's own files: nothing has to be fetched."""
    if Daemon.find() is None:
        pytest.skip("no Docker daemon answers: apt-get install docker.io, and start it")
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in {each for program in PROGRAMS for each in _with_libraries(program)}:
            archive.add(Path(path).resolve(), arcname=f"root{path}")
        dockerfile = b'FROM scratch\nCOPY root /\nENV WORD=image\nCMD ["/bin/sleep", "600"]\n'
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(dockerfile)
        archive.addfile(entry, io.BytesIO(dockerfile))
    docker_bytes("build", "--tag", IMAGE, "-", stdin=context.getvalue())
    yield IMAGE
    docker("rmi", "--force", IMAGE)


def _with_libraries(program: str) -> list[str]:
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return [program, *re.findall(r"(/\S+) \(0x", listed)]


@pytest.fixture
def plan(tmp_path: Path) -> Iterator[Plan]:
    made = Plan(
        host="monk",
        installation=INSTALLATION,
        root=str(tmp_path),
        data=tmp_path,
        secrets=tmp_path,
        metrics="",
        repository="",
        copy_to="",
        limit=60,
        patience=30,
        services={"papers": Kept(databases=(), folders=("papers",))},
        keeps={},
        proves=(),
        shown=False,
    )
    yield made
    clear(made)


@pytest.fixture
def live(image: str, plan: Plan, tmp_path: Path) -> Iterator[Described]:
    """A running container as the program makes it, and what is written down of it."""
    (tmp_path / "papers").mkdir(mode=0o750)
    (tmp_path / "papers" / "first").write_text("first")
    labels = {"installation": INSTALLATION, "host": "monk", "service": "papers", "files": json.dumps([WITHIN])}
    docker(
        *("create", "--name", LIVE, "--user", "1234:1234", "--group-add", "0", "--memory", "32m", "--init"),
        *("--cap-drop", "ALL", "--cap-add", "CHOWN", "--tmpfs", "/tmp:size=1m", "--publish", "127.0.0.1::80"),  # noqa: S108
        *("--network", "bridge", "--env", "WORD=declared", "--health-cmd", f"grep -q {WORD} {WITHIN} /papers/go"),
        *(part for name, value in labels.items() for part in ("--label", f"kitestacks.{name}={value}")),
        *("--mount", f"type=bind,source={tmp_path}/papers,target=/papers"),
        *("--mount", f"type=bind,source={tmp_path},target=/elsewhere/docker.sock"),
        *("--mount", "type=bind,source=/etc,target=/host"),
        *("--entrypoint", "/bin/sh", image, "-c", "exec sleep 600"),
    )
    try:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as out:
            entry = tarfile.TarInfo(WITHIN.lstrip("/"))
            entry.size, entry.mode = len(WORD), 0o440
            out.addfile(entry, io.BytesIO(WORD.encode()))
        docker_bytes("cp", "-", f"{LIVE}:/", stdin=archive.getvalue())
        docker("start", LIVE)
        files = tmp_path / "backup" / "files"
        files.mkdir(parents=True)
        description.describe(plan, "papers", files)
        (found,) = description.read(files)
        yield found
    finally:
        docker("rm", "--force", "--volumes", LIVE)


def _room(plan: Plan) -> Room:
    """Over a scratch copy of the saved folder."""
    data = plan.scratch / "papers" / "data"
    data.mkdir(parents=True)
    shutil.copytree(plan.data / "papers", data / "papers")
    return Room(plan, data, plan.own / "files")


def _inspect(name: str) -> dict[str, Any]:
    return dict(json.loads(docker("inspect", name))[0])


def _left(plan: Plan) -> list[str]:
    mark = ("--filter", f"label=kitestacks.drill={plan.installation}.{plan.host}")
    return [*docker("ps", "-aq", *mark).split(), *docker("network", "ls", "-q", *mark).split()]


def test_scratch_container_is_the_live_one_without_a_way_out(plan: Plan, live: Described) -> None:
    with _room(plan) as room:
        room.lay_out(live)
        name = room.start(live)
        (plan.scratch / "papers" / "data" / "papers" / "go").write_text(WORD)
        room.wait(live)
        told = _inspect(name)
        host, config = told["HostConfig"], told["Config"]

        assert docker("exec", name, "cat", WITHIN) == WORD, (
            "a private file, read by the container's user through its group"
        )
        assert docker("exec", name, "cat", "/papers/first") == "first"
        assert list(told["NetworkSettings"]["Networks"]) == [room.name]
        assert not host["PortBindings"]
        assert not [each for each in told["Mounts"] if not each["Source"].startswith(str(plan.scratch))]
        assert {each["Destination"] for each in told["Mounts"]} == {"/papers", "/host"}
        assert docker("exec", name, "/bin/sh", "-c", "echo /host/*") == "/host/*\n", "a folder of the host is in it"
        assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], ["CAP_CHOWN"])
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        assert (host["Memory"], host["MemorySwap"], host["Init"]) == (32 * 2**20, 32 * 2**20, True)
        assert host["Tmpfs"] == {"/tmp": "size=1m"}  # noqa: S108 - in a container
        assert (config["User"], "WORD=declared" in config["Env"]) == ("1234:1234", True)
        assert not [label for label in config["Labels"] if label.startswith("kitestacks.installation")]
    assert _left(plan) == []


def test_nothing_is_reached_from_a_room_that_a_live_container_reaches(plan: Plan, live: Described) -> None:
    """Of the host itself, too: a server that listens everywhere is found at the gateway of any other network."""
    with socket.create_server(("0.0.0.0", 0)) as server, _room(plan) as room:
        room.lay_out(live)
        name, port = room.start(live), server.getsockname()[1]
        at_home, in_room = (list(_inspect(each)["NetworkSettings"]["Networks"].values()) for each in (LIVE, name))

        _connect(LIVE, at_home[0]["Gateway"], port)
        for address in (at_home[0]["Gateway"], in_room[0]["Gateway"]):
            with pytest.raises(BackupError, match=r"No route to host|Network is unreachable|Connection timed out"):
                _connect(name, address or "192.0.2.1", port)


def _connect(container: str, address: str, port: int) -> None:
    docker("exec", container, "/bin/bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}")


def test_app_that_is_never_healthy_is_told_with_its_last_words(plan: Plan, live: Described) -> None:
    with _room(plan) as room:
        room.lay_out(live)
        room.start(replace(live, command=("-c", "echo nothing here is mine")))
        with pytest.raises(BackupError, match=f"{LIVE} ended: .*its last line: nothing here is mine"):
            room.wait(live)
    assert _left(plan) == []


def test_health_check_that_hangs_is_no_health(plan: Plan, live: Described, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_module, "_CHECK_LIMIT", 1)
    hanging = replace(live, health=("CMD", "/bin/sleep", "600"))
    with _room(replace(plan, patience=1)) as room:
        room.lay_out(hanging)
        room.start(hanging)
        with pytest.raises(BackupError, match=r"did not get healthy within 1 s: .* /bin/sleep did not end within 1 s"):
            room.wait(hanging)


def test_image_that_is_not_there_is_named(plan: Plan, live: Described) -> None:
    with (
        _room(plan) as room,
        pytest.raises(BackupError, match=r"image room-test\.invalid/none:1 is not on monk and can't"),
    ):
        room.start(replace(live, image="room-test.invalid/none:1"))


def test_what_a_killed_drill_left_is_cleared_and_nothing_else(plan: Plan, live: Described) -> None:
    room = _room(plan)
    room.__enter__()  # never left, as if the power had gone
    room.lay_out(live)
    room.start(live)
    assert len(_left(plan)) == 2

    clear(plan)

    assert _left(plan) == []
    assert not plan.scratch.exists()
    assert _inspect(LIVE)["State"]["Running"]
