"""Save: one snapshot per service, dumps first and files second, so that all that a dump speaks of is there."""

from __future__ import annotations

import json
import shutil
import time
from typing import TYPE_CHECKING, Any

from components.backup_runner import canary, description, dumps
from components.backup_runner.containers import sqlite_file
from components.backup_runner.plan import BackupError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from components.backup_runner.notes import Notes
    from components.backup_runner.plan import Database, Plan
    from components.backup_runner.repository import Repository

MANIFEST = "manifest.json"


def save_service(plan: Plan, repository: Repository, service: str) -> dict[str, Any]:
    """Saves one service; returns restic's summary.

    A canary is written into its data first. Beside the dumps lie a manifest, which says what they hold, and what has to
    be known to start the service elsewhere.

    Raises:
        BackupError: a dump failed, a folder is missing, or the snapshot is not there or not whole.
    """
    kept, word = plan.kept(service), canary.new()
    folder = dumps_anew(plan.dumps(service))
    folders = [plan.data / each for each in kept.folders]
    missing = [str(each) for each in folders if not each.is_dir()]
    if missing:
        raise BackupError(f"there is no folder {', '.join(missing)}")
    for each in (folder, *folders):
        canary.put_file(each, word)
    made = [_dump(plan, database, folder, word) for database in kept.databases]
    description.describe(plan, service, folder)
    manifest = {
        "canary": word,
        "made": int(time.time()),
        "folders": kept.folders,
        "not_alone": kept.not_alone,
        "dumps": [each.note() for each in made],
    }
    try:
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2))
    except OSError as error:
        raise BackupError(f"no room for {folder / MANIFEST}: {error}") from None
    live = [plan.data / sqlite_file(plan, each) for each in kept.databases if each.engine == "sqlite"]
    excluded = [file.with_name(file.name + beside) for file in live for beside in ("", "-wal", "-shm", "-journal")]
    return repository.save(service, [folder, *folders], excluded) | {"canary": word}


def _dump(plan: Plan, database: Database, folder: Path, word: str) -> dumps.Dumped:
    row = ("", "") if database.engine == "sqlite" else canary.put_row(database, plan.host, word)
    return dumps.make(plan, database, folder, row)


def dumps_anew(folder: Path) -> Path:
    """An empty private folder."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise BackupError(f"no room for {folder}: {error}") from None
    return folder


def save_all(
    plan: Plan, repository: Repository, notes: Notes, services: list[str], say: Callable[[str], object]
) -> bool:
    """Saves services one after the other and says what came of each; one that fails keeps no other from being saved."""
    well = True
    for service in services:
        started = time.monotonic()
        try:
            summary = save_service(plan, repository, service)
        except BackupError as error:
            well = False
            notes.failed(service, str(error))
            say(f"{service}: NOT saved: {error}")
            continue
        notes.saved(service, summary, started)
        size = summary["total_bytes_processed"] / 2**20
        added = summary["data_added"] / 2**20
        seconds = time.monotonic() - started
        say(f"{service}: saved as {summary['snapshot_id'][:8]}, {size:.1f} MiB, {added:.1f} MiB new, {seconds:.1f} s")
    return well
