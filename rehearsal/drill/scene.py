"""Scene: what a fault may do to the rehearsal's containers and stack files, each with its way back."""

from __future__ import annotations

import contextlib
import io
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml
from docker.errors import APIError, ImageNotFound

from components.fleet_files import fleet_of_files
from components.host import physical_name
from kitestacks.deploying.engine import Engine
from kitestacks.deploying.host import deploy
from rehearsal import engine, helpers, processes, session
from rehearsal.sites import ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from docker.models.containers import Container

    from components.fleet import Fleet
    from kitestacks.console import Console
    from rehearsal.daemon import Daemon
    from rehearsal.twin import Twin
    from toolchain import Toolchain

SICK_FILE = "sick"
"""A stand-in that finds `sick` in this file of its root folder answers every question with 500."""
_AT_ONCE = 16
"""Containers that are killed or started side by side: a power cut does not go one by one."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The rehearsal that a drill is played in.

    Attributes:
        twin: The rehearsal.
        daemon: Its Docker daemon.
        tools: The engine.
        console: Where the engine's work is shown.
    """

    twin: Twin
    daemon: Daemon
    tools: Toolchain
    console: Console

    def containers(self, host: str, *names: str) -> list[Container]:
        """A host's containers, all or the named ones."""
        prefix = f"{self.twin.installation}-{host}-"
        found = self.daemon.containers(self.twin.installation, host)
        return [each for each in found if not names or str(each.name).removeprefix(prefix) in names]

    def container(self, host: str, name: str) -> Container:
        """One container, by the name that people type.

        Raises:
            APIError: it is not there.
        """
        return self.daemon.client.containers.get(physical_name(self.twin.installation, host, name))

    def fleet(self, here: str | None = None) -> Fleet:
        """What the rehearsed stack files declare as they are now, seen from a host or from the foundation."""
        return fleet_of_files(self.twin.project, here)

    def kill(self, containers: Iterable[Container]) -> None:
        """As a power cut does it: at once, without a word. One that is dead already stays so."""
        self._all(containers, lambda container: container.kill())

    def start(self, containers: Iterable[Container]) -> None:
        """As the daemon does it when its machine comes back."""
        self._all(containers, lambda container: container.start())

    def pause(self, containers: Iterable[Container]) -> None:
        """The program keeps its port and never answers."""
        self._all(containers, lambda container: container.pause())

    def unpause(self, containers: Iterable[Container]) -> None:
        """The program goes on."""
        self._all(containers, lambda container: container.unpause())

    def make_sick(self, containers: Iterable[Container]) -> None:
        """The stand-ins go on running and answer 500."""
        self._all(containers, lambda container: _write(container, SICK_FILE, "sick"))

    def make_well(self, containers: Iterable[Container]) -> None:
        """The stand-ins answer again."""
        self._all(containers, lambda container: _write(container, SICK_FILE, "well"))

    def cut_tailnet(self) -> None:
        """Nothing carries a connection from one host to the other any more."""
        processes.stop(self.twin, "tailnet")

    def mend_tailnet(self) -> None:
        """The private network carries connections again."""
        helpers.wake(self.twin)

    def edit(self, stack: str, section: str, key: str, value: Any, folder: Path | None = None) -> None:  # noqa: ANN401 - any YAML value
        """Changes one value of the rehearsed stack file, or of its copy in a folder; the real one is not touched."""
        file = (folder or self.twin.project) / f"Pulumi.{stack}.yaml"
        document = yaml.safe_load(file.read_text())
        block = document["config"][f"kitestacks:{section}"]
        if value is None:
            block.pop(key, None)
        else:
            block[key] = value
        file.write_text(yaml.safe_dump(document, sort_keys=False))

    def set(self, stack: str, service: str, key: str, value: Any) -> None:  # noqa: ANN401 - any YAML value
        """Changes one setting of a service in the rehearsed stack file; None takes it out."""
        block = {**self._services(stack)[service], key: value}
        if value is None:
            del block[key]
        self.edit(stack, "services", service, block)

    def image(self, stack: str, service: str) -> str:
        """The image that the rehearsed stack file names for a service."""
        return str(self._services(stack)[service]["image"])

    def set_image(self, stack: str, service: str, image: str, local: str | None = None) -> None:
        """Names another image in the rehearsed stack file; `local` is what stands for it here."""
        block = self._services(stack)[service]
        self.edit(stack, "services", service, block | {"image": image})
        if local is not None:
            self.edit(stack, "images", image, local)

    def tag(self, stack: str, service: str, name: str) -> None:
        """Gives the image that a service runs a second local name."""
        self.container(stack, service).image.tag(*name.rsplit(":", 1))

    def untag(self, name: str) -> None:
        """Takes a local name away, if it is there; a container that runs it goes on."""
        with contextlib.suppress(ImageNotFound):
            self.daemon.client.images.remove(name, noprune=True, force=True)

    def roll(self, *stacks: str) -> None:
        """What `make deploy` does to these hosts, in this order."""
        run = Engine(
            program=str(self.tools.engine),
            files=self.twin.project,
            variables=engine.environment(self.twin, self.tools),
            logs=self.twin.logs,
        )
        deploy(
            list(stacks),
            self.fleet,
            run,
            self.console,
            asked=lambda _: True,
            ask=lambda hostname, path: ask(self.twin, hostname, path).good,
        )

    def _services(self, stack: str) -> dict[str, Any]:
        document = yaml.safe_load((self.twin.project / f"Pulumi.{stack}.yaml").read_text())
        found: dict[str, Any] = document["config"]["kitestacks:services"]
        return found

    def deploy(self, stack: str) -> None:
        """`pulumi up` for one host."""
        session.deploy(self.console, self.twin, self.tools, stack)

    def _all(self, containers: Iterable[Container], act: Callable[[Container], object]) -> None:
        def quietly(container: Container) -> None:
            try:
                act(container)
            except APIError as error:
                if error.response is None or error.response.status_code != _CONFLICT:
                    raise

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(quietly, list(containers)))


_CONFLICT = 409
"""What the daemon answers when there is nothing left to do: dead already, or not paused."""


def _write(container: Container, path: str, text: str) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode = len(text), 0o444
        archive.addfile(entry, io.BytesIO(text.encode()))
    container.put_archive("/", packed.getvalue())
