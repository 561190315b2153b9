"""`drill`: plays faults in the rehearsal and says, per site, for how long nobody answered and what was promised."""

from __future__ import annotations

import json
import signal
import sys
from contextlib import nullcontext
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit
from rehearsal import engine, stack_files, twin
from rehearsal.daemon import Daemon
from rehearsal.drill import data, faults, measure, report
from rehearsal.drill.data.drill import DataResult, Notes
from rehearsal.drill.pages import Writer
from rehearsal.drill.probe import Probes
from rehearsal.drill.promised import promised
from rehearsal.drill.scene import Scene
from rehearsal.sites import wait_until_answering

if TYPE_CHECKING:
    import argparse
    from types import FrameType

    from rehearsal.drill.data.drill import DataDrill
    from rehearsal.drill.measure import Result

REPORTS = twin.ROOT / ".kitestacks" / "drills"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    names, of_data = ", ".join(faults.known()), ", ".join(data.known())
    parser.add_argument(
        "faults",
        nargs="*",
        metavar="FAULT",
        help=f"what to play, all if none is named: {names}; in a rehearsal with real data also: {of_data}",
    )
    parser.add_argument("--seconds", type=float, help="for how long, instead of each fault's own time")
    parser.add_argument("--json", action="store_true", help="for scripts")


def run(args: argparse.Namespace) -> int:
    """Plays the faults one after the other; 1 if a promise was broken.

    Raises:
        CommandError: there is nothing to drill, or no such fault.
    """
    known, of_data = faults.known(), data.known()
    unknown = [name for name in args.faults if name not in {**known, **of_data}]
    if unknown:
        names = ", ".join([*known, *of_data])
        raise CommandError(f"there is no fault {unknown[0]!r}", f"one of: {names}", Exit.CONFIGURATION)
    scene = _scene()
    fleet = scene.fleet()
    fitting = [name for name, drill in of_data.items() if scene.twin.real_data and drill.fits(fleet)]
    wanted = args.faults or [*known, *fitting]
    for name in (each for each in wanted if each in of_data and each not in fitting):
        wants, way_out = of_data[name].wants, "write it into the stack files, then make rehearsal DATA=real"
        if not scene.twin.real_data:
            wants, way_out = "a rehearsal with real data", "make rehearsal-down, then make rehearsal DATA=real"
        raise CommandError(f"{name} needs {wants}", way_out, Exit.CONFIGURATION)
    hostnames = list(stack_files.hostnames(scene.twin.project))
    wait_until_answering(scene.twin, hostnames)
    results: list[Result | DataResult] = []
    for name in wanted:
        if name in of_data:
            results.append(_play_data(scene, of_data[name], as_json=args.json))
        else:
            results.append(_play(scene, known[name], hostnames, args.seconds, as_json=args.json))
    if args.json:
        sys.stdout.write(json.dumps([asdict(each) | {"kept": each.kept} for each in results], indent=2) + "\n")
    return Exit.OK if all(each.kept for each in results) else Exit.OTHER


def _scene() -> Scene:
    found = twin.load(twin.state_folder())
    daemon = Daemon.find()
    if found is None:
        raise CommandError("there is no rehearsal to drill", "make rehearsal", Exit.CONFIGURATION)
    if found.docker is None or daemon is None:
        raise CommandError(
            "this rehearsal's containers are simulated: there is no host to take away",
            "start a Docker daemon, then: make rehearsal-down rehearsal",
            Exit.CONFIGURATION,
        )
    return Scene(twin=found, daemon=daemon, tools=engine.toolchain_or_stop(), console=Console())


def _play(scene: Scene, fault: faults.Fault, hostnames: list[str], seconds: float | None, *, as_json: bool) -> Result:
    played = fault if seconds is None or not fault.lasts else replace(fault, lasts=seconds)
    allowed = promised(played, scene)
    before = signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        with scene.console.step(f"drill {played.name}: {played.title}"), Probes(scene.twin, hostnames) as probes:
            with Writer.of(scene) or nullcontext() as writer:
                result = measure.play(played, scene, probes, allowed)
            if writer is not None:
                result = replace(result, pages=writer.kept())
    finally:
        signal.signal(signal.SIGTERM, before)
    page = report.write(REPORTS, result, datetime.now(UTC))
    if not as_json:
        scene.console.result("\n".join([*_lines(result), f"report {page}"]))
    return result


def _play_data(scene: Scene, drill: DataDrill, *, as_json: bool) -> DataResult:
    """Plays a drill of data, and shows each finding as it comes."""
    notes = Notes(say=lambda line: scene.console.line(f"  {line}"))
    broken = ""
    try:
        with scene.console.step(f"drill {drill.name}: {drill.title}"):
            drill.play(scene, notes)
    except CommandError as error:
        broken = error.message
    result = DataResult(fault=drill.name, title=drill.title, lines=notes.lines, broken=broken)
    page = report.write_data(REPORTS, result, datetime.now(UTC))
    if not as_json:
        ended = f"BROKEN {broken}" if broken else "kept"
        scene.console.result("\n".join([f"drill  {drill.title}", *(f"  {line}" for line in notes.lines), ended]))
        scene.console.result(f"report {page}")
    return result


def _as_interrupt(_signal: int, _frame: FrameType | None) -> None:
    """Asked to end, it puts back what it took away first."""
    raise KeyboardInterrupt


def _lines(result: Result) -> list[str]:
    width = max(len(site.hostname) for site in result.sites)
    lines = [f"drill  {result.title}"]
    for site in result.sites:
        allowed = "as long as it lasts" if site.promised is None else f"{site.promised:g} s"
        who = ", ".join(site.answered_by) or "nobody"
        lines.append(
            f"  {site.hostname:<{width}}  {site.seconds:5.1f} s without an answer, promised {allowed}; "
            f"answered by {who}: {'kept' if site.kept else 'BROKEN'}"
        )
    if result.pages is not None:
        lines.append(f"  wiki: {result.pages.line()}: {'kept' if result.pages.well else 'BROKEN'}")
    lines.append(f"back   {result.back}")
    return lines
