"""The Docker daemon of this machine, as far as a rehearsal looks at it: what carries its mark, and nothing else."""

from __future__ import annotations

import ipaddress
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from docker.client import DockerClient
from docker.errors import APIError, DockerException
from docker.types import IPAMConfig, IPAMPool

if TYPE_CHECKING:
    from docker.models.containers import Container

_UNIX = "unix://"
INSTALLATION = "kitestacks.installation"
HOST = "kitestacks.host"
_DOOR = "kitestacks.rehearsal.door"
"""Marks the network that stands for a host's place on the private network."""
_DOORS = ipaddress.ip_network("198.18.0.0/15")
"""Addresses that nobody routes (RFC 2544), so that none of the machine's own networks is in the way."""
_DOOR_PREFIX = 29
_AT_ONCE = 8
"""Containers that are removed at a time: each takes half a second, in which the daemon mostly waits."""


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
        # Not every daemon says it: it is the first address then.
        return str(bridge.get("Gateway") or next(ipaddress.ip_network(bridge["Subnet"]).hosts()))

    def door(self, installation: str, host: str) -> str:
        """The address of this machine at which a rehearsed host is reached from the others' containers.

        It is the gateway of a network of the host's own, on which no container stands.
        """
        name = f"{installation}-{host}-tailnet"
        for network in self.client.networks.list(names=[f"^{name}$"]):
            return str(network.attrs["IPAM"]["Config"][0]["Gateway"])
        for subnet in _DOORS.subnets(new_prefix=_DOOR_PREFIX):
            gateway = str(next(subnet.hosts()))
            pool = IPAMConfig(pool_configs=[IPAMPool(subnet=str(subnet), gateway=gateway)])
            try:
                self.client.networks.create(name, ipam=pool, labels={INSTALLATION: installation, _DOOR: host})
            except APIError as error:
                if "overlaps" not in str(error):
                    raise
            else:
                return gateway
        raise DaemonError(f"no free network in {_DOORS} for the rehearsed {host}")

    def containers(self, installation: str, host: str | None = None) -> list[Container]:
        """Containers with an installation's mark, stopped ones too."""
        marks = [f"{INSTALLATION}={installation}", *([f"{HOST}={host}"] if host else [])]
        found: list[Container] = self.client.containers.list(all=True, filters={"label": marks})
        return sorted(found, key=lambda container: str(container.name))

    def clear(self, installation: str) -> int:
        """Removes every container and network with an installation's mark; returns how many."""
        containers = self.containers(installation)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda container: container.remove(force=True), containers))
        networks = self.client.networks.list(filters={"label": f"{INSTALLATION}={installation}"})
        for network in networks:
            network.remove()
        return len(containers) + len(networks)


def container_networks(installation: str) -> dict[str, str]:
    """The rehearsed host behind each container network of an installation, by the network's range.

    Raises:
        DaemonError: no daemon answers.
    """
    with closing(connect()) as client:
        networks = client.networks.list(filters={"label": [f"{INSTALLATION}={installation}", HOST]})
        return {
            str(each["Subnet"]): str(network.attrs["Labels"][HOST])
            for network in networks
            for each in network.attrs["IPAM"]["Config"] or ()
        }
