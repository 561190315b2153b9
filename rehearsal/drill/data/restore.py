"""Restore: everything of both hosts is saved, wrecked and brought back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from components.backup_plan import SERVICE
from components.services.bookstack.replication import SERVICE_NAME
from kitestacks.backup_host import BackupHost
from rehearsal import stack_files
from rehearsal.drill.data.canaries import Canaries
from rehearsal.drill.data.drill import DataDrill
from rehearsal.drill.pages import both_follow
from rehearsal.drill.shell import Shell

if TYPE_CHECKING:
    from components.fleet import Fleet
    from rehearsal.drill.data.drill import Notes
    from rehearsal.drill.scene import Scene


def save(scene: Scene, shell: Shell, host: str, notes: Notes) -> Canaries:
    """Writes a host's canaries and saves the host."""
    canaries = Canaries(scene, host, f"written-{time.time_ns()}")
    count = canaries.write()
    began = time.monotonic()
    said = shell.kitestacks("backup", "now", "-s", host, "--folder", str(shell.place))
    took = time.monotonic() - began
    saved = [line.strip() for line in said.splitlines() if "saved as" in line]
    for line in saved:
        notes.add(f"{host}: {line}")
    notes.require(
        saved and "NOT saved" not in said,
        f"{host}: {len(saved)} services saved with {count} canaries in {took:.1f} s",
    )
    return canaries


def bring_back(shell: Shell, host: str) -> float:
    """Restores everything of a host, over whatever is newer; returns the seconds that it took."""
    began = time.monotonic()
    shell.kitestacks("restore", "all", "-s", host, "--folder", str(shell.place), "--overwrite")
    return time.monotonic() - began


def bring_back_wiki(scene: Scene, shell: Shell) -> float | None:
    """Restores a wiki whose two databases follow each other on both sides; seconds, or None where they don't.

    As the refusal says that a restore of one side alone gets: the app on the other host is stopped meanwhile.
    """
    fleet = scene.fleet()
    site = fleet.site_of(SERVICE_NAME)
    if site is None or not both_follow(fleet):
        return None
    first, second = fleet.ranked(site)
    began = time.monotonic()
    apps = scene.containers(second, SERVICE_NAME)
    for app in apps:
        app.stop()
    words = ("-s", first, "--folder", str(shell.place), "--both-sides", "--overwrite")
    shell.kitestacks("restore", SERVICE_NAME, *words)
    scene.start(apps)
    return time.monotonic() - began


def _prove(scene: Scene, shell: Shell, notes: Notes, host: str) -> None:
    """Each service comes up from the backup on the host that keeps it, beside what lives there."""
    keeper = BackupHost(fleet=scene.fleet(host)).keeper
    began = time.monotonic()
    said = shell.kitestacks("restore-drill", "all", "-s", host, "--on", keeper, "--folder", str(shell.place))
    proven = [line.strip() for line in said.splitlines() if ": proven with snapshot " in line]
    for line in proven:
        notes.add(f"{keeper} proves {host}'s {line}")
    took = time.monotonic() - began
    notes.require(
        proven and "NOT proven" not in said, f"{len(proven)} services of {host} proven on {keeper} in {took:.1f} s"
    )


def _play(scene: Scene, notes: Notes) -> None:
    shell = Shell(scene=scene)
    canaries = {host: save(scene, shell, host, notes) for host in stack_files.names(scene.twin.project)}
    for host in canaries:
        _prove(scene, shell, notes, host)
    for host, written in canaries.items():
        written.wreck()
        notes.require(len(written.missing()) > 0, f"{host}: wrecked, {len(written.missing())} canaries are gone")
    for host in canaries:
        took = bring_back(shell, host)
        notes.add(f"{host}: all but what the other host has by itself is back in {took:.1f} s")
    if (took_wiki := bring_back_wiki(scene, shell)) is not None:
        notes.add(f"the wiki is back on both sides in {took_wiki:.1f} s")
    for host, written in canaries.items():
        written.require(notes, f"{host}: every canary is there again")


def saved_elsewhere(fleet: Fleet) -> bool:
    """Whether every host saves to another one."""
    return all(host in fleet.hosts_of(SERVICE) for host in fleet.stacks)


RESTORE = DataDrill(
    name="restore",
    title="all data of both hosts is wrecked, and brought back from the backups",
    wants="a `backup` on every host",
    fits=saved_elsewhere,
    play=_play,
)
