"""`drill`: takes a host away in the rehearsal and says, per site, for how long nobody answered."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit
from rehearsal import drill, engine, session, stack_files, twin
from rehearsal.daemon import Daemon
from rehearsal.sites import wait_until_answering

if TYPE_CHECKING:
    import argparse

    from rehearsal.drill import Result


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--host", default="monk", help="the host to take away (monk)")
    parser.add_argument("--seconds", type=float, default=10.0, help="for how long (10)")
    parser.add_argument("--json", action="store_true", help="for scripts")


def run(args: argparse.Namespace) -> int:
    """Runs the drill; 1 if a promise was broken.

    Raises:
        CommandError: there is nothing to take away, or it could not be put back.
    """
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
    containers = daemon.containers(found.installation, args.host)
    if not containers:
        known = ", ".join(stack_files.names())
        what = f"{args.host} has no containers here"
        raise CommandError(what, f"one of: {known}; or: make rehearsal", Exit.CONFIGURATION)
    console = Console()
    tools = engine.toolchain_or_stop()
    sites = stack_files.hostnames()
    wait_until_answering(found, sites)

    def put_back() -> None:
        session.deploy(console, found, tools, args.host)
        wait_until_answering(found, sites)

    with console.step(f"take {args.host} away for {args.seconds:g} s"):
        result = drill.take_away(found, args.host, containers, sites, seconds=args.seconds, put_back=put_back)
    if args.json:
        console.result(json.dumps(asdict(result) | {"kept": result.kept}, indent=2))
    else:
        console.result("\n".join(_lines(result)))
    return Exit.OK if result.kept else Exit.OTHER


def _lines(result: Result) -> list[str]:
    lines = [
        f"drill  {result.host} goes away      promise: shared sites answer again within {drill.PROMISE:g} s",
        f"  {result.gone:5.1f}  {result.host}'s containers are dead",
    ]
    for site in result.sites:
        who = ", ".join(site.answered_by) or "nobody"
        lines.append(
            f"         {site.hostname}  {site.seconds:.1f} s without an answer, "
            f"{site.failed} of {site.asked} questions failed, answered by {who}: {'kept' if site.kept else 'BROKEN'}"
        )
    lines.append(f"  {result.back:5.1f}  {result.host} is back, by `pulumi up -s {result.host}`")
    lines.append(f"result {'all promises kept' if result.kept else 'a promise was broken'}")
    return lines
