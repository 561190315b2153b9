"""When each fault of the runbook was last rehearsed: a small file, written by hand or from drills."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """The last time that a fault was rehearsed and its page held.

    Attributes:
        date: The day, as 2026-11-27.
        by: How, in words or as a command.
    """

    date: str
    by: str

    def __post_init__(self) -> None:
        date.fromisoformat(self.date)


def read(file: Path) -> dict[str, Rehearsal]:
    """The file, by the faults' titles.

    Raises:
        ValueError: a date is none.
    """
    return {title: Rehearsal(**each) for title, each in json.loads(file.read_text()).items()}


def write(file: Path, rehearsed: Mapping[str, Rehearsal]) -> None:
    """The file anew."""
    known = {title: asdict(each) for title, each in rehearsed.items()}
    file.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")


def with_drills(rehearsed: Mapping[str, Rehearsal], reports: Path, pages: Mapping[str, str]) -> dict[str, Rehearsal]:
    """What is known, with newer drills whose promises were kept.

    Args:
        rehearsed: What is known.
        reports: Folder of the drills' reports, `<day>T<time>-<fault>.json`; it need not exist.
        pages: The page that a drill's fault rehearses.
    """
    found = dict(rehearsed)
    for report in sorted(reports.glob("*.json")):
        told = json.loads(report.read_text())
        day, title = report.name.partition("T")[0], pages.get(told["fault"], "")
        if told["kept"] and title and (title not in found or found[title].date <= day):
            found[title] = Rehearsal(date=day, by=f"`make drill FAULT={told['fault']}`")
    return found
