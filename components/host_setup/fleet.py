"""What the stack files say about setting up the running host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.folders import DataFolder
from components.host_setup import HostSetup, HostSetupArgs
from components.settings import service_class
from components.tailnet.known import tag_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.fleet import Fleet
    from components.secrets import Vault


def host_setup_of(fleet: Fleet, vault: Vault, join_keys: Mapping[str, pulumi.Input[str]]) -> HostSetup | None:
    """Sets up the running host where its file asks for it.

    Args:
        fleet: What is declared.
        vault: Gives the owner's own keys, where the section names them.
        join_keys: The foundation's key for each host; empty where no tailnet is managed from here.
    """
    host = fleet.own.host
    settings = host.setup
    if settings is None:
        return None
    folders = [folder for name in fleet.own.service_settings for folder in service_class(name).folders]
    return HostSetup(
        fleet.here,
        HostSetupArgs(
            settings=settings,
            tailscale_address=host.tailscale_address,
            tag=tag_of(fleet.here),
            machine=host.machine or "",
            docker_user=_user_of(host.docker) or settings.ssh_user,
            folders=[DataFolder(path=f"{host.data}/{each.path}", owner=each.owner, mode=each.mode) for each in folders],
            private_key=vault.given(settings.private_key) if settings.private_key else None,
            join_key=vault.given(settings.auth_key) if settings.auth_key else join_keys.get(fleet.here),
        ),
    )


def _user_of(endpoint: str) -> str:
    """`ssh://kite@kscloud1` is used by kite."""
    user, at, _ = endpoint.removeprefix("ssh://").partition("@")
    return user if at else ""
