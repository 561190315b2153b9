"""`runbook`: writes RUNBOOK.md from the stack files, with the dates of the drills that kept their promises."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from components.errors import ProgramError
from components.fleet_files import fleet_of_files
from components.runbook import rehearsed, runbook_text
from components.runbook.facts import drilled_pages
from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    import argparse

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "RUNBOOK.md"
DATES = ROOT / "docs" / "rehearsed.json"
REPORTS = ROOT / ".kitestacks" / "drills"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the page is not fresh")


def run(args: argparse.Namespace) -> int:
    """Writes the page and the dates, or checks the page.

    Raises:
        CommandError: a stack file is broken, or the page is not what it should be.
    """
    try:
        fleet = fleet_of_files(ROOT)
    except ProgramError as error:
        raise CommandError(str(error), "mend what it says", Exit.CONFIGURATION) from None
    dates = rehearsed.read(DATES)
    if args.check:
        if PAGE.read_text() != runbook_text(fleet, dates):
            raise CommandError(f"{PAGE.name} is not what the stack files say", "make runbook")
        return Exit.OK
    dates = rehearsed.with_drills(dates, REPORTS, drilled_pages(fleet))
    rehearsed.write(DATES, dates)
    PAGE.write_text(runbook_text(fleet, dates))
    Console().line(f"wrote {PAGE.name} and {DATES.relative_to(ROOT)}")
    return Exit.OK
