"""Probe: asks every site ten times a second, as visitors would, and keeps when each answer came."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Self

from rehearsal.sites import Answer, ask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rehearsal.twin import Twin

RATE = 10
"""Questions to each site in a second."""
_PATIENT = 3 * RATE
"""Questions to one site that may wait for their answers at the same time."""


@dataclass
class Probe:
    """Asks one site again and again.

    Attributes:
        twin: The rehearsal.
        hostname: The site.
        began: When the drill began, on the monotonic clock.
        answers: Second of the drill at which each question was asked, and what came back.
    """

    twin: Twin
    hostname: str
    began: float
    answers: list[tuple[float, Answer]] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to ask, in a thread of its own."""
        self._thread = threading.Thread(target=self._ask_on, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends after the question that is under way."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def good_since(self, second: float) -> bool:
        """Whether a question asked since then had a good answer."""
        return any(answer.good for at, answer in self.answers if at >= second)

    def silences(self, since: float, until: float) -> Iterator[tuple[float, float]]:
        """The times between two good answers that are longer than two questions, from `since` to `until`."""
        good = sorted(at for at, answer in self.answers if answer.good and since <= at <= until)
        for earlier, later in pairwise([since, *good, until]):
            if later - earlier > 2.5 / RATE:
                yield earlier, later

    def silence(self, since: float, until: float) -> float:
        """The longest time without a good answer, in seconds."""
        return max((later - earlier for earlier, later in self.silences(since, until)), default=0.0)

    def failed(self, since: float, until: float) -> int:
        """How many questions of that time had no good answer."""
        return sum(not answer.good for at, answer in self.answers if since <= at <= until)

    def answered_by(self, since: float, until: float) -> list[str]:
        """Who answered in that time."""
        return sorted({answer.by for at, answer in self.answers if answer.good and since <= at <= until})

    def faults(self, since: float, until: float) -> list[str]:
        """The edge's codes for what was missing in that time."""
        return sorted({answer.fault for at, answer in self.answers if answer.fault and since <= at <= until})

    def _ask_on(self) -> None:
        """Each question has a thread, so that one without an answer holds up no other."""
        with ThreadPoolExecutor(_PATIENT) as visitors:
            while not self._ended.is_set():
                visitors.submit(self._ask, time.monotonic())
                self._ended.wait(1 / RATE)

    def _ask(self, asked: float) -> None:
        answer = ask(self.twin, self.hostname)
        self.answers.append((asked - self.began, answer))


class Probes:
    """All sites' probes, for as long as the block lasts."""

    def __init__(self, twin: Twin, hostnames: Iterable[str]) -> None:
        self._began = time.monotonic()
        self.by_site = {hostname: Probe(twin, hostname, self._began) for hostname in hostnames}

    def __enter__(self) -> Self:
        for probe in self.by_site.values():
            probe.start()
        return self

    def __exit__(self, *_: object) -> None:
        for probe in self.by_site.values():
            probe.stop()

    def now(self) -> float:
        """The second of the drill."""
        return time.monotonic() - self._began

    def wait_until_good(self, hostnames: Iterable[str], limit: float) -> bool:
        """Waits until each of these sites answers a question asked from now on; False after `limit` seconds."""
        asked, end = self.now(), time.monotonic() + limit
        waiting = [self.by_site[hostname] for hostname in hostnames]
        while not all(probe.good_since(asked) for probe in waiting):
            if time.monotonic() > end:
                return False
            time.sleep(1 / RATE)
        return True
