"""Drill: proves that the newest backup of a service comes back, without touching the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.backup_runner import dumps
from components.backup_runner.bring_back import fetched
from components.backup_runner.containers import Scratch
from components.backup_runner.plan import BackupError

if TYPE_CHECKING:
    from pathlib import Path

    from components.backup_runner.notes import Notes
    from components.backup_runner.plan import Database, Plan
    from components.backup_runner.repository import Repository


def prove(plan: Plan, repository: Repository, notes: Notes, service: str) -> str:
    """Fetches the newest snapshot, reads every file of it, loads each database into a server of its own kind.

    Returns:
        What was found, in one line.

    Raises:
        BackupError: something is missing, damaged, or refused by the database's own program.
    """
    try:
        said = _prove(plan, repository, notes, service)
    except BackupError as error:
        notes.proven(service, str(error))
        raise
    notes.proven(service)
    return f"{service}: proven with snapshot {said}, canary found"


def _prove(plan: Plan, repository: Repository, notes: Notes, service: str) -> str:
    with fetched(plan, repository, service, plan.host, "") as new:
        noted = notes.of(service)
        if noted.get("snapshot", "").startswith(new.snapshot) and noted.get("canary") != new.canary:
            raise BackupError("the canary of the last backup is not in it")
        databases = {each.container: each for each in plan.kept(service).databases}
        found = [_load(plan, databases[dumped.container], dumped, file) for dumped, file in new.dumps]
        return ", ".join([f"{new.snapshot}: {new.files} files and folders read", *found])


def _load(plan: Plan, database: Database, dumped: dumps.Dumped, path: Path) -> str:
    if dumped.engine == "sqlite":
        count = dumps.tables("sqlite", "", "", path)
    else:
        with Scratch(plan, database) as scratch:
            dumps.load(dumped, path, scratch.name, dumped.database)
            count = dumps.tables(dumped.engine, scratch.name, dumped.database, path)
    if count != dumped.tables:
        raise BackupError(f"{dumped.container}: {count} tables came back, {dumped.tables} were saved")
    return f"{count} tables of {dumped.container} loaded"
