"""World: a rehearsal of its own in a temporary folder, with simulated containers, in which programs are measured."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import yaml

from bench import bare
from bench.cost import Cost, measure
from rehearsal import engine, helpers, session
from rehearsal.ports import free_port
from rehearsal.twin import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kitestacks.console import Console
    from rehearsal.twin import Twin
    from toolchain import Toolchain

_BARE_PROGRAM = Path(__file__).with_name("bare_program.py")
_SECRETS = ("cloudflare:apiToken", "tailscale:apiKey")
_SALT = "encryptionsalt"
_CONTAINER = "docker:index/container:Container"


@dataclass(frozen=True, kw_only=True)
class Program:
    """A Pulumi program with a deployed stack: what is measured.

    Attributes:
        folder: The project that the engine runs in.
        stack: The stack.
        pulumi: The engine.
        environment: What the engine runs with.
    """

    folder: Path
    stack: str
    pulumi: Path
    environment: Mapping[str, str] = field(repr=False)

    def preview(self, *flags: str) -> Cost:
        """`pulumi preview`, which must find nothing to do.

        Raises:
            CommandError: it failed, or found something.
        """
        return self._run("preview", "--expect-no-changes", *flags)

    def up(self) -> Cost:
        """`pulumi up` without its preview, which must find nothing to do.

        Raises:
            CommandError: it failed, or did something.
        """
        return self._run("up", "--yes", "--skip-preview", "--expect-no-changes")

    def deploy(self) -> None:
        """`pulumi up` without its preview, whatever there is to do; not for measuring.

        The engine writes the whole state after every step unless told otherwise, which takes minutes for a large stack.

        Raises:
            CommandError: it failed.
        """
        once = {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"}
        self._run("up", "--yes", "--skip-preview", environment=once)

    def _run(self, *arguments: str, environment: Mapping[str, str] = MappingProxyType({})) -> Cost:
        command: list[str | Path] = [self.pulumi, "--non-interactive", *arguments, "-s", self.stack]
        given = {**self.environment, **environment}
        return measure(command, cwd=self.folder, env=given, log=self.folder / "bench.log")


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a deployed stack is on its host.

    Attributes:
        containers: How many.
        mebibytes: The sum of their memory limits.
    """

    containers: int
    mebibytes: int

    def __sub__(self, other: Size) -> Size:
        return Size(containers=self.containers - other.containers, mebibytes=self.mebibytes - other.mebibytes)


@dataclass(frozen=True, kw_only=True)
class World:
    """A rehearsed fleet.

    Attributes:
        twin: Its rehearsal.
        tools: The toolchain.
    """

    twin: Twin
    tools: Toolchain

    def real(self, stack: str) -> Program:
        """The real program on one of its stacks."""
        return Program(folder=self.twin.project, stack=stack, pulumi=self.tools.engine, environment=self._environment())

    def size(self, stack: str) -> Size:
        """The containers of a deployed stack."""
        state = json.loads(engine.run(self.twin, self.tools, "stack", "export", "-s", stack))
        limits = [each["inputs"]["memory"] for each in state["deployment"]["resources"] if each["type"] == _CONTAINER]
        return Size(containers=len(limits), mebibytes=sum(limits))

    def bare(self, stack: str) -> tuple[Program, int]:
        """The bare program of a deployed stack and how many resources it registers.

        It works on a copy of the state and on the same simulated cloud, and has settled: its next `up` does nothing.
        """
        exported = engine.run(self.twin, self.tools, "stack", "export", "--show-secrets", "-s", stack)
        recorded = bare.recorded(json.loads(exported))
        folder = self.twin.state / f"bare-{stack}"
        folder.mkdir(mode=0o700)
        shutil.copy(self.twin.project / "Pulumi.yaml", folder)
        shutil.copy(_BARE_PROGRAM, folder / "__main__.py")
        (folder / "resources.json").write_text(json.dumps(recorded))
        settings = yaml.safe_load((self.twin.project / f"Pulumi.{stack}.yaml").read_text())
        kept = {
            _SALT: settings[_SALT],
            "config": {key: value for key, value in settings["config"].items() if key in _SECRETS},
        }
        (folder / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(kept))
        shutil.copytree(self.twin.backend, folder / "backend")
        environment = self._environment() | {"PULUMI_BACKEND_URL": f"file://{folder / 'backend'}"}
        program = Program(folder=folder, stack=stack, pulumi=self.tools.engine, environment=environment)
        program.deploy()
        return program, len(recorded["resources"])

    def _environment(self) -> dict[str, str]:
        """The engine's, with compiled Python kept where a user's machine would keep it beside the files."""
        own = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        compiled = {"PYTHONPYCACHEPREFIX": str(self.twin.state / "compiled")}
        return own | engine.environment(self.twin, self.tools) | compiled


@contextmanager
def opened(console: Console, *, files: Path = ROOT) -> Iterator[World]:
    """A fresh world for the stack files of a folder, nothing deployed; taken away at the end, however that comes.

    Args:
        console: Where progress goes.
        files: A folder with stack files, and with `components` where they are not the project's.
    """
    with tempfile.TemporaryDirectory(prefix="kitestacks-bench-") as folder:
        port = free_port("127.0.0.1")
        twin = session.begin(console, state=Path(folder, "state"), installation="bench", port=port, simulated=True)
        (twin.project / "components").symlink_to(files / "components")
        try:
            yield World(twin=twin, tools=session.prepare(console, twin, files))
        finally:
            helpers.rest(twin)
