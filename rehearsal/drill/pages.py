"""Pages: a person who goes on writing in the wiki while a drill is played, and the proof that nothing of it is lost."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from components.host import physical_name
from components.services.bookstack.replication import SERVICE_NAME, Pair
from rehearsal.drill.beside import Beside
from rehearsal.drill.databases import wiki
from rehearsal.sites import ask

if TYPE_CHECKING:
    from components.fleet import Fleet
    from rehearsal.drill.scene import Scene

_PAUSE = 0.2
_LIMIT = 60.0
"""Seconds that the two databases are given to agree."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What became of the pages.

    Attributes:
        saved: Pages that the wiki said it had saved.
        lost: Those of them that a host does not have.
        authors: How many of them each host's copy saved.
        pause: The longest time in which none was saved, in seconds.
        applied: Whether both databases hold the same, and both go on following each other.
    """

    saved: int
    lost: list[int]
    authors: dict[str, int]
    pause: float
    applied: bool

    @property
    def well(self) -> bool:
        """Whether nothing is missing anywhere."""
        return self.applied and not self.lost and self.saved > 0

    def line(self) -> str:
        """In words."""
        by = ", ".join(f"{count} by {host}" for host, count in sorted(self.authors.items()))
        state = "both databases hold the same" if self.applied else "the two databases DIFFER"
        return f"{self.saved} pages saved ({by}), {len(self.lost)} lost, no page for {self.pause:.1f} s; {state}"


def both_follow(fleet: Fleet) -> bool:
    """Whether the wiki's two databases follow each other, so that what is saved on either has to be on both."""
    pair = Pair.of(fleet)
    return pair is not None and pair.way == "ring"


class Writer(Beside):
    """Saves numbered pages through the edge, in a wiki whose two databases follow each other.

    Args:
        scene: The rehearsal.
    """

    @classmethod
    def of(cls, scene: Scene) -> Writer | None:
        """One for a rehearsal in which somebody can go on writing; None: its data is played, or goes another way."""
        return cls(scene) if scene.twin.real_data and both_follow(scene.fleet()) else None

    def __init__(self, scene: Scene) -> None:
        super().__init__(_PAUSE)
        fleet = scene.fleet()
        site = fleet.site_of(SERVICE_NAME)
        self._twin = scene.twin
        self._sides = {host: wiki(scene, host) for host in fleet.hosts_of(SERVICE_NAME)}
        self._hostname = site.hostname if site else ""
        self._first = self._next = int(time.time()) % 10**6 * 1000
        self._saved: dict[int, float] = {}

    def once(self) -> None:
        """Saves one page; only what the wiki says it has saved counts."""
        if ask(self._twin, self._hostname, f"/pages/{self._next}", b"").good:
            self._saved[self._next] = time.monotonic()
        self._next += 1

    def kept(self) -> Kept:
        """Looks at both hosts' databases, once they agree or their time is over."""
        end = time.monotonic() + _LIMIT
        while not (applied := self._same()) and time.monotonic() < end:
            time.sleep(0.5)
        lost: set[int] = set()
        for side in self._sides.values():
            lost |= set(self._saved) - side.numbers("pages")
        authors: dict[str, int] = {}
        copies = {physical_name(self._twin.installation, host, SERVICE_NAME): host for host in self._sides}
        query = f"SELECT author, COUNT(*) FROM pages WHERE number >= {self._first} GROUP BY author"  # noqa: S608 - a number
        for line in next(iter(self._sides.values())).ask(query).splitlines():
            author, _, count = line.partition("\t")
            authors[copies[author]] = int(count)
        moments = sorted(self._saved.values())
        pause = max((later - earlier for earlier, later in pairwise(moments)), default=0.0)
        return Kept(saved=len(self._saved), lost=sorted(lost), authors=authors, pause=pause, applied=applied)

    def _same(self) -> bool:
        """Equal by checksum, and no side has stopped to follow the other."""
        sums = set()
        for side in self._sides.values():
            status = side.ask("SHOW SLAVE STATUS", "--vertical")
            if "Slave_IO_Running: Yes" not in status or "Slave_SQL_Running: Yes" not in status:
                return False
            sums.add(side.ask("CHECKSUM TABLE pages, migrations, activities"))
        return len(sums) == 1
