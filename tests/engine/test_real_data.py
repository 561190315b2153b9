"""A rehearsal with real data: faults under which somebody writes, and every drill of data."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from kitestacks.console import Console
from kitestacks.exits import CommandError
from rehearsal import session, stack_files
from rehearsal.daemon import Daemon
from rehearsal.drill import data, faults, measure
from rehearsal.drill.data.drill import Notes
from rehearsal.drill.pages import Writer
from rehearsal.drill.probe import Probes
from rehearsal.drill.promised import UNTOUCHED, promised
from rehearsal.drill.scene import Scene
from rehearsal.sites import wait_until_answering
from tests.engine.lab import Lab, many_networks, missing_docker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.drill.pages import Kept

pytestmark = [pytest.mark.engine, pytest.mark.docker]

SERVICES = (
    *("cloudflared", "site-proxy", "portal", "node-exporter", "backup", "backup-server"),
    *("authentik", "authentik-db", "redis", "bookstack", "uptime-kuma", "litellm"),
)
"""Every kind of data: PostgreSQL that is followed and that is not, a ring of MariaDB, SQLite, folders."""
START_TIMEOUT = "30s"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Both hosts, with real databases; skips with the reason and the command that helps."""
    if reason := missing_docker():
        pytest.skip(reason)
    if shutil.which("mmdebstrap") is None:
        pytest.skip("no mmdebstrap here: apt-get install mmdebstrap")
    daemon = Daemon.find()
    assert daemon
    with many_networks():
        lab = Lab.open(tmp_path_factory.mktemp("real"), simulated=False, real_data=True, keep=SERVICES)
        try:
            for stack in ("kscloud1", "monk"):
                lab.files.edit(stack, "host.start-timeout", START_TIMEOUT)
            lab.render()
            for stack in ("kscloud1", "monk"):
                lab.up(stack)
            wait_until_answering(lab.twin, stack_files.hostnames(lab.twin.project))
            yield Scene(twin=lab.twin, daemon=daemon, tools=lab.tools, console=Console())
        finally:
            lab.close()


def _written_during(scene: Scene, name: str) -> Kept:
    """Plays a fault while somebody writes; what is promised to visitors of the sites that it touches has to hold.

    The others may miss a moment here: other tests run on this machine, too.
    """
    fault = replace(faults.known()[name], lasts=8.0)
    allowed = promised(fault, scene)
    with Probes(scene.twin, list(allowed)) as probes, Writer(scene) as writer:
        result = measure.play(fault, scene, probes, allowed)
    assert not [site for site in result.sites if not site.kept and site.promised != UNTOUCHED]
    return writer.kept()


def test_cut_tailnet_has_one_writer(scene: Scene) -> None:
    """Both hosts live, and neither reaches the other: visitors of both still end at one database.

    The first fault of this file: proxies remember failures of another one for ten seconds.
    """
    kept = _written_during(scene, "tailnet-cut")

    assert kept.well, kept.line()
    assert set(kept.authors) == {"monk"}


def test_nothing_that_was_saved_is_lost_with_a_host(scene: Scene) -> None:
    kept = _written_during(scene, "monk-gone")

    assert kept.well, kept.line()
    assert set(kept.authors) == {"monk", "kscloud1"}, "writes went on at the other host"


@pytest.mark.parametrize("name", list(data.known()))
def test_drill_of_data_holds(scene: Scene, name: str) -> None:
    notes = Notes(say=print)

    data.known()[name].play(scene, notes)

    assert len(notes.lines) > 2


def test_kinds_of_rehearsals_are_not_mixed(scene: Scene) -> None:
    with pytest.raises(CommandError, match="was made with real data, now it is to have played data") as refused:
        session.begin(Console(), state=scene.twin.state)

    assert "make rehearsal-down" in refused.value.way_out
