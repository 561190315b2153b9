"""`restore`: brings a service, or all of a host, back from its backup, there or on another host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kitestacks import backup_host
from kitestacks.backup_host import BackupHost, fleet_at
from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    import argparse

_REFUSED = {
    "holds what the backup does not": "look at what is newer, and say --overwrite: what is there now is kept aside",
    "is one side of a ring": "docs/backup.md, a wiki on two hosts, has the three lines to type",
    "follows another host's database": "the same command with -s and the host that writes",
}
"""What the runner refuses to do without the owner's word, and what to do then."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("service", help="the service, or `all`")
    backup_host.configure(parser)
    parser.add_argument("--to", default="", help="the host on which it is brought back, if not its own")
    parser.add_argument("--snapshot", default="", help="beginning of a snapshot's id; the newest if unsaid")
    parser.add_argument("--dry-run", action="store_true", help="list what would change, and change nothing")
    parser.add_argument("--overwrite", action="store_true", help="also where there is newer data, which is kept aside")
    parser.add_argument(
        "--both-sides",
        action="store_true",
        help="also where another host's database follows this one, and is replaced with it: its app is stopped there",
    )


def run(args: argparse.Namespace) -> int:
    """Fetches the backup beside the live data, compares, and exchanges the two.

    Raises:
        CommandError: there is newer data, or it could not be brought back.
    """
    folder, console = Path(args.folder), Console()
    source = BackupHost(fleet=fleet_at(folder, args.stack))
    place = BackupHost(fleet=fleet_at(folder, args.to)) if args.to else source
    words = ["restore", args.service, *(["--snapshot", args.snapshot] if args.snapshot else [])]
    flags = {"--dry-run": args.dry_run, "--overwrite": args.overwrite, "--both-sides": args.both_sides}
    words += [flag for flag, said in flags.items() if said]
    opened, stdin = source.opened(place, folder)
    title = f"restore {args.service} of {args.stack} on {place.fleet.here}"
    code, lines = place.run(*words, *opened, stdin=stdin, console=console, title=title)
    if code == Exit.OK:
        return Exit.OK
    for sign, way_out in _REFUSED.items():
        if any(sign in line for line in lines):
            raise CommandError(f"restore {args.service}: {lines[-1]}", way_out, Exit.POLICY)
    way_out = "docs/backup.md, when a restore fails; nothing is half done"
    raise CommandError(f"restore {args.service}: {lines[-1]}", way_out, Exit.RESOURCE)
