"""Bring back: a snapshot is fetched beside the live data, looked at, and only then put in its place.

Needed for that is room for the service's data a second time; nothing is ever half brought back.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from components.backup_runner import dumps
from components.backup_runner.containers import docker, of_service
from components.backup_runner.plan import BackupError
from components.backup_runner.save import CANARY, MANIFEST, dumps_anew

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.backup_runner.plan import Database, Plan
    from components.backup_runner.repository import Repository

_SHOWN = 5
"""Files that are named of those that differ."""


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A snapshot beside the live data, whose dumps are whole.

    Attributes:
        snapshot: Its short id.
        moment: When it was made, in seconds.
        data: What stands for the data root.
        files: How many files it has.
        canary: The word that was written just before it was made.
        dumps: Its dumps, each with its file.
    """

    snapshot: str
    moment: float
    data: Path
    files: int
    canary: str
    dumps: list[tuple[dumps.Dumped, Path]]


@dataclass
class Changes:
    """What bringing a snapshot back would change.

    Attributes:
        lines: In words.
        lost: What is there now and would be gone, in words.
    """

    lines: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


@contextlib.contextmanager
def fetched(plan: Plan, repository: Repository, service: str, host: str, snapshot: str) -> Iterator[Fetched]:
    """Fetches a snapshot, the newest if none is named, and takes it away again in the end.

    Raises:
        BackupError: there is none, it can't be read, or a dump in it is not what was saved.
    """
    plan.kept(service)
    known = repository.snapshots(host, service)
    found = [each for each in known if each["id"].startswith(snapshot)]
    if not found:
        raise BackupError(f"no snapshot {snapshot or 'at all'} of {service} on {host}")
    chosen = found[-1]
    scratch = dumps_anew(plan.own / "scratch" / service)
    try:
        files = repository.bring(chosen["id"], scratch)
        data = scratch / plan.data.relative_to("/")
        folder = data / plan.dumps(service).relative_to(plan.data)
        canary, found_dumps = _manifest(folder, chosen["short_id"])
        moment = datetime.fromisoformat(chosen["time"]).astimezone(UTC).timestamp()
        yield Fetched(
            snapshot=chosen["short_id"],
            moment=moment,
            data=data,
            files=files,
            canary=canary,
            dumps=found_dumps,
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _manifest(folder: Path, snapshot: str) -> tuple[str, list[tuple[dumps.Dumped, Path]]]:
    """The canary, and the dumps, each of which is there, whole and the one that was saved."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        return manifest[CANARY], [_whole(dumps.Dumped(**each), folder) for each in manifest["dumps"]]
    except (FileNotFoundError, KeyError, ValueError) as error:
        raise BackupError(f"snapshot {snapshot} was not made by this program, or is not whole: {error}") from None


def _whole(dumped: dumps.Dumped, folder: Path) -> tuple[dumps.Dumped, Path]:
    file = folder / dumped.file
    dumps.check(file, dumped.engine)
    if dumps.digest(file) != dumped.digest:
        raise BackupError(f"the dump {dumped.file} is not the one that was saved")
    return dumped, file


def changes(plan: Plan, service: str, new: Fetched) -> Changes:
    """Compares a snapshot with what is live."""
    found = Changes()
    for name in plan.kept(service).folders:
        if (new.data / name).is_dir():
            _compare(plan.data / name, new.data / name, new.moment, found)
        else:
            found.lines.append(f"folder {plan.data / name}: not in this backup, and stays as it is")
    live = {each.container: each for each in plan.kept(service).databases}
    for dumped, file in new.dumps:
        _compare_database(plan, live.get(dumped.container), dumped, file, found)
    return found


def restore(plan: Plan, service: str, new: Fetched) -> Path:
    """Puts a fetched snapshot in the place of what is live; returns the folder that holds what was there.

    Programs are stopped, databases replaced, folders exchanged, programs started.

    Raises:
        BackupError: a database refuses its dump; folders are not touched then.
    """
    before = plan.own / "before" / f"{service}-{time.strftime('%Y%m%d-%H%M%S')}"
    before.mkdir(mode=0o700, parents=True)
    running = of_service(plan, service)
    if running:
        docker("stop", *running)
    try:
        for dumped, file in new.dumps:
            if dumped.engine != "sqlite":
                _aside(plan, service, dumped, before)
                dumps.replace(dumped, file)
        for name in plan.kept(service).folders:
            if (new.data / name).is_dir():
                _exchange(plan.data / name, new.data / name, before / name)
        for dumped, file in new.dumps:
            if dumped.engine == "sqlite":
                dumps.put_sqlite(plan, dumped, file)
    finally:
        if running:
            docker("start", *running)
    return before


def _aside(plan: Plan, service: str, dumped: dumps.Dumped, before: Path) -> None:
    """Keeps what a database holds now; one that does not answer has nothing to be kept."""
    database = next(each for each in plan.kept(service).databases if each.container == dumped.container)
    with contextlib.suppress(BackupError):
        dumps.make(plan, database, before)


def _exchange(live: Path, new: Path, before: Path) -> None:
    """Both by renaming: what is live is either the old folder or the new one."""
    before.parent.mkdir(parents=True, exist_ok=True)
    live.parent.mkdir(parents=True, exist_ok=True)
    was_there = live.exists()
    try:
        if was_there:
            live.rename(before)
        new.rename(live)
    except OSError as error:
        if was_there and not live.exists():
            before.rename(live)
        raise BackupError(f"{live} could not be exchanged, and is as it was: {error}") from None


def _compare(live: Path, new: Path, moment: float, found: Changes) -> None:
    now, then = _tree(live), _tree(new)
    gone = sorted(set(now) - set(then))
    differing = sorted(name for name in set(now) & set(then) if now[name] != then[name])
    missing = len(set(then) - set(now))
    found.lines.append(f"folder {live}: {missing} files come back, {len(differing)} change, {len(gone)} go")
    for name in [*gone, *differing][:_SHOWN]:
        found.lines.append(f"  {'goes' if name in gone else 'changes'}: {name}")
    newer = [name for name in [*gone, *differing] if now[name][1] > moment]
    if newer:
        shown = ", ".join(newer[:_SHOWN])
        found.lost.append(f"{len(newer)} files in {live} are newer than the backup ({shown})")


def _tree(folder: Path) -> dict[str, tuple[int, float]]:
    """Every file below a folder with its size and moment; SQLite's own helpers are none."""
    found: dict[str, tuple[int, float]] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            if not name.endswith(("-wal", "-shm", "-journal")):
                facts = Path(place, name).lstat()
                found[str(Path(place, name).relative_to(folder))] = (facts.st_size, facts.st_mtime)
    return found


def _compare_database(plan: Plan, live: Database | None, dumped: dumps.Dumped, file: Path, found: Changes) -> None:
    if live is None:
        raise BackupError(f"the backup has a database of {dumped.container}, which the plan of this host does not know")
    now = dumps_anew(file.parent / "now")
    try:
        same = dumps.make(plan, live, now).digest == dumped.digest
    except BackupError as error:
        found.lines.append(f"database of {dumped.container}: does not answer and is made anew ({error})")
        return
    finally:
        shutil.rmtree(now, ignore_errors=True)
    found.lines.append(f"database of {dumped.container}: {'is the same' if same else 'differs, and is replaced'}")
    if not same:
        found.lost.append(f"the database of {dumped.container} was written to since the backup")
