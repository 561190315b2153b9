"""The wiki's pictures on this machine: the plan's own settings, script and certificates, and real Syncthing."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from components import folders_step
from components.step_program import Given
from tests.ports import free_port
from tests.recorder import ROOT, run_program, stack_config
from tests.services.machines import PlayedMachine, run_here
from tests.services.plans import environment, files, plan
from toolchain.syncthing import SYNCTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from components.machine import Done
    from components.services.bookstack.device import Device
    from tests.recorder import Run

PRIMARY, STANDBY = "monk", "kscloud1"
LIMIT = 120
"""Seconds that anything may take."""
_SEED = {"secret:bookstack.sync-seed": "shared-bookstack.sync-seed"}
_FOLDERS = "bookstack-folders"
_OF_THE_IMAGE = {"STGUIADDRESS": "0.0.0.0:8384", "STHOMEDIR": "/var/syncthing/config", "HOME": "/var/syncthing"}
"""What the image's own environment says (`syncthing/syncthing:Dockerfile`)."""


@cache
def program() -> Path:
    """Syncthing, or a skip with the command that gets it."""
    found = SYNCTHING.find()
    if found is None:
        pytest.skip("no syncthing here: python3 -m kitestacks toolchain --syncthing")
    return found


@cache
def _plan(host: str) -> Run:
    """A host's plan; a mocked foundation invents the secrets that the others are given, so this one is given to it."""
    return run_program(host, config=stack_config(host, ROOT) | _SEED) if host == STANDBY else plan(host)


class _Shell(PlayedMachine):
    """A host whose shell is this machine's."""

    def shell(self, script: str) -> Done:
        return run_here(["sh"], script, dict(os.environ))


@dataclass
class Side:
    """One host's `bookstack-sync`.

    Attributes:
        host: Which host.
        folder: Its disk.
        peers: The port of each other host's, by its private address.
        rendered: Settings instead of the plan's.
        device: What it is known by instead of the plan's.
        port: Where it listens on loopback, as the container's is published on the Tailscale address.
    """

    host: str
    folder: Path
    peers: Mapping[str, int] = field(default_factory=dict)
    rendered: str = ""
    device: Device | None = None
    port: int = field(default_factory=free_port)
    gui: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def container(self) -> Any:  # noqa: ANN401 - recorded inputs
        return _plan(self.host).containers()["bookstack-sync"]

    def at(self, inside: str) -> Path:
        """Where a folder of the container lies."""
        data = str(_given_folders(self.host)["root"])
        sources = {mount["target"]: mount["source"] for mount in self.container.inputs["mounts"]}
        target = max((each for each in sources if Path(inside).is_relative_to(each)), key=len)
        return self.disk / Path(sources[target]).relative_to(data) / Path(inside).relative_to(target)

    @property
    def disk(self) -> Path:
        """The host's data root."""
        return self.folder / "disk"

    def wiki(self, name: str) -> Path:
        """A file of the wiki, as `uploads/cat.png`."""
        return self.at(f"/wiki/{name}")

    def upload(self, name: str, text: str) -> Path:
        """What the wiki does with what a person uploads."""
        file = self.wiki(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        self.give(name.partition("/")[0])
        return file

    def give(self, folder: str) -> None:
        """Makes all in a folder of the wiki its user's."""
        for each in (self.wiki(folder), *self.wiki(folder).rglob("*")):
            _give(each)

    def meet(self, sides: Sequence[Side]) -> None:
        """Lets it find the others' ports at their private addresses."""
        fleet = {each.host: each for each in sides}
        stacks = {host: yaml.safe_load((ROOT / f"Pulumi.{host}.yaml").read_text())["config"] for host in fleet}
        addresses = {host: stack["kitestacks:host"]["tailscale-address"] for host, stack in stacks.items()}
        self.peers = {addresses[host]: each.port for host, each in fleet.items()}

    def make_folders(self) -> None:
        """The plan's own step; an owner that this machine's user can't give is its own."""
        given = _given_folders(self.host)
        mine = None if os.geteuid() == 0 else f"{os.geteuid()}:{os.getegid()}"
        wanted = [[path, mine or owner, mode] for path, owner, mode in given["folders"]]
        facts = {"root": str(self.disk), "folders": wanted}
        folders_step.run(Given(facts=facts, secrets={}), _Shell())

    def start(self) -> Side:
        """Starts the container's entry point, and waits until it is healthy."""
        memory = self.folder / "memory"
        shutil.rmtree(memory, ignore_errors=True)
        memory.mkdir(mode=0o700)
        _give(memory)
        for path, text in (files(self.container) | self._instead()).items():
            inside = self.folder / path.lstrip("/")
            inside.parent.mkdir(parents=True, exist_ok=True)
            inside.write_text(self._here(text))
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(
            self._words(self.container.inputs["entrypoints"]), env=self._environment, stdout=log, stderr=log, **_user()
        )
        log.close()
        until(self.is_healthy, self.log)
        return self

    def _instead(self) -> dict[str, str]:
        settings = {"/etc/kitestacks/sync.xml": self.rendered} if self.rendered else {}
        if self.device is None:
            return settings
        certificate = {"/etc/kitestacks/sync-certificate.pem": self.device.certificate}
        return settings | certificate | {"/run/secrets/sync-key.pem": self.device.key}

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(LIMIT)
            self._process = None

    def kill(self) -> None:
        """As when the power goes."""
        if self._process:
            for process in self.processes():
                os.kill(process, signal.SIGKILL)
            self._process.wait(LIMIT)
            self._process = None

    def is_healthy(self) -> bool:
        """The container's own health check."""
        tests = self._words(self.container.inputs["healthcheck"]["tests"][1:])
        return subprocess.run(tests, env=self._environment, capture_output=True, check=False, **_user()).returncode == 0

    def figures(self) -> dict[str, float]:
        """What the health check leaves for Prometheus."""
        assert self.is_healthy(), self.log()
        lines = self.at("/figures/pictures.prom").read_text().splitlines()
        found = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in found}

    def figure(self, name: str, **labels: str) -> float:
        """The sum of the series that have these labels."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        series = self.figures().items()
        return sum(value for each, value in series if each.startswith(name) and all(word in each for word in wanted))

    def processes(self) -> list[int]:
        """Syncthing, and the one that watches over it."""
        assert self._process
        threads = Path(f"/proc/{self._process.pid}/task").iterdir()
        children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
        return [self._process.pid, *children]

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")[-3000:]

    @property
    def _environment(self) -> dict[str, str]:
        given = (_OF_THE_IMAGE | environment(self.container)).items()
        return {"PATH": f"{self.folder.parent}:/usr/bin:/bin"} | {key: self._here(value) for key, value in given}

    def _words(self, words: list[str]) -> list[str]:
        return [self._here(word) for word in words]

    def _here(self, text: str) -> str:
        """A text of the container with this machine's places, ports and addresses."""
        moved = {f"{address}:22000": f"127.0.0.1:{port}" for address, port in self.peers.items()}
        moved |= {"0.0.0.0:22000": f"127.0.0.1:{self.port}", "127.0.0.1:8384": f"127.0.0.1:{self.gui}"}
        moved |= {mount["target"]: str(self.at(mount["target"])) for mount in self.container.inputs["mounts"]}
        moved |= {place: str(self.folder / place.lstrip("/")) for place in ("/etc/kitestacks", "/run/secrets")}
        moved |= {place: str(self.folder / "memory") for place in self.container.inputs["tmpfs"]}
        return re.sub("|".join(map(re.escape, sorted(moved, key=len, reverse=True))), lambda old: moved[old[0]], text)


@contextlib.contextmanager
def sides(program: Path) -> Iterator[tuple[Side, Side]]:
    """Both hosts, not yet started, each with a new disk."""
    with tempfile.TemporaryDirectory(prefix="kitestacks-sync-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        shutil.copy(program, folder / "syncthing")
        made = [Side(host=host, folder=folder / host) for host in (PRIMARY, STANDBY)]
        for side in made:
            side.disk.mkdir(parents=True)
            side.meet(made)
            side.make_folders()
        try:
            yield made[0], made[1]
        finally:
            for side in made:
                side.kill()


def _given_folders(host: str) -> dict[str, Any]:
    step = _plan(host).recorder.of_type("Command")[_FOLDERS]
    facts: dict[str, Any] = json.loads(step.inputs["environment"]["KITESTACKS_STEP"])
    return facts


def _user() -> dict[str, Any]:
    """The container's user, where this machine's may become it."""
    return {"user": 1000, "group": 1000, "extra_groups": [0]} if os.geteuid() == 0 else {}


def _give(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, 1000, 1000)


def until(ready: Callable[[], bool], why: Callable[[], Any] = lambda: "not in time") -> float:
    """Waits for a condition; returns the seconds that it took."""
    start = time.monotonic()
    while not ready():
        if time.monotonic() > start + LIMIT:
            pytest.fail(str(why()))
        time.sleep(0.05)
    return time.monotonic() - start
