"""Room: where a drill starts a service as its snapshot describes it: a network that leads nowhere, scratch folders.

No port, no Docker socket, no folder of the host outside the scratch folder, no more rights and no more memory than the
live containers have. Whatever a run that was killed left is found by its mark and taken away by the next one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from typing import TYPE_CHECKING, Self

from components.backup_runner.containers import docker, docker_bytes, execute
from components.backup_runner.plan import BackupError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from components.backup_runner.description import Described, Mounted
    from components.backup_runner.plan import Plan

_MARK = "kitestacks.drill"
_NO_NAME_SERVER = "127.0.0.1"
"""Older daemons ask the host's name servers even from a network without a way out (CVE-2024-29018)."""
_NO_GATEWAY = "com.docker.network.bridge.inhibit_ipv4=true"
"""Without it the host itself answers in a network without a way out, with all that listens on it."""
_RESTARTS = 5
"""As often as an app may end that was started before another one was there."""
_ENDED = ("exited", "dead")
_CHECK_LIMIT = 30
"""Seconds that one health check may take: docker's own is patient for five, with nothing else to do."""


def clear(plan: Plan) -> None:
    """Takes away what a run left that was killed: containers, networks, folders; nothing else has the mark.

    Raises:
        BackupError: docker does not answer.
    """
    _take_away(plan)
    shutil.rmtree(plan.scratch, ignore_errors=True)


def _take_away(plan: Plan) -> None:
    mark = ("--filter", f"label={_MARK}={_owner(plan)}")
    if containers := docker("ps", "--all", "--quiet", *mark).split():
        docker("rm", "--force", "--volumes", *containers)
    if networks := docker("network", "ls", "--quiet", *mark).split():
        docker("network", "rm", *networks)


def _owner(plan: Plan) -> str:
    """Two hosts of a rehearsal share one daemon."""
    return f"{plan.installation}.{plan.host}"


class Room:
    """Scratch containers, from entering it until leaving it.

    Args:
        plan: Of the host on which the drill is held.
        data: What stands for the data root, below the scratch folder.
        files: Where the archives of the containers' files lie.
    """

    def __init__(self, plan: Plan, data: Path, files: Path) -> None:
        self.name = f"{plan.installation}-{plan.host}-drill"
        self._plan, self._data, self._files = plan, data, files
        self._fetched: list[str] = []

    def __enter__(self) -> Self:
        mark = f"{_MARK}={_owner(self._plan)}"
        docker("network", "create", "--internal", "--opt", _NO_GATEWAY, "--label", mark, self.name)
        return self

    def __exit__(self, *_: object) -> None:
        _take_away(self._plan)
        for image in self._fetched:
            with contextlib.suppress(BackupError):  # somebody uses it by now
                docker("rmi", image)

    def scratch_name(self, container: str) -> str:
        """What Docker calls the scratch copy of a container."""
        return f"{self.name}-{container}"

    def lay_out(self, container: Described) -> None:
        """Makes the folders that it needs and that no backup holds, with the owners of the live ones."""
        for mount in container.mounts:
            place = self._place(container, mount)
            if not place.exists():
                place.mkdir(parents=True)
                os.chown(place, *mount.owner[:2])
                place.chmod(mount.owner[2])

    def start(self, container: Described, *, own_entrypoint: bool = True) -> str:
        """Starts a scratch copy; returns its name.

        Args:
            container: What it is a copy of.
            own_entrypoint: As described; otherwise the image's, which makes a database on an empty folder.

        Raises:
            BackupError: its image is not here and can't be fetched, or docker refuses.
        """
        self._see_to(container.image)
        name = self.scratch_name(container.name)
        entrypoint = container.entrypoint if own_entrypoint else ()
        first = ("--entrypoint", entrypoint[0]) if entrypoint else ()
        docker(
            *("create", "--name", name, *first, *self._limits(container), *self._places(container)),
            *(container.image, *entrypoint[1:], *container.command),
        )
        if container.files:
            docker_bytes("cp", "-", f"{name}:/", stdin=(self._files / container.files).read_bytes())
        docker("start", name)
        return name

    def wait(self, container: Described) -> None:
        """Until its own health check is content, which is asked from here: docker's command can't be given one in full.

        Raises:
            BackupError: it is not in time, or the container has ended; with its last words.
        """
        name, end = self.scratch_name(container.name), time.monotonic() + self._plan.patience
        while True:
            try:
                execute(name, _health(container), limit=_CHECK_LIMIT)
            except BackupError as error:
                ended = docker("inspect", "--format", "{{.State.Status}}", name).strip() in _ENDED
                if ended or time.monotonic() > end:
                    why = "ended" if ended else f"did not get healthy within {self._plan.patience} s"
                    raise BackupError(f"{container.name} {why}: {error}; {self._last_words(name)}") from None
                time.sleep(0.5)
            else:
                return

    def _last_words(self, name: str) -> str:
        with contextlib.suppress(BackupError):
            for line in reversed(docker("logs", "--tail", "3", name).splitlines()):
                if line.strip():
                    return f"its last line: {line.strip()}"
        return "it said nothing"

    def _see_to(self, image: str) -> None:
        with contextlib.suppress(BackupError):
            docker("image", "inspect", "--format", "{{.Id}}", image)
            return
        try:
            docker("pull", "--quiet", image)
        except BackupError as error:
            raise BackupError(
                f"the image {image} is not on {self._plan.host} and can't be fetched ({error}): build or load it there"
            ) from None
        self._fetched.append(image)

    def _limits(self, container: Described) -> Iterator[str]:
        yield from ("--label", f"{_MARK}={_owner(self._plan)}", "--network", self.name, "--dns", _NO_NAME_SERVER)
        for alias in container.aliases:
            yield from ("--network-alias", alias)
        yield from ("--restart", f"on-failure:{_RESTARTS}", "--no-healthcheck")
        yield from ("--cap-drop", "ALL", "--security-opt", "no-new-privileges:true")
        for capability in container.capabilities:
            yield from ("--cap-add", capability)
        if container.memory:
            yield from ("--memory", str(container.memory), "--memory-swap", str(container.memory))
        if container.shared_memory:
            yield from ("--shm-size", str(container.shared_memory))
        if container.init:
            yield "--init"

    def _places(self, container: Described) -> Iterator[str]:
        if container.user:
            yield from ("--user", container.user)
        for group in container.groups:
            yield from ("--group-add", group)
        for word in container.environment:
            yield from ("--env", word)
        for folder, options in container.tmpfs.items():
            yield from ("--tmpfs", f"{folder}:{options}" if options else folder)
        for mount in container.mounts:
            source = self._plan.on_host(self._place(container, mount))
            flag = ",readonly" if mount.read_only else ""
            yield from ("--mount", f"type=bind,source={source},target={mount.target}{flag}")

    def _place(self, container: Described, mount: Mounted) -> Path:
        """Another part of the host is an empty folder."""
        if mount.folder:
            return self._data / mount.folder
        return self._plan.scratch / "empty" / container.name / mount.target.lstrip("/")


def _health(container: Described) -> list[str]:
    """Where there is none, being able to run anything at all has to do."""
    kind, *words = container.health or ("NONE",)
    if kind == "CMD":
        return words
    return ["/bin/sh", "-c", *words] if kind == "CMD-SHELL" else ["true"]
