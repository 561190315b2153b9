"""The drill: takes a host away without a word, measures what visitors notice, puts it back."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from rehearsal.sites import Answer, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from docker.models.containers import Container

    from rehearsal.twin import Twin

PROMISE = 5.0
"""Seconds that a shared site may be without an answer when one host is gone."""
_RATE = 10
"""Questions to each site in a second."""
_BEFORE = 1.0
"""Seconds of answers before the fault, as proof that the probe sees any."""


@dataclass
class Probe:
    """Asks one site again and again, and keeps when each answer came."""

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

    def _ask_on(self) -> None:
        while not self._ended.is_set():
            asked = time.monotonic()
            answer = ask(self.twin, self.hostname)
            self.answers.append((time.monotonic() - self.began, answer))
            self._ended.wait(max(0.0, 1 / _RATE - (time.monotonic() - asked)))

    def silence(self, since: float, until: float) -> float:
        """The longest time between two good answers, in seconds, from `since` to `until`."""
        good = [at for at, answer in self.answers if answer.good and since <= at <= until]
        marks = [since, *good, until]
        return max(later - earlier for earlier, later in pairwise(marks))

    def bad(self, since: float, until: float) -> tuple[int, int]:
        """How many questions of that time went without a good answer, and how many there were."""
        inside = [answer for at, answer in self.answers if since <= at <= until]
        return sum(not answer.good for answer in inside), len(inside)

    def answered_by(self, since: float, until: float) -> list[str]:
        """Who answered in that time."""
        return sorted({answer.by for at, answer in self.answers if answer.good and since <= at <= until})


@dataclass(frozen=True, kw_only=True)
class SiteResult:
    """What a drill measured of one site.

    Attributes:
        hostname: The site.
        shared: Whether it was promised to go on.
        seconds: The longest time without an answer while the host was gone.
        failed: Questions without a good answer while the host was gone.
        asked: All questions of that time.
        answered_by: The connectors that answered meanwhile.
        kept: Whether the promise held; a site of the lost host alone is promised nothing.
    """

    hostname: str
    shared: bool
    seconds: float
    failed: int
    asked: int
    answered_by: list[str]
    kept: bool


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a drill measured.

    Attributes:
        host: The host that was taken away.
        gone: Second of the drill at which its containers were dead.
        back: Second at which it was put back.
        sites: Per site.
    """

    host: str
    gone: float
    back: float
    sites: list[SiteResult]

    @property
    def kept(self) -> bool:
        """Whether every promise held."""
        return all(site.kept for site in self.sites)


def take_away(
    twin: Twin,
    host: str,
    containers: list[Container],
    sites: Mapping[str, list[str]],
    *,
    seconds: float,
    put_back: Callable[[], None],
) -> Result:
    """Kills a host's containers as a power cut would, waits, and puts the host back even when interrupted."""
    began = time.monotonic()
    probes = {hostname: Probe(twin, hostname, began) for hostname in sites}
    for probe in probes.values():
        probe.start()
    try:
        time.sleep(_BEFORE)
        gone = time.monotonic() - began
        for container in containers:
            container.kill()
        time.sleep(seconds)
        until = time.monotonic() - began
    finally:
        put_back()
        back = time.monotonic() - began
        for probe in probes.values():
            probe.stop()
    measured = [_measure(probe, host, sites[hostname], gone, until) for hostname, probe in probes.items()]
    return Result(host=host, gone=gone, back=back, sites=measured)


def _measure(probe: Probe, host: str, hosts: list[str], gone: float, until: float) -> SiteResult:
    goes_on = hosts != [host]
    seconds = probe.silence(gone, until)
    failed, asked = probe.bad(gone, until)
    return SiteResult(
        hostname=probe.hostname,
        shared=len(hosts) > 1,
        seconds=round(seconds, 2),
        failed=failed,
        asked=asked,
        answered_by=probe.answered_by(gone, until),
        kept=seconds <= PROMISE or not goes_on,
    )
