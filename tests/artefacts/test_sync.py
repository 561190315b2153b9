"""The wiki's pictures on two real Syncthings: carried, deleted, a disk that is not there, a host away, a stranger."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from components.services.bookstack.device import Device
from components.services.bookstack.pictures import UPLOADS, Pictures
from tests.artefacts import sync_world
from tests.artefacts.sync_world import Side, until

if TYPE_CHECKING:
    from collections.abc import Iterator

PROMISED = 60
"""Seconds within which an uploaded file is on the other host."""
ERROR = 8
"""A folder that is not touched (`syncthing/syncthing:lib/model/folderstate.go`), which the alert looks for."""
CAT, DOG = "uploads/images/gallery/2026-11/cat.png", "files/dog.pdf"


@pytest.fixture
def apart() -> Iterator[tuple[Side, Side]]:
    with sync_world.sides(sync_world.program()) as made:
        yield made


@pytest.fixture
def fleet(apart: tuple[Side, Side]) -> tuple[Side, Side]:
    monk, kscloud1 = apart
    for side in apart:
        side.start()
    until(lambda: all(_connected(side) for side in apart), lambda: (monk.log(), kscloud1.log()))
    return monk, kscloud1


def _connected(side: Side) -> bool:
    return side.figure("syncthing_connections_active") > 0


def arrives(side: Side, name: str, text: str) -> float:
    """Waits for a file; returns the seconds that it took."""
    file = side.wiki(name)
    return until(lambda: file.exists() and file.read_text() == text, side.log)


def _is_stopped(side: Side, folder: str) -> bool:
    return side.figure("syncthing_model_folder_state", folder=folder) == ERROR


def test_what_is_uploaded_on_one_host_is_on_the_other_within_a_minute(
    fleet: tuple[Side, Side], capsys: pytest.CaptureFixture[str]
) -> None:
    monk, kscloud1 = fleet
    monk.upload(CAT, "a cat")
    there = arrives(kscloud1, CAT, "a cat")
    kscloud1.upload(DOG, "a dog")
    back = arrives(monk, DOG, "a dog")

    with capsys.disabled():
        sys.stdout.write(f"\npictures: {there:.1f} s from monk to kscloud1, {back:.1f} s back\n")
    assert max(there, back) < PROMISED
    assert kscloud1.wiki(CAT).stat().st_uid == monk.wiki(CAT).stat().st_uid, "the wiki could not delete it"


def test_what_a_person_deletes_is_gone_on_both_and_kept_where_no_visitor_looks(fleet: tuple[Side, Side]) -> None:
    monk, kscloud1 = fleet
    monk.upload(CAT, "a cat")
    arrives(kscloud1, CAT, "a cat")

    monk.wiki(CAT).unlink()

    until(lambda: not kscloud1.wiki(CAT).exists(), kscloud1.log)
    assert (kscloud1.at("/var/syncthing/kept") / CAT).read_text() == "a cat"
    assert not list(kscloud1.wiki("uploads").glob("**/.stversions"))


def test_a_disk_that_is_not_there_deletes_nothing_and_is_noticed(fleet: tuple[Side, Side]) -> None:
    monk, kscloud1 = fleet
    monk.upload(CAT, "a cat")
    arrives(kscloud1, CAT, "a cat")
    monk.stop()
    disk = monk.wiki("uploads")
    disk.rename(disk.with_name("unmounted"))

    monk.make_folders()
    for _ in range(2):
        monk.start()
        until(lambda: _is_stopped(monk, "uploads"), monk.figures)
        until(lambda: _connected(monk), monk.log)
        kscloud1.upload("images/one-more.png", "one more")
        arrives(monk, "images/one-more.png", "one more")
        assert not list(disk.iterdir()), "a mark made anew, or files on the wrong disk"
        assert kscloud1.wiki(CAT).read_text() == "a cat"
        monk.stop()
        monk.wiki("images/one-more.png").unlink()

    kscloud1.upload("uploads/late.png", "late")
    disk.rmdir()
    disk.with_name("unmounted").rename(disk)
    monk.start()
    arrives(monk, "uploads/late.png", "late")
    assert not _is_stopped(monk, "uploads")
    assert kscloud1.wiki(CAT).exists()


def test_a_folder_that_vanishes_under_a_running_host_stops_and_deletes_nothing(fleet: tuple[Side, Side]) -> None:
    monk, kscloud1 = fleet
    monk.upload(CAT, "a cat")
    arrives(kscloud1, CAT, "a cat")

    disk = monk.wiki("uploads")
    disk.rename(disk.with_name("unmounted"))
    disk.mkdir()

    kscloud1.upload("uploads/late.png", "late")
    until(lambda: _is_stopped(monk, "uploads"), monk.figures)
    assert kscloud1.wiki(CAT).exists()
    assert not list(disk.iterdir())


def test_an_emptied_disk_is_a_new_side_and_is_filled_from_the_other(fleet: tuple[Side, Side]) -> None:
    monk, kscloud1 = fleet
    monk.upload(CAT, "a cat")
    arrives(kscloud1, CAT, "a cat")
    monk.stop()
    for each in monk.disk.iterdir():
        shutil.rmtree(each)

    monk.make_folders()
    monk.start()

    arrives(monk, CAT, "a cat")
    assert kscloud1.wiki(CAT).exists()


def test_files_that_are_lost_for_good_come_back_by_the_runbooks_way(fleet: tuple[Side, Side]) -> None:
    monk, kscloud1 = fleet
    monk.upload(CAT, "a cat")
    arrives(kscloud1, CAT, "a cat")
    monk.stop()
    shutil.rmtree(monk.wiki("uploads"))
    monk.make_folders()
    monk.start()
    until(lambda: _is_stopped(monk, "uploads"), monk.figures)

    monk.stop()
    index = monk.at("/var/syncthing/index")
    index.rename(index.with_name("index.before"))
    monk.start()

    arrives(monk, CAT, "a cat")
    assert kscloud1.wiki(CAT).exists()


def test_a_host_that_was_away_catches_up(fleet: tuple[Side, Side]) -> None:
    monk, kscloud1 = fleet
    monk.upload(CAT, "a cat")
    arrives(kscloud1, CAT, "a cat")
    kscloud1.stop()
    until(lambda: not _connected(monk), monk.figures)

    monk.wiki(CAT).unlink()
    monk.upload(DOG, "a dog")
    kscloud1.start()

    arrives(kscloud1, DOG, "a dog")
    until(lambda: not kscloud1.wiki(CAT).exists(), kscloud1.log)
    assert not kscloud1.figure("syncthing_model_folder_summary", scope="need", type="files")


def test_a_backup_that_is_brought_back_on_one_host_leaves_newer_files_in_the_others_keeping(
    fleet: tuple[Side, Side], tmp_path: Path
) -> None:
    monk, kscloud1 = fleet
    monk.upload(CAT, "a cat")
    arrives(kscloud1, CAT, "a cat")
    shutil.copytree(monk.wiki("uploads"), tmp_path / "saved")
    monk.upload("uploads/newer.png", "newer")
    arrives(kscloud1, "uploads/newer.png", "newer")

    monk.stop()
    shutil.rmtree(monk.wiki("uploads"))
    shutil.copytree(tmp_path / "saved", monk.wiki("uploads"))
    monk.give("uploads")
    monk.start()

    kept = kscloud1.at("/var/syncthing/kept/uploads/newer.png")
    until(kept.exists, kscloud1.log)
    assert kept.read_text() == "newer"
    assert kscloud1.wiki(CAT).read_text() == "a cat"


def test_it_listens_where_it_is_told_and_nowhere_else(fleet: tuple[Side, Side]) -> None:
    for side in fleet:
        inside = {link for process in side.processes() for link in _sockets(process)}
        tcp = {place for kind in ("tcp", "tcp6") for place in _bound(kind, inside, state="0A")}
        udp = {place for kind in ("udp", "udp6") for place in _bound(kind, inside)}

        assert tcp == {("0100007F", side.port), ("0100007F", side.gui)}, "loopback is what the test put there"
        assert udp == set()
        (published,) = side.container.inputs["ports"]
        assert published["ip"].startswith("100.64.0.")
        assert (published["internal"], published["protocol"]) == (22000, "tcp")


def _sockets(process: int) -> set[str]:
    links = Path(f"/proc/{process}/fd")
    found = (re.fullmatch(r"socket:\[(\d+)\]", str(each.readlink())) for each in links.iterdir())
    return {match[1] for match in found if match}


def _bound(kind: str, inodes: set[str], state: str = "") -> Iterator[tuple[str, int]]:
    """Address, as the kernel writes it, and port of these sockets."""
    for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]:
        _, local, _, current, *rest = line.split()
        if rest[5] in inodes and (not state or current == state):
            address, _, port = local.partition(":")
            yield address, int(port, 16)


def test_a_stranger_with_another_certificate_is_refused(apart: tuple[Side, Side]) -> None:
    stranger, kscloud1 = apart
    kscloud1.upload(CAT, "a cat")
    kscloud1.start()
    stranger.device = Device.of("monk", "another seed")
    stranger.start()

    short = stranger.device.id.partition("-")[0]
    until(lambda: short in kscloud1.log(), kscloud1.log)
    assert not _connected(kscloud1)
    assert not stranger.wiki(CAT).exists()

    stranger.stop()
    stranger.device = None
    stranger.start()
    arrives(stranger, CAT, "a cat")


def test_each_start_begins_with_the_declared_settings(apart: tuple[Side, Side]) -> None:
    monk, _ = apart
    monk.start()
    own = monk.folder / "memory" / "config.xml"
    declared = own.read_text().count("<listenAddress>")
    own.write_text(own.read_text().replace("</options>", "<listenAddress>default</listenAddress></options>"))
    monk.stop()
    monk.start()

    assert own.read_text().count("<listenAddress>") == declared == 1


def test_where_one_side_only_receives_nothing_of_its_own_is_sent(apart: tuple[Side, Side]) -> None:
    addresses = {"monk": "100.64.0.1", "kscloud1": "100.64.0.2"}
    pictures = Pictures(hosts=addresses, first="monk", way="read-only")
    for side in apart:
        side.rendered = pictures.settings(side.host, "shared-bookstack.sync-seed")
        side.start()
    monk, kscloud1 = apart
    kscloud1.upload("uploads/own.png", "its own")
    monk.upload(CAT, "a cat")

    arrives(kscloud1, CAT, "a cat")
    until(lambda: kscloud1.figure("syncthing_model_folder_summary", folder="uploads", scope="local", type="files") == 2)
    assert not monk.wiki("uploads/own.png").exists()


def test_health_check_fails_when_it_does_not_run(apart: tuple[Side, Side]) -> None:
    monk, _ = apart
    assert not monk.is_healthy()
    monk.start()
    states = {f'syncthing_model_folder_state{{folder="{folder}"}}' for folder in UPLOADS}
    until(lambda: states <= set(monk.figures()), monk.figures)
    monk.stop()
    assert not monk.is_healthy()
