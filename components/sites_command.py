"""`sites`: what is promised of each site, from the stack files; the table of the README is written with it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console as Terminal
from rich.table import Table

from components import contract
from components.errors import ProgramError
from components.fleet_files import fleet_of_files
from components.marked import renewed
from components.sites import SiteReport, site_reports
from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--why", action="store_true", help="each figure with its formula, and what to type")
    parser.add_argument("--json", action="store_true", help="for scripts")
    parser.add_argument("--write", action="store_true", help="write the table of the README anew")


def run(args: argparse.Namespace) -> int:
    """Prints the contract, or writes it down.

    Raises:
        CommandError: a stack file is broken; with every fault.
    """
    try:
        fleet = fleet_of_files(ROOT)
        contract.check_files(fleet)
    except ProgramError as error:
        raise CommandError(str(error), "mend what it says", Exit.CONFIGURATION) from None
    reports = site_reports(fleet)
    if args.write:
        README.write_text(with_table(README.read_text(), reports))
        Console().line(f"wrote {README.name}")
    elif args.json:
        Console().result(json.dumps([asdict(report) for report in reports], indent=2))
    else:
        _show(reports, why=args.why)
    return Exit.OK


def with_table(page: str, reports: Sequence[SiteReport]) -> str:
    """A page with its table of sites made anew.

    Raises:
        ValueError: the page has lost its marks.
    """
    lines = [f"| {' | '.join(_HEADINGS)} |", "|---|---|---|---|---|---|"]
    lines += [f"| {' | '.join((report.hostname, *_cells(report)))} |" for report in reports]
    return renewed(page, "sites", "make sites", lines)


def _cells(report: SiteReport) -> tuple[str, ...]:
    return (" + ".join(report.hosts), report.login, *report.worst_of_each())


def _show(reports: Sequence[SiteReport], *, why: bool) -> None:
    table = Table(box=None, pad_edge=False)
    headings = ("site", "fault", "without an answer", "why", "type") if why else _HEADINGS
    for heading in headings:
        table.add_column(heading)
    for report in reports:
        if not why:
            table.add_row(report.hostname, *_cells(report))
            continue
        for promise in report.promises:
            seconds = "until it is back" if promise.seconds is None else f"{promise.seconds} s"
            table.add_row(report.hostname, promise.fault, seconds, promise.formula, promise.type)
    Terminal(width=None if sys.stdout.isatty() else _WIDTH).print(table)


_WIDTH = 200
"""Of a table that goes to a file or a pipe, where nobody says how wide it may be."""
_HEADINGS = ("site", "stands on", "login", "host gone", "connector gone", "copy sick")
