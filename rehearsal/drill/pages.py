"""Pages: a person who goes on writing in the wiki while a drill is played, and the proof that nothing of it is lost."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Self

from components.fleet_files import fleet_of_files
from rehearsal.drill.databases import wiki
from rehearsal.sites import ask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rehearsal.drill.scene import Scene

_PAUSE = 0.2
_LIMIT = 60.0
"""Seconds that the two databases are given to agree."""
_SERVICE = "bookstack"


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


class Writer:
    """Saves numbered pages through the edge, for as long as the block lasts.

    Args:
        scene: The rehearsal.
    """

    def __init__(self, scene: Scene) -> None:
        fleet = fleet_of_files(scene.twin.project)
        site = fleet.site_of(_SERVICE)
        self._scene = scene
        self._hosts = fleet.hosts_of(_SERVICE)
        self._hostname = site.hostname if site else ""
        self._first = int(time.time()) % 10**6 * 1000
        self._saved: dict[int, float] = {}
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._write_on, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def kept(self) -> Kept:
        """Looks at both hosts' databases, once they agree or their time is over."""
        sides = {host: wiki(self._scene, host) for host in self._hosts}
        end = time.monotonic() + _LIMIT
        while not (applied := self._same()) and time.monotonic() < end:
            time.sleep(0.5)
        lost: set[int] = set()
        for side in sides.values():
            lost |= set(self._saved) - side.numbers("pages")
        authors: dict[str, int] = {}
        first = next(iter(sides.values()))
        query = f"SELECT author, COUNT(*) FROM pages WHERE number >= {self._first} GROUP BY author"  # noqa: S608 - a number
        for line in first.ask(query).splitlines():
            author, _, count = line.partition("\t")
            authors[_host_of(author, self._hosts)] = int(count)
        moments = sorted(self._saved.values())
        pause = max((later - earlier for earlier, later in pairwise(moments)), default=0.0)
        return Kept(saved=len(self._saved), lost=sorted(lost), authors=authors, pause=pause, applied=applied)

    def _same(self) -> bool:
        """Equal by checksum, and no side has stopped to follow the other."""
        sums = set()
        for host in self._hosts:
            side = wiki(self._scene, host)
            status = side.ask("SHOW SLAVE STATUS", "--vertical")
            if "Slave_IO_Running: Yes" not in status or "Slave_SQL_Running: Yes" not in status:
                return False
            sums.add(side.ask("CHECKSUM TABLE pages, migrations, activities"))
        return len(sums) == 1

    def _write_on(self) -> None:
        number = self._first
        while not self._ended.is_set():
            if ask(self._scene.twin, self._hostname, f"/pages/{number}", b"").good:
                self._saved[number] = time.monotonic()
            number += 1
            self._ended.wait(_PAUSE)


def _host_of(author: str, hosts: Sequence[str]) -> str:
    return next((host for host in hosts if f"-{host}-" in author), author)
