"""Report: all figures of one run, as a table for people and as JSON for scripts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console as Terminal
from rich.table import Table

from bench.comparison import COMMANDS, growths, ratios

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.added import Added
    from bench.comparison import Comparison, Growth
    from bench.fleets import Fleet
    from bench.imports import Import

_WIDTH = 120
"""Columns where there is no terminal to ask."""
_NOISE = 1.1
"""By how much two runs of the same thing may differ before a growth is called more than linear."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that one run has measured.

    Attributes:
        runs: How often each figure was measured; the median counts.
        processors: How many the machine has.
        comparisons: The stacks, the generated ones last and by size.
        imported: The provider package that is not imported.
        fleets: Large fleets, by size.
        parts: What replication and backups add, by host.
    """

    runs: int
    processors: int
    comparisons: Sequence[Comparison]
    imported: Import
    fleets: Sequence[Fleet] = ()
    parts: Sequence[Added] = ()

    def to_json(self) -> str:
        """The figures and their ratios; seconds and MiB."""
        stacks = [
            asdict(each)
            | {
                "ratios": {name: asdict(pair.ratios) for name, pair in each.commands.items()},
                "refresh": asdict(ratios(each.commands["preview"].ours, each.unrefreshed)),
            }
            for each in self.comparisons
        ]
        document: dict[str, Any] = {
            "runs": self.runs,
            "processors": self.processors,
            "stacks": stacks,
            "growth": [asdict(each) for each in growths(self.comparisons)],
            "import": asdict(self.imported),
            "fleets": [asdict(each) for each in self.fleets],
            "parts": [asdict(each) for each in self.parts],
        }
        return json.dumps(document, indent=2)

    def show(self, stream: TextIO) -> None:
        """The figures in words and columns."""
        terminal = Terminal(file=stream, width=None if stream.isatty() else _WIDTH, highlight=False)
        terminal.print(
            f"bench  {self.runs} runs each, the median counts; {self.processors} processors; nothing to do in any run\n"
            "       bare: a program that registers the same resources with literal values, and does nothing else\n"
        )
        terminal.print(_costs(self.comparisons))
        for each in growths(self.comparisons):
            terminal.print(_growth(each))
        for line in (*self._refresh(), self._import(), *self._fleets(), *self._parts()):
            terminal.print(line, soft_wrap=True)

    def _refresh(self) -> Iterator[str]:
        yield "refresh: always (Pulumi.yaml), which makes every plan look at what is really there:"
        for each in self.comparisons:
            preview = each.commands["preview"].ours
            times = ratios(preview, each.unrefreshed)
            yield (
                f"  {_name(each)}: preview {preview.seconds:.2f} s, without refresh {each.unrefreshed.seconds:.2f} s: "
                f"x{times.seconds:.2f}, processor x{times.processor:.2f}"
            )

    def _import(self) -> str:
        it = self.imported
        return (
            f"\nimports: {it.package} takes {it.package_seconds:.2f} s and is not imported; "
            f"{it.module} registers the same types after {it.module_seconds:.3f} s"
        )

    def _fleets(self) -> Iterator[str]:
        for each in self.fleets:
            yield (
                f"contract of {each.hosts} hosts with {each.sites} sites: stack files read in {each.read:.2f} s, "
                f"checked in {each.checked:.2f} s ({1000 * each.checked / each.sites:.2f} ms a site)"
            )

    def _parts(self) -> Iterator[str]:
        for each in self.parts:
            times = ratios(each.preview, each.without)
            yield (
                f"{each.part} on {each.stack}: {each.added.containers} of {each.whole.containers} containers, "
                f"{each.added.mebibytes} of {each.whole.mebibytes} MiB that they may take; "
                f"preview {each.preview.seconds:.2f} s, without {each.without.seconds:.2f} s: "
                f"x{times.seconds:.2f}, processor x{times.processor:.2f}"
            )


def _costs(comparisons: Sequence[Comparison]) -> Table:
    table = _table("stack", "resources", "command", "ours", "bare", "time", "processor", "ours", "bare", "memory")
    for each in comparisons:
        for index, name in enumerate(COMMANDS):
            pair = each.commands[name]
            table.add_row(
                *(("", "") if index else (_name(each), str(each.resources))),
                name,
                f"{pair.ours.seconds:.2f} s",
                f"{pair.bare.seconds:.2f} s",
                _times(pair.ratios.seconds),
                _times(pair.ratios.processor),
                _memory(pair.ours.mebibytes),
                _memory(pair.bare.mebibytes),
                _times(pair.ratios.mebibytes),
            )
    return table


def _growth(step: Growth) -> Table:
    table = _table(
        f"{step.smaller} to {step.larger} services",
        "resources",
        "time",
        "growth",
        "memory",
        "each further resource",
        "bare",
    )
    for name in COMMANDS:
        grown, further = step.commands[name], step.further[name]
        table.add_row(
            name,
            _times(step.resources),
            _times(grown.seconds),
            "linear or less" if grown.seconds <= step.resources * _NOISE else "MORE than linear",
            _times(grown.mebibytes),
            f"{further.ours.seconds * 1000:.1f} ms, {_memory(further.ours.mebibytes, 'KiB')}",
            f"{further.bare.seconds * 1000:.1f} ms, {_memory(further.bare.mebibytes, 'KiB')}",
        )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", no_wrap=True)
    return table


def _name(comparison: Comparison) -> str:
    return f"{comparison.stack} + {comparison.services} services" if comparison.services else comparison.stack


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"x{ratio:.2f}"


def _memory(mebibytes: float | None, unit: str = "MiB") -> str:
    if mebibytes is None:
        return "-"
    return f"{mebibytes * (1024 if unit == 'KiB' else 1):.0f} {unit}"
