"""`python3 -m components.backup_runner <what>`, inside the container `backup`: what its schedule and the owner type.

Exit codes: 0 all is well, 1 something is not, as the last lines say, 2 the words are wrong.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from components.backup_runner.bring_back import Followed, changes, here, restore
from components.backup_runner.containers import docker
from components.backup_runner.drill import prove
from components.backup_runner.fetched import fetched
from components.backup_runner.notes import Notes
from components.backup_runner.plan import BackupError, Plan
from components.backup_runner.repository import Repository
from components.backup_runner.room import clear
from components.backup_runner.save import save_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PLAN = Path(os.environ.get("BACKUP_PLAN", "/etc/backup/plan.json"))
_PARTS = 12
"""Checks after which all of the repository was read once."""


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _save(plan: Plan, args: argparse.Namespace) -> int:
    services = [args.service] if args.service else sorted(plan.services)
    for service in services:
        plan.kept(service)
    notes = Notes(plan)
    well = save_all(plan, Repository(plan), notes, services, _say)
    if well and notes.known.get("shown") != plan.shown:
        Repository(plan).admit()
        notes.shown()
    if plan.copy_to and well:
        Repository(plan, plan.copy_to).copy_from(Repository(plan))
        _say("copied to the object store")
    return 0 if well else 1


def _check(plan: Plan, _: argparse.Namespace) -> int:
    notes = Notes(plan)
    turn = int(notes.known.get("turn", 0)) % _PARTS + 1
    notes.known["turn"] = turn
    try:
        Repository(plan).check(f"{turn}/{_PARTS}")
    except BackupError as error:
        notes.checked(str(error))
        raise
    notes.checked()
    _say(f"the repository is whole; part {turn} of {_PARTS} of its data was read")
    return 0


def _drill(plan: Plan, args: argparse.Namespace) -> int:
    """What the owner names, or what the schedule proves: the hosts whose backup lies here, or this one."""
    if args.service:
        with _opened(plan, args) as source:
            host = args.of or plan.host
            known = plan.services if host == plan.host else plan.keeps.get(host, ())
            if not known:
                raise BackupError(f"no backup of {host} lies on {plan.host}")
            if args.service not in {"all", *known}:
                raise BackupError(
                    f"nothing of {args.service!r} is saved on {host}; there are: {', '.join(sorted(known))}"
                )
            services = sorted(known) if args.service == "all" else [args.service]
            return _prove_each(plan, source, host, services)
    failed = 0
    for host in plan.proves:
        _say(f"what {host} saved is proven here:")
        if host == plan.host:
            failed |= _prove_each(plan, Repository(plan), host, sorted(plan.services))
        else:
            there = Repository(plan, plan.store(host), plan.secrets / "proving-password")
            failed |= _prove_each(plan, there, host, sorted(plan.keeps[host]))
    return failed


def _prove_each(plan: Plan, source: Repository, host: str, services: list[str]) -> int:
    failed = 0
    for service in services:
        try:
            _say(prove(plan, source, Notes(plan), service, host))
        except BackupError as error:
            failed = 1
            _say(f"{service}: NOT proven: {error}")
    return failed


def _restore(plan: Plan, args: argparse.Namespace) -> int:
    with _opened(plan, args) as source:
        if args.service != "all":
            return _restore_one(plan, source, args.service, args)
        failed = 0
        for service in sorted(plan.services):
            try:
                _restore_one(plan, source, service, args)
            except BackupError as error:
                failed = 1
                _say(f"{service}: NOT brought back: {error}")
        return failed


@contextlib.contextmanager
def _opened(plan: Plan, args: argparse.Namespace) -> Iterator[Repository]:
    """This host's repository, or another's, whose password comes by standard input and is forgotten again."""
    with tempfile.NamedTemporaryFile("w") as password:
        password.write(sys.stdin.readline().strip() if args.of else "")
        password.flush()
        yield Repository(plan, args.repository, Path(password.name) if args.of else None)


def _restore_one(plan: Plan, source: Repository, service: str, args: argparse.Namespace) -> int:
    plan.kept(service)
    # With all of a host, what the other host has by itself is not thrown back to last night.
    alone = Followed.LEAVE if args.service == "all" or args.dry_run else Followed.REFUSE
    with fetched(plan, source, service, args.of or plan.host, args.snapshot) as whole:
        new, left = here(plan, service, whole, Followed.REPLACE if args.both_sides else alone)
        found = changes(plan, service, new)
        _say(f"{service}: snapshot {new.snapshot} would be brought back:")
        for line in [*left, *found.lines]:
            _say(f"  {line}")
        for line in found.lost:
            _say(f"  NEWER: {line}")
        if args.dry_run:
            _say(f"{service}: nothing was changed")
            return 0
        if found.lost and not args.overwrite:
            raise BackupError(f"{service} holds what the backup does not: " + "; ".join(found.lost))
        before = restore(plan, service, new)
    _say(f"{service}: brought back; what was there before is in {before}")
    return 0


def _status(plan: Plan, _: argparse.Namespace) -> int:
    notes = Notes(plan)
    services = {service: notes.of(service) for service in sorted(plan.services)}
    proofs = {host: notes.proofs(host) for host in (plan.host, *plan.keeps)}
    _say(json.dumps({"services": services, "check": notes.known.get("check", {}), "proofs": proofs}))
    return 0


def _health(plan: Plan, _: argparse.Namespace) -> int:
    docker("version", "--format", "{{.Server.Version}}")
    return 0 if plan.services else 1


_ALONE = (_save, _check, _drill, _restore)
"""What must not run twice at a time."""


def main(arguments: list[str]) -> int:
    """Runs one of the words."""
    args = _parser().parse_args(arguments)
    plan = Plan.read(_PLAN)
    work: Callable[[Plan, argparse.Namespace], int] = args.work
    try:
        if work not in _ALONE:
            return work(plan, args)
        plan.own.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (plan.own / "lock").open("w") as lock:
            _take(lock.fileno(), wait=args.wait)
            clear(plan)
            return work(plan, args)
    except (BackupError, OSError) as error:
        _say(f"failed: {error}")
        return 1


def _take(lock: int, *, wait: bool) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        raise BackupError("another run is under way; it is seen with: docker top backup") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="backup_runner")
    parser.add_argument("--wait", action="store_true", help="wait for another run to end, as the schedule does")
    words = parser.add_subparsers(required=True)
    word = words.add_parser("save")
    word.add_argument("service", nargs="?", default="")
    word.set_defaults(work=_save)
    word = words.add_parser("drill")
    word.add_argument("service", nargs="?", default="", help="a service, all, or nothing: what the schedule proves")
    _of_another(word)
    word.set_defaults(work=_drill)
    for name, plain in (("check", _check), ("status", _status), ("health", _health)):
        words.add_parser(name).set_defaults(work=plain)
    word = words.add_parser("restore")
    word.add_argument("service")
    word.add_argument("--snapshot", default="")
    _of_another(word)
    word.add_argument("--dry-run", action="store_true")
    word.add_argument("--overwrite", action="store_true")
    word.add_argument("--both-sides", action="store_true", help="also on the host whose database follows this one")
    word.set_defaults(work=_restore)
    return parser


def _of_another(word: argparse.ArgumentParser) -> None:
    word.add_argument("--of", default="", help="another host's backup; its password is read from standard input")
    word.add_argument("--repository", default="")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
