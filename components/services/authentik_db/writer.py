"""Which copy of Authentik's database writes, as the stack files say it: the same answer on every host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.fleet import Fleet

DATABASE_SERVICE = "authentik-db"
USER_SERVICE = "authentik"
LOCAL = "local"
NEED = "logins live in one database, whose copies follow each other"
"""Why hosts have to reach each other's copies."""


def blocks(fleet: Fleet, service: str) -> Iterator[tuple[str, Any]]:
    """Host and settings of each block of a service."""
    return ((host, settings) for host, name, settings in fleet.blocks() if name == service)


def switched_to(fleet: Fleet) -> list[str]:
    """The hosts whose Authentik is told to use the copy beside it; the contract allows one."""
    return [host for host, settings in blocks(fleet, USER_SERVICE) if settings.database == LOCAL]


def primary(fleet: Fleet) -> str | None:
    """The host whose copy writes unless another is switched to."""
    hosts = fleet.hosts_of(DATABASE_SERVICE)
    said = [settings.primary for _, settings in blocks(fleet, DATABASE_SERVICE) if settings.primary]
    return next((host for host in (*said, *hosts) if host in hosts), None)


def writer(fleet: Fleet) -> str | None:
    """The host whose copy writes."""
    hosts = fleet.hosts_of(DATABASE_SERVICE)
    return next((host for host in switched_to(fleet) if host in hosts), primary(fleet))


def without_writer(fleet: Fleet) -> str:
    """What to type when the host of the copy that writes is gone; empty without another copy."""
    now, usual = writer(fleet), primary(fleet)
    if now != usual:
        return f"take `database: {LOCAL}` of {USER_SERVICE} out of Pulumi.{now}.yaml; pulumi up -s {usual}"
    able = [host for host in fleet.hosts_of(DATABASE_SERVICE) if host != now and fleet.has(USER_SERVICE, host)]
    return (
        f"write `database: {LOCAL}` into {USER_SERVICE} in Pulumi.{able[0]}.yaml; pulumi up -s {able[0]}"
        if able
        else ""
    )
