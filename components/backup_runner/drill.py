"""Drill: proves that the newest backup of a service comes back whole, here, without touching a live one.

Databases are loaded into servers of their own kind, folders lie beside them, and the service's own containers start on
the two, in a room without a way out. Only a service that says why its app can't do without others is proven without it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from components.backup_runner import canary, dumps
from components.backup_runner.fetched import fetched
from components.backup_runner.plan import BackupError
from components.backup_runner.room import Room
from components.backup_runner.servers import wait_for

if TYPE_CHECKING:
    from components.backup_runner.description import Described
    from components.backup_runner.fetched import Fetched
    from components.backup_runner.notes import Notes
    from components.backup_runner.plan import Database, Plan
    from components.backup_runner.repository import Repository


def prove(plan: Plan, repository: Repository, notes: Notes, service: str, host: str) -> str:
    """Fetches the newest snapshot of a host's service and brings it to life in a room of its own.

    Returns:
        What was found, in one line.

    Raises:
        BackupError: something is missing, damaged, older than it should be, refused by the database's own program, or
            does not get healthy.
    """
    try:
        said = _prove(plan, repository, notes, service, host)
    except (BackupError, OSError) as error:
        notes.not_proven(host, service, str(error))
        raise BackupError(str(error)) from None
    notes.proven(host, service, said)
    return f"{service}: proven with snapshot {said}"


def _prove(plan: Plan, repository: Repository, notes: Notes, service: str, host: str) -> str:
    with fetched(plan, repository, service, host, "") as new:
        noted = notes.of(service) if host == plan.host else {}
        if noted.get("snapshot", "").startswith(new.snapshot) and noted.get("canary") != new.canary:
            raise BackupError("the canary of the last backup is not in it")
        with Room(plan, new.data, new.folder) as room:
            found = [f"{new.snapshot}: {new.files} files and folders read", *_furnish(plan, room, new)]
            return ", ".join([*found, _start(room, new), "canary found"])


def _furnish(plan: Plan, room: Room, new: Fetched) -> list[str]:
    """Folders, SQLite files and database servers as they were saved."""
    for container in new.containers:
        room.lay_out(container)
    found = []
    for dumped, file in new.dumps:
        if dumped.engine == "sqlite":
            dumps.put_sqlite(new.data, dumped, file)
        else:
            server = _server(room, new, dumped)
            wait_for(server, plan.patience)
            dumps.load(dumped, file, server, dumped.database)
        found.append(f"{dumped.tables} tables of {dumped.container} loaded")
    return found


def _server(room: Room, new: Fetched, dumped: dumps.Dumped) -> Database:
    container = next((each for each in new.containers if each.name == dumped.container), None)
    if container is None:
        raise BackupError(f"the snapshot does not say how {dumped.container} is started")
    # What the live one has instead of the image's entry point follows or promotes, and a scratch one does neither.
    return replace(dumped.source, container=room.start(container, own_entrypoint=False))


def _start(room: Room, new: Fetched) -> str:
    servers = {dumped.container for dumped, _ in new.dumps if dumped.engine != "sqlite"}
    if new.not_alone:
        return f"databases and files proven, app not started: {new.not_alone}"
    programs = [each for each in new.containers if each.name not in servers]
    if not programs and not servers:
        raise BackupError("the snapshot tells of no container: nothing of the service ran when it was saved")
    for each in programs:
        room.start(each)
    for each in programs:
        room.wait(each)
    _still_there(room, new)
    return f"{_names(programs)} healthy on them" if programs else "no other container was there when it was saved"


def _still_there(room: Room, new: Fetched) -> None:
    """An app that is healthy because it began anew has thrown away what it was given."""
    for dumped, _ in new.dumps:
        if dumped.engine != "sqlite":
            server = replace(dumped.source, container=room.scratch_name(dumped.container))
            canary.find_row(server, dumped.database, dumped.canary)
    new.find_canaries()


def _names(containers: list[Described]) -> str:
    return " and ".join(each.name for each in containers)
