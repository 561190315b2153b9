"""Bad upgrade: a version of the wiki that changes the database and never gets healthy, under `make deploy`."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from components.services.bookstack.replication import SERVICE_NAME
from kitestacks.exits import CommandError
from rehearsal.drill import faults
from rehearsal.drill.data.drill import LIMIT, BrokenError, DataDrill, wait_for
from rehearsal.drill.databases import wiki
from rehearsal.drill.measure import AFTER
from rehearsal.drill.pages import Writer, both_follow
from rehearsal.drill.probe import Probes
from rehearsal.drill.promised import promised

if TYPE_CHECKING:
    from rehearsal.drill.data.drill import Notes
    from rehearsal.drill.scene import Scene

_DAMAGE = "ALTER TABLE pages ADD COLUMN broken INT; UPDATE pages SET author = 'nobody'"
"""What the bad version does to every page before it fails."""


def _play(scene: Scene, notes: Notes) -> None:
    fleet = scene.fleet()
    site = fleet.site_of(SERVICE_NAME)
    assert site is not None  # noqa: S101 - the wiki has one
    host, hostname = fleet.ranked(site)[0], site.hostname
    allowed = _promised(scene, host, hostname)
    with Writer(scene) as writer, Probes(scene.twin, [hostname]) as probes:
        wait_for(lambda: probes.by_site[hostname].good_since(0), f"{hostname} answers")
        said = _deploy_bad_version(scene, host)
        probes.wait_until_good([hostname], LIMIT)
        time.sleep(AFTER)
        silence = probes.by_site[hostname].silence(0, probes.now() - AFTER)
    notes.require("did not hold" in said, f"make deploy says: {said.splitlines()[0]}")
    notes.require(f"{host} runs what it ran before" in said, f"{host} runs the version of before")
    for each in fleet.hosts_of(SERVICE_NAME):
        columns = wiki(scene, each).ask("SHOW COLUMNS FROM pages LIKE 'broken'")
        notes.require(not columns, f"the database on {each} is the one of before")
    kept = writer.kept()
    notes.require(kept.well, kept.line())
    notes.require(silence <= allowed, f"visitors waited {silence:.1f} s at most, promised {allowed:g} s")


def _promised(scene: Scene, host: str, hostname: str) -> float:
    fault = replace(faults.known()["upgrade"], service=SERVICE_NAME, promises=(f"copy on {host} sick",))
    return promised(fault, scene)[hostname] or 0.0


def _deploy_bad_version(scene: Scene, host: str) -> str:
    """Returns what `make deploy` says when it has gone back."""
    local, image = f"{scene.twin.installation}-{SERVICE_NAME}:bad", scene.image(host, SERVICE_NAME)
    running = scene.container(host, SERVICE_NAME).attrs["Config"]["Image"]
    recipe = f'FROM {running}\nENV WIKI_MIGRATES_BADLY="{_DAMAGE}"\n'
    scene.daemon.client.images.build(fileobj=io.BytesIO(recipe.encode()), tag=local, rm=True)
    scene.set_image(host, SERVICE_NAME, f"{image}-bad", local)
    try:
        scene.roll(host)
    except CommandError as error:
        return error.message
    finally:
        scene.edit(host, "images", f"{image}-bad", None)
        scene.untag(local)
    raise BrokenError("the bad version was taken for a good one")


BAD_UPGRADE = DataDrill(
    name="bad-upgrade",
    title="a new version of the wiki damages its database and never gets healthy",
    wants="the wiki on two hosts with `data: ring`",
    fits=both_follow,
    play=_play,
)
