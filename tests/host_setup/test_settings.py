"""What the `host.setup` section refuses: path, rule, value, way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from components.errors import ProgramError
from tests.host_setup.asked import HOST_KEY, command, planned, section
from tests.recorder import foundation_outputs, run_program

if TYPE_CHECKING:
    from tests.stack_files import StackFiles

REFUSED = [
    ("host-key", "ssh-rsa AAAAB3NzaC1yc2E", "must be the host's public key, `ssh-ed25519 AAAA...`, got 'ssh-rsa"),
    ("host-key", "ssh-ed25519 AAAA", "cat /etc/ssh/ssh_host_ed25519_key.pub"),
    ("host-key", HOST_KEY[:-3] + "!!!", "must be the host's public key"),
    ("ssh-host", "root@203.0.113.7", "must be an address or a host name, got 'root@203.0.113.7'"),
    ("ssh-host", "203.0.113.7; reboot", "must be an address or a host name"),
    ("ssh-user", "Kite Runner", "must be a user of the host"),
    ("ssh-port", 0, "greater than or equal to 1"),
    ("private-key", "-----BEGIN OPENSSH", "must be the name of a secret, not the secret"),
    ("docker-version", "28", "must be a whole version, got '28' (for example 28.5.1)"),
    ("docker-version", "latest", "must be a whole version"),
    ("tailscale-version", "1.102", "must be a whole version"),
    ("docker-packages.url", "http://mirror.lan/docker", "must be https://... or file:///..."),
    ("docker-packages.fingerprint", "0123", "must be 40 hexadecimal digits in upper case"),
    ("dokcer-version", "28.5.1", "did you mean docker-version?"),
]
MIRROR = {"url": "https://mirror.lan/docker", "fingerprint": "A" * 40}


@pytest.mark.parametrize(("setting", "value", "words"), REFUSED, ids=[f"{case[0]}={case[1]}" for case in REFUSED])
def test_refused(setting: str, value: object, words: str, files: StackFiles) -> None:
    files.edit("monk", "host.setup", section(docker_packages=MIRROR))
    files.edit("monk", f"host.setup.{setting}", value)

    with pytest.raises(ProgramError) as caught:
        planned(files)

    (problem,) = caught.value.problems
    assert problem.path == f"host.setup.{setting}"
    assert words in str(problem)


def test_named_secret_that_is_not_set_is_refused(files: StackFiles) -> None:
    files.edit("monk", "host.setup", section(auth_key="monk-joins"))

    with pytest.raises(ProgramError) as caught:
        run_program("monk", files.folder, references={"kscloud1": foundation_outputs("monk", "kscloud1")})

    assert [str(problem) for problem in caught.value.problems] == [
        f"host.setup.{setting}: names the secret {name!r}, which must be set, encrypted"
        f" (type: pulumi config set --secret secret:{name} -s monk)"
        for setting, name in (("private-key", "monk-ssh"), ("auth-key", "monk-joins"))
    ]


@pytest.mark.parametrize(
    ("changes", "host_key"),
    [({"host_key": f"{HOST_KEY} root@monk"}, HOST_KEY), ({"ssh_host": "fd7a:115c:a1e0::1"}, HOST_KEY)],
)
def test_accepted(changes: dict[str, Any], host_key: str, files: StackFiles) -> None:
    files.edit("monk", "host.setup", section(**changes))

    assert command(planned(files)).inputs["connection"]["hostKey"] == host_key
