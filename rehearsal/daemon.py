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

_DEFAULT = "unix:///var/run/docker.sock"
INSTALLATION = "kitestacks.installation"
HOST = "kitestacks.host"


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
        """The daemon of `DOCKER_HOST` or the usual socket; None if nobody answers there."""
        endpoint = os.environ.get("DOCKER_HOST", _DEFAULT)
        try:
            client = DockerClient(base_url=endpoint, timeout=60)
            client.ping()
        except DockerException:
            return None
        return cls(endpoint, client)

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
