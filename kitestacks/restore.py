"""`restore`: brings a service, or all of a host, back from its backup, there or on another host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from kitestacks import backup_host
from kitestacks.backup_host import BackupHost, fleet_at, recovery_password
from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("service", help="the service, or `all`")
    backup_host.configure(parser)
    parser.add_argument("--to", default="", help="the host on which it is brought back, if not its own")
    parser.add_argument("--snapshot", default="", help="beginning of a snapshot's id; the newest if unsaid")
    parser.add_argument("--dry-run", action="store_true", help="list what would change, and change nothing")
    parser.add_argument("--overwrite", action="store_true", help="also where there is newer data, which is kept aside")


def run(args: argparse.Namespace) -> int:
    """Fetches the backup beside the live data, compares, and exchanges the two.

    Raises:
        CommandError: there is newer data, or it could not be brought back.
    """
    folder, console = Path(args.folder), Console()
    source = BackupHost(fleet=fleet_at(folder, args.stack))
    place = BackupHost(fleet=fleet_at(folder, args.to)) if args.to else source
    words = ["restore", args.service, *(["--snapshot", args.snapshot] if args.snapshot else [])]
    words += [flag for flag, said in (("--dry-run", args.dry_run), ("--overwrite", args.overwrite)) if said]
    stdin = ""
    if place is not source and args.to != args.stack:
        # The other host does not know the password, and forgets it again; where it keeps the backup it needs no server.
        at_home = f"/data/backup-server/{args.stack}"
        words += ["--of", args.stack, *(["--repository", at_home] if source.keeper == args.to else [])]
        stdin = recovery_password(folder, args.stack) + "\n"
    code, lines = place.run(
        *words, stdin=stdin, console=console, title=f"restore {args.service} of {args.stack} on {args.to or args.stack}"
    )
    if code == Exit.OK:
        return Exit.OK
    newer = any("holds what the backup does not" in line for line in lines)
    way_out = (
        "look at what is newer, and say --overwrite: what is there now is kept aside"
        if newer
        else "docs/backup.md, when a restore fails; nothing is half done"
    )
    raise CommandError(f"restore {args.service}: {lines[-1]}", way_out, Exit.POLICY if newer else Exit.RESOURCE)
