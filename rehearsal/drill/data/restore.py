"""Restore: everything of both hosts is saved, wrecked and brought back."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from rehearsal import stack_files
from rehearsal.drill.data.canaries import Canaries
from rehearsal.drill.data.drill import DataDrill
from rehearsal.drill.shell import Shell

if TYPE_CHECKING:
    from rehearsal.drill.data.drill import Notes
    from rehearsal.drill.scene import Scene


def save(scene: Scene, shell: Shell, host: str, notes: Notes) -> Canaries:
    """Writes a host's canaries and saves the host."""
    canaries = Canaries(scene, host, f"written-{time.time_ns()}")
    count = canaries.write()
    began = time.monotonic()
    said = shell.kitestacks("backup", "now", "-s", host, "--folder", str(scene.twin.project))
    took = time.monotonic() - began
    saved = [line.strip() for line in said.splitlines() if "saved as" in line]
    for line in saved:
        notes.add(f"{host}: {line}")
    notes.require(
        len(saved) == len(re.findall("saved as", said)) > 0 and "NOT saved" not in said,
        f"{host}: {len(saved)} services saved with {count} canaries in {took:.1f} s",
    )
    return canaries


def bring_back(scene: Scene, shell: Shell, host: str, *flags: str) -> float:
    """Restores everything of a host; returns the seconds that it took."""
    began = time.monotonic()
    shell.kitestacks("restore", "all", "-s", host, "--folder", str(shell.folder or scene.twin.project), *flags)
    return time.monotonic() - began


def _play(scene: Scene, notes: Notes) -> None:
    shell = Shell(scene=scene)
    canaries = {host: save(scene, shell, host, notes) for host in stack_files.names()}
    for host, written in canaries.items():
        written.wreck()
        notes.require(len(written.missing()) > 0, f"{host}: wrecked, {len(written.missing())} canaries are gone")
    for host, written in canaries.items():
        took = bring_back(scene, shell, host, "--overwrite")
        written.require(notes, f"{host}: all is back in {took:.1f} s")


RESTORE = DataDrill(
    name="restore", title="all data of both hosts is wrecked, and brought back from the backups", play=_play
)
