"""HostSetup: makes a fresh Debian or Ubuntu machine a host, and keeps it one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi

from components.host_setup import program
from components.host_setup.remote import RemoteCommand

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.folders import DataFolder
    from components.host_setup.settings import HostSetupSettings


@dataclass(frozen=True, kw_only=True)
class HostSetupArgs:
    """What a host is given.

    Attributes:
        settings: The `host.setup` section.
        tailscale_address: The address that it has to have on the private network.
        tag: The tag under which it joins, for example `tag:monk`.
        docker_user: The user as whom Docker is used over SSH.
        machine: A word for the machine itself; another one lets all be looked at again, on the next machine.
        folders: Folders with absolute paths, owners and modes.
        private_key: The SSH key, in OpenSSH's form; none asks the agent.
        join_key: The Tailscale key; none will do for a host that has joined.
    """

    settings: HostSetupSettings
    tailscale_address: str
    tag: str
    docker_user: str
    machine: str = ""
    folders: Sequence[DataFolder] = ()
    private_key: pulumi.Input[str] | None = None
    join_key: pulumi.Input[str] | None = None


class HostSetup(pulumi.ComponentResource):
    """What a machine needs before it can be a host, done over SSH.

    Creates: one command that runs the steps in `scripts/` in their order. Each looks first and changes only what
    differs, so a run that was cut short is completed by the next. It installs Tailscale and joins, lets Docker start
    after the private address, installs Docker, makes the data folders and closes all but the private network.
    Leaves out: users, their keys and sudo, upgrades of the system, and undoing anything: letting it go leaves the host
    as it is.

    Attributes:
        done: The command; what needs the host hangs on it.
    """

    def __init__(self, name: str, args: HostSetupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kitestacks:index:HostSetup", f"{name}-setup", None, opts)
        settings = args.settings
        key = {"privateKey": args.private_key} if args.private_key is not None else {}
        self.done = RemoteCommand(
            f"{name}-setup-command",
            connection={
                "host": settings.ssh_host,
                "port": settings.ssh_port,
                "user": settings.ssh_user,
                "hostKey": settings.host_key,
                **key,
            },
            command=program.command(_facts(name, args), user=settings.ssh_user),
            stdin=pulumi.Output.from_input(args.join_key or "").apply(program.text),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"host": settings.ssh_host})


def _facts(name: str, args: HostSetupArgs) -> dict[str, str]:
    settings = args.settings
    return {
        "NAME": name,
        "TAG": args.tag,
        "TAILSCALE_ADDRESS": args.tailscale_address,
        "TAILSCALE_VERSION": settings.tailscale_version,
        "TAILSCALE_PACKAGES": settings.tailscale_packages.url,
        "TAILSCALE_FINGERPRINT": settings.tailscale_packages.fingerprint,
        "DOCKER_VERSION": settings.docker_version,
        "DOCKER_PACKAGES": settings.docker_packages.url,
        "DOCKER_FINGERPRINT": settings.docker_packages.fingerprint,
        "DOCKER_USER": args.docker_user,
        "FOLDERS": " ".join(f"{each.owner}:{each.mode}:{each.path}" for each in args.folders),
        "SSH_PORT": str(settings.ssh_port),
        "SSH_PUBLIC": "yes" if settings.ssh_public else "no",
        **({"MACHINE": args.machine} if args.machine else {}),
    }
