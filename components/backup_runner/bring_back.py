"""Bring back: a snapshot is fetched beside the live data, looked at, and only then put in its place.

Needed for that is room for the service's data a second time; nothing is ever half brought back.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from components.backup_runner import dumps
from components.backup_runner.containers import docker, programs_of
from components.backup_runner.marks import CANARY_FILE
from components.backup_runner.plan import BackupError
from components.backup_runner.save import dumps_anew
from components.backup_runner.servers import follows

if TYPE_CHECKING:
    from components.backup_runner.fetched import Fetched
    from components.backup_runner.plan import Plan

_SHOWN = 5
"""Files that are named of those that differ."""


class Followed(Enum):
    """What is done about a database that follows one on another host, or is followed by it."""

    REFUSE = 1
    LEAVE = 2
    REPLACE = 3
    """Where it can be written; the other side is replaced with it."""


@dataclass
class Changes:
    """What bringing a snapshot back would change.

    Attributes:
        lines: In words.
        lost: What is there now and would be gone, in words.
    """

    lines: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def here(plan: Plan, service: str, new: Fetched, followed: Followed) -> tuple[Fetched, list[str]]:
    """A snapshot as it is brought back on this host: which databases, in which containers; and what is left, in words.

    Raises:
        BackupError: this host does not know a database of it, or one that depends on another host may not be replaced.
    """
    live = {(each.engine, each.database): each.container for each in plan.kept(service).databases}
    kept, said = [], []
    for dumped, file in new.dumps:
        if (dumped.engine, dumped.database) not in live:
            what = f"{dumped.engine} database {dumped.database} of {dumped.container}"
            raise BackupError(f"the backup has the {what}, which the plan of this host does not know")
        moved = replace(dumped, container=live[dumped.engine, dumped.database])
        why = "" if moved.engine == "sqlite" else _depends(moved, followed)
        if why and followed is Followed.REFUSE:
            raise BackupError(why)
        said += [f"database of {moved.container}: is left as it is: {why}"] if why else []
        kept += [] if why else [(moved, file)]
    return replace(new, dumps=kept), said


def _depends(dumped: dumps.Dumped, followed: Followed) -> str:
    """Why a database can't be replaced alone: a copy can't be written, and of a ring the other side goes with it."""
    if not follows(dumped.source):
        return ""
    if dumped.engine == "postgres":
        return f"{dumped.container} follows another host's database: restore on the host that writes"
    if followed is Followed.REPLACE:
        return ""
    return (
        f"{dumped.container} is one side of a ring: what is brought back here replaces the other side's as well. "
        "Stop the service's app on the other host, then say --both-sides, then start it there again"
    )


def changes(plan: Plan, service: str, new: Fetched) -> Changes:
    """Compares a snapshot, as `here` says, with what is live."""
    found = Changes()
    for name in plan.kept(service).folders:
        if (new.data / name).is_dir():
            _compare(plan.data / name, new.data / name, new.moment, found)
        else:
            found.lines.append(f"folder {plan.data / name}: not in this backup, and stays as it is")
    for dumped, file in new.dumps:
        _compare_database(plan, dumped, file, found)
    return found


def restore(plan: Plan, service: str, new: Fetched) -> Path:
    """Puts a snapshot, as `here` says, in the place of what is live; returns the folder that holds what was there.

    Programs are stopped, databases replaced, folders exchanged, programs started.

    Raises:
        BackupError: a database refuses its dump, or what came back is not what was saved; folders are not touched then.
    """
    # To the microsecond: a second restore within a second has a folder of its own.
    before = plan.own / "before" / f"{service}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    before.mkdir(mode=0o700, parents=True)
    running = programs_of(plan, service)
    if running:
        docker("stop", *running)
    try:
        for dumped, file in new.dumps:
            if dumped.engine != "sqlite":
                _aside(plan, dumped, before)
                dumps.replace(dumped, file)
        for name in plan.kept(service).folders:
            if (new.data / name).is_dir():
                _exchange(plan.data / name, new.data / name, before / name)
        for dumped, file in new.dumps:
            if dumped.engine == "sqlite":
                dumps.put_sqlite(plan.data, dumped, file)
    finally:
        if running:
            docker("start", *running)
    return before


def _aside(plan: Plan, dumped: dumps.Dumped, before: Path) -> None:
    """Keeps what a database holds now; one that does not answer has nothing to be kept."""
    with contextlib.suppress(BackupError):
        dumps.make(plan, dumped.source, before)


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
    """Every file below a folder with its size and moment; SQLite's own helpers and the canary are none."""
    found: dict[str, tuple[int, float]] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            if not name.endswith(("-wal", "-shm", "-journal", CANARY_FILE)):
                facts = Path(place, name).lstat()
                found[str(Path(place, name).relative_to(folder))] = (facts.st_size, facts.st_mtime)
    return found


def _compare_database(plan: Plan, dumped: dumps.Dumped, file: Path, found: Changes) -> None:
    now = dumps_anew(file.parent / "now")
    try:
        same = dumps.make(plan, dumped.source, now).digest == dumped.digest
    except BackupError as error:
        found.lines.append(f"database of {dumped.container}: does not answer and is made anew ({error})")
        return
    finally:
        shutil.rmtree(now, ignore_errors=True)
    found.lines.append(f"database of {dumped.container}: {'is the same' if same else 'differs, and is replaced'}")
    if not same:
        found.lost.append(f"the database of {dumped.container} was written to since the backup")
