"""Fetched: a snapshot beside the live data, looked at before anything is done with it."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.backup_runner import canary, description, dumps
from components.backup_runner.plan import BackupError
from components.backup_runner.save import MANIFEST, dumps_anew

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from components.backup_runner.description import Described
    from components.backup_runner.plan import Plan
    from components.backup_runner.repository import Repository


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
