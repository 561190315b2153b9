"""A throw-away Debian machine with a real sshd, reached by the real ssh client, whose power can be cut."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.host_setup import debian
from tests.host_setup.packages import FAKES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_LIMIT = 120
"""Seconds that anything may take."""
_FAKES = {"systemctl": "/usr/bin/systemctl", "boot": "/usr/local/sbin/boot", "hang-here": "/usr/bin/hang-here"}


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine with two ways in: a public address, and the one on the private network once it has joined.

    Attributes:
        name: The container's.
        given: A folder that the machine sees as /srv/given.
        address: Its address on the private network.
        identity: The private key that its users accept.
    """

    name: str
    given: Path
    address: str
    identity: Path
    network: str = field(default="")

    @classmethod
    def start(cls, folder: Path, packages: Path) -> Machine:
        token = secrets.token_hex(3)
        given = folder / "given"
        given.mkdir(parents=True)
        net = f"100.{64 + secrets.randbelow(64)}.{secrets.randbelow(256)}"
        name = f"kitestacks-tests-host-{token}"
        identity = folder / "id_ed25519"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(identity)], check=True)
        (given / "authorized_keys").write_text(identity.with_suffix(".pub").read_text())
        (given / "address").write_text(f"{net}.5\n")
        (given / "valid-key").write_text(f"tskey-auth-{secrets.token_hex(16)}\n")
        machine = cls(name=name, given=given, address=f"{net}.5", identity=identity, network=f"{name}-net")
        docker("network", "create", "--subnet", f"{net}.0/24", machine.network)
        fakes = [f"--volume={FAKES / fake}:{path}:ro" for fake, path in _FAKES.items()]
        mounts = [f"--volume={given}:/srv/given", f"--volume={packages}:/srv/packages:ro", "--tmpfs=/run", *fakes]
        docker("create", f"--name={name}", "--cap-add=NET_ADMIN", *mounts, debian.image(), "/usr/local/sbin/boot")
        docker("network", "connect", "--ip", machine.address, machine.network, name)
        machine.switch_on()
        return machine

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", self.name)
        docker("network", "rm", self.network)

    def switch_on(self, *, at: str = "") -> None:
        docker("start", self.name)
        address = at or self.public_address
        wait_until(lambda: self.answers(address), "sshd")

    def cut_power(self) -> None:
        docker("kill", self.name)

    @property
    def public_address(self) -> str:
        return docker("inspect", "--format", "{{.NetworkSettings.Networks.bridge.IPAddress}}", self.name)

    @property
    def join_key(self) -> str:
        return (self.given / "valid-key").read_text().strip()

    @property
    def host_key(self) -> str:
        return " ".join(self.inside("cat", "/etc/ssh/ssh_host_ed25519_key.pub").split()[:2])

    def inside(self, *command: str) -> str:
        """What a command prints that is run in the machine, past ssh."""
        return docker("exec", self.name, *command)

    def has(self, path: str) -> bool:
        return subprocess.run(["docker", "exec", self.name, "test", "-e", path], check=False).returncode == 0

    @staticmethod
    def answers(address: str, port: int = 22) -> bool:
        try:
            with socket.create_connection((address, port), timeout=0.5):
                return True
        except OSError:
            return False

    def comes_to_answer(self, address: str, port: int = 22) -> bool:
        """The same, once whatever was started has had its time."""
        deadline = time.monotonic() + 60
        while not self.answers(address, port):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def run(self, inputs: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        """Runs a remote command's inputs as the provider would: to its host, as its user, with its host key alone."""
        with self._ssh(inputs) as ssh:
            out, err = ssh.communicate(inputs["stdin"], timeout=_LIMIT)
        return subprocess.CompletedProcess(ssh.args, ssh.returncode, out, err)

    @contextlib.contextmanager
    def running(self, inputs: Mapping[str, Any]) -> Iterator[subprocess.Popen[str]]:
        """The same, while it runs; its connection is cut at the end of the block, if it is still there."""
        with self._ssh(inputs) as ssh:
            assert ssh.stdin is not None
            ssh.stdin.write(inputs["stdin"])
            ssh.stdin.close()
            try:
                yield ssh
            finally:
                ssh.kill()

    def _ssh(self, inputs: Mapping[str, Any]) -> subprocess.Popen[str]:
        connection = inputs["connection"]
        host = connection["host"]
        known = self.identity.with_name(f"known-{secrets.token_hex(3)}")
        known.write_text(f"{host} {connection['hostKey']}\n")
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "10",
            "HostKeyAlgorithms": "ssh-ed25519",
            "IdentitiesOnly": "yes",
            "IdentityFile": str(self.identity),
            "LogLevel": "ERROR",
            "ServerAliveInterval": "5",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(known),
        }
        words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        command = ["ssh", "-F", "none", *words, "-l", connection["user"], host, inputs["create"]]
        pipe = subprocess.PIPE
        env = {"PATH": os.environ["PATH"]}
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=env)

    def hang_at(self, place: str) -> None:
        (self.given / "hanging").unlink(missing_ok=True)
        (self.given / f"hang-at-{place}").touch()

    def let_go(self) -> None:
        for each in self.given.glob("hang-at-*"):
            each.unlink()

    def wait_until_it_hangs(self) -> None:
        wait_until((self.given / "hanging").exists, "the place where a run is to be cut short")

    def wait_until_it_waits(self) -> None:
        wait_until(
            lambda: "flock" in self.inside("sh", "-c", "cat /proc/[0-9]*/comm 2>/dev/null || true"),
            "a run that waits for another",
        )

    def snapshot(self) -> str:
        """Every file that a run could change, with owner, mode, content and times of change; and the firewall."""
        folders = "/etc /opt /usr /srv/data /var/lib /home /root"
        listing = f"find {folders} -type f -printf '%p %u:%g %m %C@ %s\\n' -o -type d -printf '%p %u:%g %m\\n' | sort"
        return self.inside("sh", "-c", f"{listing}; nft -s list ruleset; ip -o address; id kite")


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr}"
    return done.stdout.strip()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + _LIMIT
    while not condition():
        assert time.monotonic() < end, f"waited {_LIMIT} s for {what}"
        time.sleep(0.1)
