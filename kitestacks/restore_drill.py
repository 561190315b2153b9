"""`restore-drill`: proves that a service comes back, on its own host or on another one, and notes it for the guards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from components.proven import write_down
from kitestacks import backup_host
from kitestacks.backup_host import BackupHost, fleet_at
from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("service", help="the service, or `all`")
    backup_host.configure(parser)
    parser.add_argument("--on", default="", help="the host on which it is proven: the one that keeps the backup")


def run(args: argparse.Namespace) -> int:
    """Brings the newest backup to life in scratch containers, and notes the date.

    Raises:
        CommandError: a restore was not proven; those that were are noted.
    """
    folder, console = Path(args.folder), Console()
    source = BackupHost(fleet=fleet_at(folder, args.stack))
    place = BackupHost(fleet=fleet_at(folder, args.on)) if args.on else source
    here = place.fleet.here
    if here not in (args.stack, source.keeper):
        way_out = f"--on {source.keeper}, or leave it out: then {args.stack} proves its own"
        raise CommandError(f"{here} does not keep the backup of {args.stack}", way_out, Exit.CONFIGURATION)
    opened, stdin = source.opened(place, folder)
    title = f"prove on {here} that {args.service} of {args.stack} comes back"
    code, lines = place.run("drill", args.service, *opened, stdin=stdin, console=console, title=title)
    proven = [line.partition(":")[0] for line in lines if ": proven with snapshot " in line]
    for service in proven:
        console.line(f"noted in {write_down(folder, args.stack, service).name}: {service}")
    if code:
        way_out = "docs/backup.md, when a drill fails: until it is proven, nothing may be taken away"
        raise CommandError(f"restore-drill {args.service}: {lines[-1]}", way_out, Exit.RESOURCE)
    return Exit.OK
