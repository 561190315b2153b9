"""Pictures: what is uploaded on the host that answers is on the other one soon, and stays when the first is gone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from components.services.bookstack.pictures import CONTAINER, UPLOADS, Pictures
from components.services.bookstack.replication import SERVICE_NAME
from rehearsal.drill.data.drill import DataDrill, wait_for
from rehearsal.sites import ask

if TYPE_CHECKING:
    from rehearsal.drill.data.drill import Notes
    from rehearsal.drill.scene import Scene

_LIMIT = 60.0
"""Seconds within which a picture has to be there."""


def _play(scene: Scene, notes: Notes) -> None:
    fleet = scene.fleet()
    site = fleet.site_of(SERVICE_NAME)
    assert site is not None  # noqa: S101 - the wiki has one
    first, second, *_ = fleet.ranked(site)
    roots = {host: Path(fleet.stacks[host].host.data) for host in (first, second)}
    places = {host: root / "bookstack" / "www" / UPLOADS[0] for host, root in roots.items()}
    name = f"picture-{time.time_ns()}"
    began = time.monotonic()
    notes.require(ask(scene.twin, site.hostname, f"/uploads/{name}", name.encode()).good, f"uploaded on {first}")
    wait_for((places[first] / name).exists, f"the picture is on {first}")
    wait_for((places[second] / name).exists, f"the picture is on {second}", _LIMIT)
    notes.add(f"on {second} after {time.monotonic() - began:.1f} s")
    scene.kill(scene.containers(first))
    try:
        wait_for(lambda: ask(scene.twin, site.hostname, f"/uploads/{name}").good, f"{second} shows the picture")
        notes.add(f"{second} shows it while {first} is gone")
    finally:
        scene.start(scene.containers(first))
    wait_for(lambda: ask(scene.twin, site.hostname).good, "the wiki answers")
    (places[first] / name).unlink()
    wait_for(lambda: not (places[second] / name).exists(), f"what was deleted on {first} is deleted on {second}")
    kept = list((roots[second] / CONTAINER / "kept").rglob(f"{name}*"))
    notes.require(kept, f"deleted on both; {second} keeps it beside the wiki")


PICTURES = DataDrill(
    name="pictures",
    title="a picture is uploaded, its host is gone, and it is deleted again",
    wants="the wiki on two hosts, its pictures carried by Syncthing",
    fits=Pictures.of,
    play=_play,
)
