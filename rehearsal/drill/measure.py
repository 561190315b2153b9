"""Measure: plays a fault under the probes, and holds what visitors noticed against what the contract promises."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rehearsal.drill.faults import Fault
    from rehearsal.drill.pages import Kept
    from rehearsal.drill.probe import Probe, Probes
    from rehearsal.drill.scene import Scene

BEFORE = 1.5
"""Seconds of answers before the fault, as proof that the probes see any."""
AFTER = 1.5
"""Seconds of answers after everything answers again."""
RETURN = 60.0
"""Seconds that sites may take to come back once the fault is mended."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A stretch of a site's timeline.

    Attributes:
        since: Second of the drill.
        until: Second of the drill.
        by: The connector that answered; empty: nobody did.
    """

    since: float
    until: float
    by: str


@dataclass(frozen=True, kw_only=True)
class SiteResult:
    """What a drill measured of one site.

    Attributes:
        hostname: The site.
        promised: Seconds that the contract allows without an answer; None: as long as the fault lasts.
        seconds: The longest time without an answer.
        failed: Questions without a good answer.
        answered_by: Who answered while the fault lasted.
        faults: The edge's codes for what was missing.
        returned: It answers again after the fault.
        segments: Its timeline.
    """

    hostname: str
    promised: float | None
    seconds: float
    failed: int
    answered_by: list[str]
    faults: list[str]
    returned: bool
    segments: list[Segment]

    @property
    def kept(self) -> bool:
        """Whether the promise held."""
        return self.returned and (self.promised is None or self.seconds <= self.promised)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a drill measured.

    Attributes:
        fault: Its name.
        title: What went wrong, in a sentence.
        back: What put it back.
        struck: Second of the drill at which the fault was there.
        mended: Second at which it was being put back.
        ended: Second at which the probes stopped.
        sites: Per site.
        pages: What became of the pages that somebody wrote meanwhile; None: the rehearsal's data is played.
    """

    fault: str
    title: str
    back: str
    struck: float
    mended: float
    ended: float
    sites: list[SiteResult]
    pages: Kept | None = None

    @property
    def kept(self) -> bool:
        """Whether every promise held, and nothing that was saved is missing."""
        return all(site.kept for site in self.sites) and (self.pages is None or self.pages.well)


def play(fault: Fault, scene: Scene, probes: Probes, promised: Mapping[str, float | None]) -> Result:
    """Plays one fault; it is put back even when the drill is interrupted."""
    time.sleep(BEFORE)
    began = probes.now()
    try:
        fault.strike(scene)
        struck = probes.now()
        time.sleep(fault.lasts)
        mended = probes.now()
    finally:
        fault.mend(scene)
    probes.wait_until_good(promised, RETURN)
    time.sleep(AFTER)
    ended = probes.now()
    sites = [
        _measure(probes.by_site[hostname], _Times(began, mended, ended), allowed)
        for hostname, allowed in promised.items()
    ]
    return Result(
        fault=fault.name,
        title=fault.title,
        back=fault.back,
        struck=round(struck, 1),
        mended=round(mended, 1),
        ended=round(ended, 1),
        sites=sites,
    )


class _Times(NamedTuple):
    began: float
    mended: float
    ended: float


def _measure(probe: Probe, times: _Times, promised: float | None) -> SiteResult:
    # A site that the fault takes down comes back only after it; one that goes on has to answer all along.
    since, until = times.began, times.mended if promised is None else times.ended
    return SiteResult(
        hostname=probe.hostname,
        promised=promised,
        seconds=round(probe.silence(since, until), 2),
        failed=probe.failed(since, times.ended),
        answered_by=probe.answered_by(since, until),
        faults=probe.faults(since, times.ended),
        returned=probe.good_since(times.mended),
        segments=list(_segments(probe)),
    )


def _segments(probe: Probe) -> list[Segment]:
    found: list[Segment] = []
    for at, answer in sorted(probe.answers, key=lambda each: each[0]):
        by = answer.by if answer.good else ""
        if found and found[-1].by == by:
            found[-1] = Segment(since=found[-1].since, until=at, by=by)
        else:
            if found:
                found[-1] = Segment(since=found[-1].since, until=at, by=found[-1].by)
            found.append(Segment(since=at, until=at, by=by))
    return found
