"""Lab: a rehearsal of its own for tests, with broken stack files where a test wants them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import toolchain
from kitestacks.console import Console
from kitestacks.exits import CommandError
from rehearsal import engine, helpers, session, stack_files
from rehearsal.daemon import Daemon
from rehearsal.images.build import ensure
from tests.ports import free_port
from tests.stack_files import ROOT, StackFiles

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rehearsal.twin import Twin


@dataclass(frozen=True)
class Finished:
    """What an engine command came to."""

    status: int
    output: str


@dataclass(frozen=True)
class Lab:
    """A rehearsal in a test's folder, under a mark of its own, beside any other on this machine.

    Attributes:
        twin: The rehearsal.
        files: Its stack files, free to be edited.
        tools: The engine.
    """

    twin: Twin
    files: StackFiles
    tools: toolchain.Toolchain

    @classmethod
    def open(cls, folder: Path, *, simulated: bool, real_data: bool = False, keep: tuple[str, ...] = ()) -> Lab:
        """A fresh rehearsal with copies of the real stack files, its stacks made and nothing deployed."""
        files = folder / "files"
        files.mkdir()
        console = Console()
        found = session.begin(
            console,
            state=folder / "state",
            installation=f"test-{uuid.uuid4().hex[:8]}",
            port=free_port(),
            simulated=simulated,
            real_data=real_data,
        )
        copies = StackFiles.copied_to(files)
        if keep:
            copies.keep(*keep)
        return cls(found, copies, session.prepare(console, found, copies.folder))

    def close(self) -> None:
        """Takes everything away."""
        helpers.rest(self.twin)
        self.clear()
        shutil.rmtree(self.twin.state)

    def clear(self) -> None:
        """Takes its containers and networks away."""
        daemon = Daemon.find() if self.twin.docker else None
        if daemon is not None:
            daemon.clear(self.twin.installation)

    def restore(self) -> None:
        """The real stack files again."""
        for path in self.files.folder.glob("Pulumi.*.yaml"):
            path.unlink()
        StackFiles.copied_to(self.files.folder)
        self.render()

    def render(self, images: tuple[str, ...] = ()) -> None:
        """Makes edits of the stack files known to the engine; `images` are those that only a test's services name."""
        for stack in stack_files.names(self.files.folder) if images else ():
            self.files.edit(stack, "images", ensure(dict.fromkeys(images, ())))
        session.render(self.twin, Console(), self.files.folder)

    @property
    def environment(self) -> dict[str, str]:
        """What the engine runs with."""
        return os.environ | engine.environment(self.twin, self.tools)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts an engine command and does not wait."""
        return subprocess.Popen(
            [self.tools.engine, "--non-interactive", *arguments],
            cwd=self.twin.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def pulumi(self, *arguments: str) -> Finished:
        """Runs an engine command to its end."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=300)
        return Finished(process.returncode, output)

    def up(self, stack: str, *flags: str) -> Finished:
        """`pulumi up`, which must succeed."""
        finished = self.pulumi("up", "--yes", "--skip-preview", "-s", stack, *flags)
        assert finished.status == 0, finished.output
        return finished

    def export(self, stack: str) -> dict[str, Any]:
        """The stack's state."""
        state: dict[str, Any] = json.loads(engine.run(self.twin, self.tools, "stack", "export", "-s", stack))
        return state

    def resources(self, stack: str) -> list[dict[str, Any]]:
        """The resources of the stack's state."""
        found: list[dict[str, Any]] = self.export(stack)["deployment"].get("resources", [])
        return found

    def cloud(self) -> dict[str, Any]:
        """The simulated cloud, as it is now."""
        file = self.twin.state / "cloud.json"
        known: dict[str, Any] = json.loads(file.read_text())
        return known

    def make_stack(self, stack: str) -> None:
        """Makes a stack for a host that a test has added."""
        engine.run(self.twin, self.tools, "stack", "select", "--create", stack)
        session.set_secrets(self.twin, self.tools, stack, self.files.folder)


@contextlib.contextmanager
def many_networks() -> Iterator[None]:
    """One large lab at a time: a daemon has addresses for some thirty networks, unless it is told otherwise."""
    file = ROOT / ".kitestacks" / "tests" / "networks.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def missing_engine() -> str | None:
    """Why tests on the engine can't run here, with the command that helps; None if they can."""
    return None if toolchain.find() else "no Pulumi engine: make toolchain"


def missing_docker() -> str | None:
    """Why tests on the real Docker provider can't run here; None if they can."""
    if reason := missing_engine():
        return reason
    daemon = Daemon.find()
    if daemon is None:
        return "no Docker daemon answers: apt-get install docker.io, and start it"
    try:
        ensure(stack_files.images())
    except CommandError as error:
        return f"no stand-in images ({error.message.splitlines()[0]}): make rehearsal"
    return None
