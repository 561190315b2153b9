"""Description: what of a service's containers has to be known to start them on another host.

The source is docker itself: what runs is what is described, and the files that were put in are fetched as they lie
there, the private ones too. restic encrypts it with the rest.
"""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from components.backup_runner.containers import docker_bytes, inspect, of_service
from components.backup_runner.marks import FILES_LABEL
from components.backup_runner.plan import BackupError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.backup_runner.plan import Plan

_FILE = "containers.json"
_NOBODYS = (0, 0, 0o755)
_SHORT_ID = 12
"""Characters of a container's id that docker itself makes an alias of."""


@dataclass(frozen=True, kw_only=True)
class Mounted:
    """A folder in a container.

    Attributes:
        folder: Its path below the data root; empty: it is another part of the host.
        target: Where it is in the container.
        read_only: The container can't write there.
        owner: User, group and mode of the live one.
    """

    folder: str
    target: str
    read_only: bool
    owner: tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Described:
    """One container: what `docker inspect` calls Config and HostConfig, without what ties it to its host.

    Attributes:
        name: What Docker calls it.
        aliases: The names by which the service's other containers find it.
        files: The archive with the files that were put into it, beside this description; empty: none were.
        image: The pinned image.
        entrypoint: Its entry point.
        command: Its command.
        environment: `NAME=value`; no secrets, those are files.
        user: Who its programs are.
        groups: Further groups of theirs.
        capabilities: What was added back after all were dropped.
        memory: Limit in bytes.
        shared_memory: Bytes of /dev/shm.
        init: Whether a small init process reaps what the program leaves behind.
        tmpfs: Folders in memory, with their options.
        mounts: Folders of the host.
        health: The test of its health check, `CMD` or `CMD-SHELL` first.
    """

    name: str
    aliases: tuple[str, ...]
    files: str
    image: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    environment: tuple[str, ...]
    user: str
    groups: tuple[str, ...]
    capabilities: tuple[str, ...]
    memory: int
    shared_memory: int
    init: bool
    tmpfs: Mapping[str, str]
    mounts: tuple[Mounted, ...]
    health: tuple[str, ...]


def describe(plan: Plan, service: str, folder: Path) -> None:
    """Writes down a service's containers and their files.

    Raises:
        BackupError: docker does not answer, or there is no room.
    """
    found = []
    for name in of_service(plan, service, running=False):
        told = inspect(name)
        paths = json.loads(told["Config"].get("Labels", {}).get(FILES_LABEL, "[]"))
        file = f"{name}.files.tar" if paths else ""
        try:
            if file:
                (folder / file).write_bytes(_fetch(name, paths))
        except OSError as error:
            raise BackupError(f"no room for {folder / file}: {error}") from None
        found.append(asdict(_described(plan, name, told, file)))
    try:
        (folder / _FILE).write_text(json.dumps(found, indent=2))
    except OSError as error:
        raise BackupError(f"no room for {folder / _FILE}: {error}") from None


def read(folder: Path) -> list[Described]:
    """What was written down.

    Raises:
        BackupError: nothing that this program can read.
    """
    try:
        raw = json.loads((folder / _FILE).read_text())
        return [Described(**{**each, "mounts": [Mounted(**mount) for mount in each["mounts"]]}) for each in raw]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BackupError(f"the snapshot does not say how its containers are started: {error}") from None


def _fetch(container: str, paths: list[str]) -> bytes:
    """One archive, from the root on, with owners and modes as they are."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as out:
        for path in paths:
            archive = io.BytesIO(docker_bytes("cp", f"{container}:{path}", "-"))
            with tarfile.open(fileobj=archive) as part:
                (entry,) = part.getmembers()
                entry.name = path.lstrip("/")
                out.addfile(entry, part.extractfile(entry))
    return whole.getvalue()


def _described(plan: Plan, name: str, told: Mapping[str, Any], files: str) -> Described:
    config, host = told["Config"], told["HostConfig"]
    networks = (told.get("NetworkSettings") or {}).get("Networks") or {}
    aliases = {alias for each in networks.values() for alias in each.get("Aliases") or ()}
    return Described(
        name=name,
        aliases=tuple(sorted(alias for alias in aliases if alias != told["Id"][:_SHORT_ID])),
        files=files,
        image=config["Image"],
        entrypoint=tuple(config.get("Entrypoint") or ()),
        command=tuple(config.get("Cmd") or ()),
        environment=tuple(config.get("Env") or ()),
        user=config.get("User") or "",
        groups=tuple(host.get("GroupAdd") or ()),
        capabilities=tuple(host.get("CapAdd") or ()),
        memory=host.get("Memory") or 0,
        shared_memory=host.get("ShmSize") or 0,
        init=bool(host.get("Init")),
        tmpfs=dict(host.get("Tmpfs") or {}),
        mounts=tuple(_mounted(plan, each) for each in told["Mounts"] if each["Type"] == "bind" and _is_folder(each)),
        health=tuple((config.get("Healthcheck") or {}).get("Test") or ()),
    )


def _is_folder(mount: Mapping[str, Any]) -> bool:
    """Docker's socket is no folder, and nothing that a drill may give to anybody."""
    return not mount["Destination"].endswith(".sock")


def _mounted(plan: Plan, mount: Mapping[str, Any]) -> Mounted:
    source = PurePosixPath(mount["Source"])
    folder = str(source.relative_to(plan.root)) if source.is_relative_to(plan.root) else ""
    live = plan.data / folder
    facts = live.stat() if folder and live.exists() else None
    return Mounted(
        folder=folder,
        target=mount["Destination"],
        read_only=not mount.get("RW", True),
        owner=(facts.st_uid, facts.st_gid, facts.st_mode & 0o7777) if facts else _NOBODYS,
    )
