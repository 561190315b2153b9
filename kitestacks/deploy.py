"""`deploy`: `pulumi up` for every host, in an order in which a shared site never loses both, with a way back for data.

The foundation comes first, or whoever has to migrate what two hosts share; the next host waits until it is healthy and
its sites answer. Before a service that keeps data gets another image its databases are dumped and its folders copied;
what does not hold gets both back.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from components.errors import ProgramError
from components.fleet_files import fleet_of_files
from kitestacks.console import Console
from kitestacks.deploying.engine import Engine
from kitestacks.deploying.host import deploy
from kitestacks.deploying.order import changed_services, check_writers, in_order
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    import argparse

    from kitestacks.deploying.host import HostDeployment


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("-s", "--stack", action="append", help="this host alone (all, in order)")
    parser.add_argument("--yes", action="store_true", help="show the plans, and do not ask")


def run(args: argparse.Namespace) -> int:
    """Deploys the hosts.

    Raises:
        CommandError: a file is broken, a plan refused, or a host did not hold.
    """
    engine, console = Engine(), Console()
    try:
        fleet = fleet_of_files(engine.files)
    except ProgramError as error:
        raise CommandError(str(error), "mend what it says", Exit.CONFIGURATION) from None
    unknown = sorted(set(args.stack or ()) - set(fleet.stacks))
    if unknown:
        known = ", ".join(sorted(fleet.stacks))
        raise CommandError(f"there is no host {unknown[0]!r}", f"one of: {known}", Exit.NO_SUCH_STACK)
    if not args.yes and not sys.stdin.isatty():
        raise CommandError("nobody is there to be asked", "deploy --yes, from a script", Exit.CONFIGURATION)
    fleet_of = partial(fleet_of_files, engine.files)
    changed = changed_services(fleet, fleet_of, engine)
    hosts = [host for host in in_order(fleet, changed) if not args.stack or host in args.stack]
    check_writers(fleet, changed, hosts)
    asked = partial(_shown_and_agreed, yes=args.yes)
    done = deploy(hosts, fleet_of, engine, console, asked=asked)
    console.result(f"deployed: {', '.join(hosts)}" if done else "declined; nothing more was changed")
    return Exit.OK if done else Exit.CANCELLED


def _shown_and_agreed(deployment: HostDeployment, *, yes: bool) -> bool:
    deployment.engine.preview(deployment.host)
    for line in deployment.lines():
        deployment.console.line(line)
    return yes or input(f"deploy {deployment.host}? [y/N] ").strip().lower() in ("y", "yes")
