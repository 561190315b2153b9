"""Bring back: a snapshot is fetched beside the live data, looked at, and only then put in its place.

Needed for that is room for the service's data a second time; nothing is ever half brought back.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.backup_runner import canary, description, dumps
from components.backup_runner.containers import docker, programs_of
from components.backup_runner.marks import CANARY_FILE
from components.backup_runner.plan import BackupError
from components.backup_runner.save import MANIFEST, dumps_anew
from components.backup_runner.servers import follows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from components.backup_runner.description import Described
    from components.backup_runner.plan import Plan
    from components.backup_runner.repository import Repository

_SHOWN = 5
"""Files that are named of those that differ."""


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A snapshot beside the live data, whose dumps are whole and whose folders hold its canary.

    Attributes:
        snapshot: Its short id.
        moment: When it was made, in seconds.
        data: What stands for the data root.
        folder: Where its dumps and the description of its containers lie.
        files: How many files it has.
        canary: The word that was written just before it was made.
        folders: The folders that were saved, by their path below the data root.
        not_alone: Why its app is not started in a drill; empty: it is.
        dumps: Its dumps, each with its file.
    """

    snapshot: str
    moment: float
    data: Path
    folder: Path
    files: int
    canary: str
    folders: list[str]
    not_alone: str
    dumps: list[tuple[dumps.Dumped, Path]]

    @property
    def containers(self) -> list[Described]:
        """The containers of its service.

        Raises:
            BackupError: it does not tell of them.
        """
        return description.read(self.folder)

    def find_canaries(self) -> None:
        """Sees that each folder holds the canary.

        Raises:
            BackupError: one holds none, or an older one.
        """
        canary.find_file(self.folder, "of the dumps", self.canary)
        for name in self.folders:
            canary.find_file(self.data / name, name, self.canary)


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
        BackupError: there is none, it can't be read, or something in it is not what was saved.
    """
    known = repository.snapshots(host, service)
    found = [each for each in known if each["id"].startswith(snapshot)]
    if not found:
        raise BackupError(f"no snapshot {snapshot or 'at all'} of {service} on {host}")
    chosen = found[-1]
    scratch = dumps_anew(plan.scratch / service)
    try:
        files = repository.bring(chosen["id"], scratch)
        folder = scratch / _dumps_of(chosen, service).relative_to("/")
        new = _read(chosen, folder, files)
        new.find_canaries()
        yield new
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _dumps_of(snapshot: Mapping[str, Any], service: str) -> Path:
    """Where the host that made it has its dumps: among the paths that were saved."""
    for path in map(Path, snapshot["paths"]):
        if path.parts[-3:] == ("backup", "dumps", service):
            return path
    raise BackupError(f"snapshot {snapshot['short_id']} was not made by this program: it has no dumps of {service}")


def _read(snapshot: Mapping[str, Any], folder: Path, files: int) -> Fetched:
    """What it says of itself, and its dumps, each of which is there, whole and the one that was saved."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        return Fetched(
            snapshot=snapshot["short_id"],
            moment=datetime.fromisoformat(snapshot["time"]).astimezone(UTC).timestamp(),
            data=folder.parents[2],
            folder=folder,
            files=files,
            canary=manifest["canary"],
            folders=manifest["folders"],
            not_alone=manifest["not_alone"],
            dumps=[_whole(dumps.Dumped(**each), folder) for each in manifest["dumps"]],
        )
    except (FileNotFoundError, KeyError, TypeError, ValueError) as error:
        why = f"was not made by this program, or is not whole: {error}"
        raise BackupError(f"snapshot {snapshot['short_id']} {why}") from None


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
    for dumped, file in _here(plan, service, new):
        _compare_database(plan, dumped, file, found)
    return found


def restore(plan: Plan, service: str, new: Fetched, *, both_sides: bool) -> Path:
    """Puts a fetched snapshot in the place of what is live; returns the folder that holds what was there.

    Programs are stopped, databases replaced, folders exchanged, programs started.

    Args:
        plan: The host's.
        service: Which.
        new: Its snapshot.
        both_sides: A database that another one follows may be replaced on both sides.

    Raises:
        BackupError: a database can't be written here, or refuses its dump, or what came back is not what was saved;
            folders are not touched then.
    """
    here = _here(plan, service, new)
    for dumped, _ in here:
        _refuse_followed(dumped, both_sides=both_sides)
    before = plan.own / "before" / f"{service}-{time.strftime('%Y%m%d-%H%M%S')}"
    before.mkdir(mode=0o700, parents=True)
    running = programs_of(plan, service)
    if running:
        docker("stop", *running)
    try:
        for dumped, file in here:
            if dumped.engine != "sqlite":
                _aside(plan, dumped, before)
                dumps.replace(dumped, file)
        for name in plan.kept(service).folders:
            if (new.data / name).is_dir():
                _exchange(plan.data / name, new.data / name, before / name)
        for dumped, file in here:
            if dumped.engine == "sqlite":
                dumps.put_sqlite(plan.data, dumped, file)
    finally:
        if running:
            docker("start", *running)
    return before


def _here(plan: Plan, service: str, new: Fetched) -> list[tuple[dumps.Dumped, Path]]:
    """Its dumps with the containers in which their databases live on this host."""
    live = {(each.engine, each.database): each.container for each in plan.kept(service).databases}
    for dumped, _ in new.dumps:
        if (dumped.engine, dumped.database) not in live:
            what = f"{dumped.engine} database {dumped.database} of {dumped.container}"
            raise BackupError(f"the backup has the {what}, which the plan of this host does not know")
    return [(replace(each, container=live[each.engine, each.database]), file) for each, file in new.dumps]


def _refuse_followed(dumped: dumps.Dumped, *, both_sides: bool) -> None:
    """A copy can't be written; in a ring the other side would be replaced as well, under the feet of its app."""
    if dumped.engine == "sqlite" or not follows(dumped.source):
        return
    if dumped.engine == "postgres":
        raise BackupError(f"{dumped.container} follows another host's database: restore on the host that writes")
    if not both_sides:
        raise BackupError(
            f"{dumped.container} is one side of a ring: what is brought back here replaces the other side's as well. "
            "Stop the service's app on the other host, then say --both-sides, then start it there again"
        )


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
