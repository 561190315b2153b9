"""Machine: how a step reaches a host's containers, from wherever Pulumi runs, with nothing published for it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LIMIT = 120
"""Seconds that one command may take."""


class StepError(Exception):
    """Why a step could not do its work, in words for the owner; never with a secret."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended.

    Attributes:
        code: Exit status.
        out: Standard output.
        err: Standard error.
    """

    code: int
    out: str
    err: str


class Machine:
    """A host, reached through its Docker daemon by the `docker` program, and by ssh where the daemon is.

    Args:
        endpoint: The daemon, `unix:///...` or `ssh://user@host`.
        limit: Seconds that one command may take.
    """

    def __init__(self, endpoint: str, limit: float = _LIMIT) -> None:
        self._endpoint = endpoint
        self._limit = limit
        self._ssh = endpoint.removeprefix("ssh://") if endpoint.startswith("ssh://") else ""

    def execute(self, container: str, command: Sequence[str], *, stdin: str = "", user: str = "") -> Done:
        """Runs a command in a container; what is secret goes by `stdin`.

        Raises:
            StepError: there is no `docker` program, or the command does not end.
        """
        as_user = ["--user", user] if user else []
        return self.docker("exec", "-i", *as_user, container, *command, stdin=stdin)

    def docker(self, *arguments: str, stdin: str = "") -> Done:
        """Runs a command of the `docker` program.

        Raises:
            StepError: there is none, or the command does not end.
        """
        docker = shutil.which("docker")
        if docker is None:
            raise StepError("the program `docker` is needed where Pulumi runs: apt-get install docker.io")
        return _run([docker, "-H", self._endpoint, *arguments], stdin, self._limit)

    def shell(self, script: str) -> Done:
        """Runs a shell script as root on the host itself, given by standard input."""
        if self._ssh:
            return _run(
                ["ssh", "-o", "BatchMode=yes", *_ssh_target(self._ssh), "sudo", "-n", "sh", "-s"], script, self._limit
            )
        return _run(["sh", "-s"] if os.geteuid() == 0 else ["sudo", "-n", "sh", "-s"], script, self._limit)

    @contextlib.contextmanager
    def http(self, container: str, port: int) -> Iterator[str]:
        """The address of a container's port for as long as the block lasts, without a slash at the end.

        Raises:
            StepError: the container is not there, or ssh does not lead to it.
        """
        address = self._address(container)
        if not self._ssh:
            yield f"http://{address}:{port}"
            return
        with _forwarded(self._ssh, address, port) as local:
            yield f"http://127.0.0.1:{local}"

    def _address(self, container: str) -> str:
        shown = self.docker("inspect", container)
        if shown.code:
            raise StepError(f"there is no container {container}: {shown.err.strip()}")
        networks = json.loads(shown.out)[0]["NetworkSettings"]["Networks"]
        addresses = [each["IPAddress"] for each in networks.values() if each["IPAddress"]]
        if not addresses:
            raise StepError(f"container {container} has no address: docker start {container}")
        return str(addresses[0])


def _run(command: Sequence[str], stdin: str, limit: float) -> Done:
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        raise StepError(f"{command[0]} did not end within {limit:g} s") from None
    return Done(code=done.returncode, out=done.stdout, err=done.stderr)


def _ssh_target(target: str) -> list[str]:
    host, _, port = target.partition(":")
    return ["-p", port, host] if port else [host]


@contextlib.contextmanager
def _forwarded(target: str, address: str, port: int) -> Iterator[int]:
    """A local port that leads through ssh to an address on the host."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        local = int(probe.getsockname()[1])
    forward = f"127.0.0.1:{local}:{address}:{port}"
    command = [
        "ssh",
        "-o",
        "BatchMode=yes",
        "-o",
        "ExitOnForwardFailure=yes",
        "-N",
        "-L",
        forward,
        *_ssh_target(target),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as ssh:
        try:
            for _ in range(100):
                if ssh.poll() is not None:
                    raise StepError(f"ssh to {target} ended: {ssh.stderr.read().strip() if ssh.stderr else ''}")
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", local), timeout=1):
                    break
                time.sleep(0.1)
            yield local
        finally:
            ssh.terminate()
