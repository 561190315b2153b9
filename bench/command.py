"""`bench`: what the program costs, as ratios to a bare program that registers the same resources."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench import added, fleets, generated, imports, world
from bench.comparison import compare
from bench.report import Report
from kitestacks.console import Console
from kitestacks.exits import Exit
from rehearsal import stack_files

if TYPE_CHECKING:
    from bench.added import Added
    from bench.comparison import Comparison

_PACKAGE = ("pulumi_cloudflare", "components.edge.cloudflare")


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "--sizes", type=_sizes, default=(10, 50, 200), help="services of the generated stacks (10,50,200); '' for none"
    )
    parser.add_argument(
        "--runs", type=_at_least_one, default=3, help="how often to measure each figure; the median counts (3)"
    )
    parser.add_argument("--json", action="store_true", help="for scripts")


def run(args: argparse.Namespace) -> int:
    """Measures, prints, and judges nothing: another machine has other seconds, and only ratios can be compared."""
    console = Console()
    real, parts = _real(console, args.runs)
    comparisons = [*real, *(_generated(console, size, args.runs) for size in args.sizes)]
    with console.step(f"import {_PACKAGE[0]}"):
        imported = imports.measure(*_PACKAGE, args.runs)
    with console.step("check large fleets"):
        large = [fleets.measure(hosts, sites, args.runs) for hosts, sites in fleets.SIZES]
    report = Report(
        runs=args.runs,
        processors=os.cpu_count() or 1,
        comparisons=comparisons,
        imported=imported,
        fleets=large,
        parts=parts,
    )
    if args.json:
        console.result(report.to_json())
    else:
        report.show(sys.stdout)
    return Exit.OK


def _real(console: Console, runs: int) -> tuple[list[Comparison], list[Added]]:
    """The real stacks, and what their parts add."""
    with world.opened(console) as opened:
        stacks = _deployed(console, opened)
        compared = [compare(console, opened, stack, services=0, runs=runs) for stack in stacks]
        return compared, added.measure(console, opened, runs)


def _generated(console: Console, services: int, runs: int) -> Comparison:
    """The last real stack with so many services more."""
    with tempfile.TemporaryDirectory(prefix="kitestacks-bench-") as folder:
        large = generated.write(Path(folder), services)
        with world.opened(console, files=Path(folder)) as opened:
            _deployed(console, opened)
            return compare(console, opened, large, services=services, runs=runs)


def _deployed(console: Console, opened: world.World) -> list[str]:
    """Deploys every stack, the foundation first, and names them."""
    stacks = stack_files.names()
    for stack in stacks:
        with console.step(f"deploy {stack}"):
            opened.real(stack).deploy()
    return stacks


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted({_at_least_one(word) for word in text.split(",") if word}))


def _at_least_one(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on, got {text!r} (for example 10)")
    return int(text)
