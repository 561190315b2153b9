"""The Docker daemon of this machine, as far as a rehearsal looks at it: what carries its mark, and nothing else."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from docker.client import DockerClient
from docker.errors import DockerException

if TYPE_CHECKING:
    from docker.models.containers import Container

_UNIX = "unix://"
INSTALLATION = "kitestacks.installation"
HOST = "kitestacks.host"


class DaemonError(Exception):
    """No daemon answers; the message says where it was looked for."""


def endpoint() -> str:
    """Where the daemon is looked for: at `DOCKER_HOST`, or at the usual socket."""
    return os.environ.get("DOCKER_HOST") or f"{_UNIX}/var/run/docker.sock"


def connect(timeout: float = 60) -> DockerClient:
    """A client of the daemon; to be closed.

    Args:
        timeout: Seconds that the daemon may be silent.

    Raises:
        DaemonError: none answers.
    """
    address = endpoint()
    try:
        if address.startswith(_UNIX):
            # The SDK leaves its socket open when nobody listens, which Python complains about long afterwards.
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(address.removeprefix(_UNIX))
        return DockerClient.from_env(timeout=timeout)
    except (DockerException, OSError) as error:
        raise DaemonError(f"no Docker daemon answers at {address}: {error}") from error


@dataclass(frozen=True)
class Daemon:
    """A daemon that answers.

    Attributes:
        endpoint: Where it is reached.
        client: The SDK's client.
    """

    endpoint: str
    client: DockerClient

    @classmethod
    def find(cls) -> Daemon | None:
        """The daemon of this machine; None if nobody answers."""
        try:
            return cls(endpoint(), connect())
        except DaemonError:
            return None

    def gateway(self) -> str:
        """An address of this machine that every container reaches."""
        bridge = self.client.networks.get("bridge").attrs["IPAM"]["Config"][0]
        return str(bridge.get("Gateway", "172.17.0.1"))

    def containers(self, installation: str, host: str | None = None) -> list[Container]:
        """Containers with an installation's mark, stopped ones too."""
        marks = [f"{INSTALLATION}={installation}", *([f"{HOST}={host}"] if host else [])]
        found: list[Container] = self.client.containers.list(all=True, filters={"label": marks})
        return sorted(found, key=lambda container: str(container.name))

    def clear(self, installation: str) -> int:
        """Removes every container and network with an installation's mark; returns how many."""
        containers = self.containers(installation)
        for container in containers:
            container.remove(force=True)
        networks = self.client.networks.list(filters={"label": f"{INSTALLATION}={installation}"})
        for network in networks:
            network.remove()
        return len(containers) + len(networks)


def free_port(address: str) -> int:
    """A port that nobody listens on at an address of this machine."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
