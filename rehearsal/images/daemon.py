"""Daemon: the local Docker daemon, or a sentence that says there is none."""
# The Docker SDK brings no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import os
import socket

from docker.client import DockerClient
from docker.errors import DockerException

_UNIX = "unix://"


class DaemonError(Exception):
    """No daemon answers; the message says where it was looked for."""


def daemon(timeout: float = 60) -> DockerClient:
    """A client of the daemon that DOCKER_HOST names, or of the usual one; to be closed.

    Args:
        timeout: Seconds that the daemon may be silent.

    Raises:
        DaemonError: none answers.
    """
    address = os.environ.get("DOCKER_HOST") or f"{_UNIX}/var/run/docker.sock"
    try:
        if address.startswith(_UNIX):
            # The SDK leaves its socket open when nobody listens, which Python complains about long afterwards.
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(address.removeprefix(_UNIX))
        client: DockerClient = DockerClient.from_env(timeout=timeout)
    except (DockerException, OSError) as error:
        raise DaemonError(f"no Docker daemon answers at {address}: {error}") from error
    return client
