"""Promotion: the host of the logins' database is gone, the other one takes over by a setting, and all goes back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from components.services.authentik_db.writer import DATABASE_SERVICE, LOCAL, USER_SERVICE, without_writer, writer
from kitestacks.exits import CommandError
from rehearsal.drill.beside import Beside
from rehearsal.drill.data.drill import DataDrill, wait_for
from rehearsal.drill.databases import logins
from rehearsal.drill.shell import Shell

if TYPE_CHECKING:
    from rehearsal.drill.data.drill import Notes
    from rehearsal.drill.databases import Database
    from rehearsal.drill.scene import Scene

_TABLE = "kitestacks_drill"
_PAUSE = 0.05
_FIRST_ROWS = 20
"""Rows before the power goes, so that it goes in the middle of writing."""


class _Rows(Beside):
    """Writes numbered rows; a row counts when the database has confirmed it."""

    def __init__(self, database: Database, first: int) -> None:
        super().__init__(_PAUSE)
        self._database = database
        self._next = first
        self.confirmed: set[int] = set()

    def once(self) -> None:
        """Writes one; where it is not confirmed the same once more."""
        try:
            self._database.ask(f"INSERT INTO {_TABLE} VALUES ({self._next})")  # noqa: S608 - a number
        except CommandError:
            return
        self.confirmed.add(self._next)
        self._next += 1

    def wait_for(self, count: int) -> None:
        """Waits until so many rows are confirmed."""
        wait_for(lambda: len(self.confirmed) >= count, f"{count} rows in {self._database.host}'s database")


def _play(scene: Scene, notes: Notes) -> None:
    fleet = scene.fleet()
    old = writer(fleet) or ""
    new = next(host for host in fleet.hosts_of(DATABASE_SERVICE) if host != old)
    shell = Shell(scene=scene)
    kept = _taken_over(scene, notes, shell, old, new)
    _comes_back_and_is_refused(scene, notes, shell, old, new)
    _goes_back(scene, notes, shell, old, new, kept)


def _taken_over(scene: Scene, notes: Notes, shell: Shell, old: str, new: str) -> set[int]:
    """The power goes while rows are written; returns the rows that the new writer has."""
    before, after = logins(scene, old), logins(scene, new)
    before.ask(f"DROP TABLE IF EXISTS {_TABLE}; CREATE TABLE {_TABLE} (number int PRIMARY KEY)")
    with _Rows(before, 1) as rows:
        rows.wait_for(_FIRST_ROWS)
        scene.kill(scene.containers(old))
    notes.add(f"{old} lost its power with {len(rows.confirmed)} rows confirmed")
    scene.set(new, USER_SERVICE, "database", LOCAL)
    planned = shell.pulumi("preview", "-s", new)
    lag = re.search(rf"{DATABASE_SERVICE} on {new} .*", planned)
    notes.require(lag, f"the plan says how far the copy is behind: {lag[0].strip() if lag else planned}")
    shell.up(new)
    found = after.numbers(_TABLE)
    lost = rows.confirmed - found
    notes.require(
        lost == set(range(min(lost, default=0), max(lost, default=-1) + 1)) and max(found) >= _FIRST_ROWS,
        f"{new} writes, with {old} away: {len(lost)} confirmed rows had not been shipped, and are lost",
    )
    with _Rows(after, max(rows.confirmed) + 2) as more:
        more.wait_for(_FIRST_ROWS)
    return found | more.confirmed


def _comes_back_and_is_refused(scene: Scene, notes: Notes, shell: Shell, old: str, new: str) -> None:
    scene.start(scene.containers(old))

    def refused() -> str:
        said = str(scene.container(old, DATABASE_SERVICE).logs(tail=40).decode(errors="replace"))
        found = re.search(rf"refused: .*{new}.*", said)
        return found[0] if found else ""

    wait_for(refused, f"{old} comes back and is refused")
    notes.require(refused(), f"{old} came back and did not write: {refused()}")
    said = shell.kitestacks("database", "rejoin", "-s", old)
    notes.add(said.strip().splitlines()[0])
    shell.up(old)
    wait_for(lambda: _streams(scene, new), f"{old} follows {new}")
    notes.add(f"{old} follows {new}, copied anew")


def _goes_back(scene: Scene, notes: Notes, shell: Shell, old: str, new: str, kept: set[int]) -> None:
    """The planned switch: nothing may be lost."""
    with _Rows(logins(scene, new), max(kept) + 2) as rows:
        rows.wait_for(_FIRST_ROWS)
    scene.set(new, USER_SERVICE, "database", None)
    notes.add(shell.kitestacks("database", "switch", "-s", old).strip().splitlines()[0])
    shell.up(old)
    shell.up(new)
    wait_for(lambda: _streams(scene, old), f"{new} follows {old}")
    everything = kept | rows.confirmed
    sides = {host: logins(scene, host) for host in (old, new)}
    wait_for(lambda: len({frozenset(side.numbers(_TABLE)) for side in sides.values()}) == 1, "both hold the same")
    missing = everything - sides[old].numbers(_TABLE)
    notes.require(not missing, f"{old} writes again, {new} follows; of {len(everything)} rows none was lost")
    sides[old].ask(f"DROP TABLE {_TABLE}")


def _streams(scene: Scene, host: str) -> bool:
    """Whether somebody follows a host's copy."""
    try:
        return logins(scene, host).ask("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") != "0"
    except CommandError:
        return False


PROMOTION = DataDrill(
    name="promotion",
    title="the host of the logins' database is gone, the other one takes over, and back",
    wants="`authentik` and `authentik-db` on two hosts",
    fits=without_writer,
    play=_play,
)
