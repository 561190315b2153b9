"""`restore-drill`: proves that a service comes back, beside the live one, and notes it for the guards."""

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


def run(args: argparse.Namespace) -> int:
    """Fetches the newest backup into a scratch folder, loads its databases into scratch servers, and notes the date.

    Raises:
        CommandError: a restore was not proven; those that were are noted.
    """
    folder, console = Path(args.folder), Console()
    host = BackupHost(fleet=fleet_at(folder, args.stack))
    words = ["drill"] if args.service == "all" else ["drill", args.service]
    code, lines = host.run(*words, console=console, title=f"prove the restore of {args.service} on {args.stack}")
    proven = [line.partition(":")[0] for line in lines if ": proven with snapshot " in line]
    for service in proven:
        console.line(f"noted in {write_down(folder, args.stack, service).name}: {service}")
    if code:
        way_out = "docs/backup.md, when a drill fails: until it is proven, nothing may be taken away"
        raise CommandError(f"restore-drill {args.service}: {lines[-1]}", way_out, Exit.RESOURCE)
    return Exit.OK
