"""What the whole program asks of the Command provider for a stack file with a `host.setup` section."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.recorder import Recorded, foundation_outputs, run_program, stack_config

if TYPE_CHECKING:
    from pathlib import Path

    from tests.host_setup.machine import Machine
    from tests.recorder import Run
    from tests.stack_files import StackFiles

SSH_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nfor tests\n-----END OPENSSH PRIVATE KEY-----\n"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEYj0cT2Zsx9JXhUvmn4YNV7CjN4ZGSwQzsBlZ0P9j9X"


@dataclass(frozen=True, kw_only=True)
class Packages:
    """Where the stand-in packages lie, and who signed them."""

    folder: Path
    fingerprint: str

    def source(self, name: str) -> dict[str, str]:
        return {"url": f"file:///srv/packages/{name}", "fingerprint": self.fingerprint}


def section(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any YAML value
    """A `host.setup` section that is right, with changes: `ssh_public=True` sets `ssh-public`, None takes out."""
    given = {
        "ssh-host": "203.0.113.7",
        "host-key": HOST_KEY,
        "private-key": "monk-ssh",
        "docker-version": "28.5.1",
        "tailscale-version": "1.102.3",
    }
    given |= {key.replace("_", "-"): value for key, value in changes.items()}
    return {key: value for key, value in given.items() if value is not None}


def planned(files: StackFiles, *, join_key: str = "") -> Run:
    """The program run for monk, which is not the foundation, with the owner's SSH key."""
    outputs = foundation_outputs("monk", "kscloud1")
    if join_key:
        outputs["foundation"]["join_keys"] = {"monk": join_key}
    config = stack_config("monk", files.folder) | {"secret:monk-ssh": SSH_KEY}
    return run_program("monk", files.folder, config=config, references={"kscloud1": outputs})


def command(run: Run) -> Recorded:
    """The one remote command."""
    (found,) = [each for each in run.recorder.resources if each.type == "command:remote:Command"]
    return found


def asked(
    files: StackFiles,
    machine: Machine,
    packages: Packages,
    *,
    join_key: str | None = None,
    **changes: Any,  # noqa: ANN401 - any YAML value
) -> dict[str, Any]:
    """The command's inputs for a machine: its addresses, host key and join key, and the stand-in packages."""
    given = {
        "ssh_host": machine.public_address,
        "ssh_public": True,
        "host_key": machine.host_key,
        "docker_packages": packages.source("docker"),
        "tailscale_packages": packages.source("tailscale"),
    }
    files.edit("monk", "host.setup", section(**(given | changes)))
    files.edit("monk", "host.tailscale-address", machine.address)
    files.edit("monk", "host.docker", "ssh://kite@monk")
    files.edit("monk", "host.data", "/srv/data")
    inputs = command(planned(files, join_key=machine.join_key if join_key is None else join_key)).inputs
    return json.loads(json.dumps(inputs))  # type: ignore[no-any-return]
