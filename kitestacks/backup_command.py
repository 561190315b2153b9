"""`backup`: what was saved and when, saving now, checking, and taking old snapshots away from the trusted side."""

from __future__ import annotations

import io
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.proven import proven_restores, write_down
from kitestacks import backup_host
from kitestacks.backup_host import STORE, BackupHost, fleet_at, recovery_password
from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    import argparse

_KEPT = "1y"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "what",
        choices=("status", "now", "check", "prune"),
        help="status: what is saved, and proven drills are noted; now: save; check: read the repository; "
        "prune: take old snapshots away",
    )
    parser.add_argument("service", nargs="?", default="", help="now: this service alone")
    backup_host.configure(parser)
    parser.add_argument(
        "--keep-within", default=_KEPT, help=f"prune: what is younger stays, such as 6m; {_KEPT} if unsaid"
    )
    parser.add_argument("--yes", action="store_true", help="prune: do it; without it, what would go is only listed")
    parser.add_argument("--force", action="store_true", help="prune: without a restore that was proven lately")
    parser.add_argument("--json", action="store_true", help="status: for scripts")


def run(args: argparse.Namespace) -> int:
    """Does one of the four.

    Raises:
        CommandError: something was not saved, is damaged, or is refused.
    """
    folder, console = Path(args.folder), Console()
    host = BackupHost(fleet=fleet_at(folder, args.stack))
    if args.what == "status":
        return _status(host, folder, args, console)
    if args.what == "prune":
        return _prune(host, folder, args, console)
    words = ["check"] if args.what == "check" else ["save", *filter(None, [args.service])]
    code, lines = host.run(
        *(words if args.what == "now" else ("check",)), console=console, title=f"{args.what} {args.stack}"
    )
    if code:
        way_out = "docs/backup.md, when a backup fails; then the same command again"
        raise CommandError(f"backup {args.what}: {lines[-1]}", way_out, Exit.RESOURCE)
    return Exit.OK


def _status(host: BackupHost, folder: Path, args: argparse.Namespace, console: Console) -> int:
    known = _asked(host)
    proofs = {args.stack: known.pop("proofs", {}).get(args.stack, {})}
    try:
        keeper = BackupHost(fleet=fleet_at(folder, host.keeper))
        proofs[host.keeper] = _asked(keeper).get("proofs", {}).get(args.stack, {})
    except CommandError as error:
        console.line(f"what {host.keeper} has proven is not known: {error}")
    for service, facts in known["services"].items():
        facts["proofs"] = {place: found[service] for place, found in proofs.items() if found.get(service)}
        moment, _ = _newest(facts["proofs"])
        earlier = proven_restores(folder, args.stack).get(service)
        if moment and (earlier is None or earlier < datetime.fromtimestamp(moment, UTC)):
            write_down(folder, args.stack, service, datetime.fromtimestamp(moment, UTC))
    if args.json:
        console.result(json.dumps(known, indent=2))
        return Exit.OK
    for service, facts in known["services"].items():
        console.result(_line(service, facts))
    return Exit.OK


def _asked(host: BackupHost) -> dict[str, Any]:
    """What a host's runner knows.

    Raises:
        CommandError: it does not answer.
    """
    code, lines = host.run("status", console=Console(stream=io.StringIO()), title="ask")
    if code:
        way_out = f"is {host.fleet.here} up? docker -H {host.fleet.own.host.docker} ps"
        raise CommandError(f"{host.fleet.here} does not answer: {lines[-1]}", way_out, Exit.RESOURCE)
    return dict(json.loads(lines[-1]))


def _newest(proofs: dict[str, dict[str, Any]]) -> tuple[float, str]:
    """When a restore was last proven, and where; 0: never."""
    return max(((float(each.get("proven", 0)), place) for place, each in proofs.items()), default=(0.0, ""))


def _line(service: str, facts: dict[str, Any]) -> str:
    size = f"{facts.get('bytes', 0) / 2**20:.1f} MiB"
    moment, place = _newest(facts["proofs"])
    proven = f"{_age(moment)} on {place}" if moment else "never"
    faults = [f"FAILED: {facts['failed']}"] if facts.get("failed") else []
    faults += [f"NOT PROVEN on {on}: {each['failed']}" for on, each in facts["proofs"].items() if each.get("failed")]
    return "  ".join(
        [f"{service:<14} saved {_age(facts.get('saved', 0)):<12} {size:>12}   restore proven {proven}", *faults]
    )


def _prune(host: BackupHost, folder: Path, args: argparse.Namespace, console: Console) -> int:
    oldest = datetime.now(UTC) - timedelta(days=host.fleet.own.guards.restore_days)
    proven = proven_restores(folder, args.stack)
    unproven = [name for name in host.fleet.kept_here if proven.get(name, datetime.min.replace(tzinfo=UTC)) < oldest]
    if unproven and args.yes and not args.force:
        way_out = f"python3 -m kitestacks restore-drill all -s {args.stack}, or insist with --force"
        raise CommandError(f"no restore was proven lately of {', '.join(unproven)}", way_out, Exit.POLICY)
    keeper = BackupHost(fleet=fleet_at(folder, host.keeper))
    words = ["forget", "--group-by", "host,tags", "--keep-within", args.keep_within]
    words += ["--prune"] if args.yes else ["--dry-run"]
    title = f"take away what is older than {args.keep_within}" if args.yes else "list what would go"
    code = keeper.prune(
        f"{STORE}/{args.stack}",
        words,
        recovery_password(folder, args.stack),
        console,
        f"{title} on {host.keeper}",
    )
    if code:
        raise CommandError("restic refuses", "what it says above; then the same command again", Exit.RESOURCE)
    if not args.yes:
        console.line("nothing was taken away; --yes does it")
    return Exit.OK


def _age(moment: float) -> str:
    if not moment:
        return "never"
    hours = (time.time() - moment) / 3600
    return f"{hours:.0f} h ago" if hours < 48 else f"{hours / 24:.0f} d ago"  # noqa: PLR2004 - two days
