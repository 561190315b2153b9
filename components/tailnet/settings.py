"""The `tailnet` section of the foundation's stack file: what the owner says about the private network."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from components.model import Model
from components.tailnet.selectors import Kind, read

OWNER = "owner"
"""The group whose way in is guarded."""
_NAME = re.compile(r"[a-z][a-z0-9-]*")
_LOCAL_USER = re.compile(r"[a-z_][a-z0-9_-]*|autogroup:nonroot")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        msg = f"must be a lower-case letter, then letters, digits and dashes, got {value!r} (for example family)"
        raise ValueError(msg)
    return value


def _login(value: str) -> str:
    try:
        kind = read(value).kind
    except ValueError:
        kind = None
    if kind is not Kind.USER:
        msg = (
            f"must be a login, as the admin console's Users page shows it, got {value!r} (for example ada@example.com)"
        )
        raise ValueError(msg)
    return value


def _local_user(value: str) -> str:
    if not _LOCAL_USER.fullmatch(value):
        msg = f"must be a user of the host, root, or autogroup:nonroot, got {value!r} (for example kite)"
        raise ValueError(msg)
    return value


def _address(value: str) -> str:
    try:
        kind = read(value).kind
    except ValueError:
        kind = None
    if kind is not Kind.NETWORK:
        msg = f"must be an address or a range, got {value!r} (for example 192.168.1.9)"
        raise ValueError(msg)
    return value


def _some(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """In place of a least length, which pydantic also reports where an entry is wrong."""
    if not values:
        msg = "must name at least one, got none"
        raise ValueError(msg)
    return values


Name = Annotated[str, AfterValidator(_name)]
Login = Annotated[str, AfterValidator(_login)]
LocalUser = Annotated[str, AfterValidator(_local_user)]
Address = Annotated[str, AfterValidator(_address)]
Port = Annotated[int, Field(ge=1, le=65535)]
Who = Annotated[
    tuple[str, ...],
    AfterValidator(_some),
    Field(description="A group or host of these files, a name in `hosts`, a login, or any selector of a policy."),
]


class AccessSettings(Model):
    """What some devices may reach, beside what the services need."""

    from_: Who = Field(alias="from")
    to: tuple[str, ...] = Field(default=(), description="Where; unless said, every host of the fleet.")
    ports: Annotated[tuple[Port, ...], AfterValidator(_some), Field(description="The ports that may be opened.")]
    protocol: Literal["tcp", "udp"] = Field(default="tcp", description="Of these ports.")


class SshSettings(Model):
    """A way in by Tailscale SSH, for hosts that run it; access to the port is an entry of `access`."""

    from_: Who = Field(alias="from")
    to: tuple[str, ...] = Field(default=(), description="Where; unless said, every host of the fleet.")
    users: Annotated[tuple[LocalUser, ...], AfterValidator(_some), Field(description="As which users of the host.")]
    check: bool = Field(default=False, description="Log in to Tailscale anew before.")


class TailnetSettings(Model):
    """The private network's policy. The services' own needs are known; here stands what only the owner can say."""

    groups: dict[Name, tuple[Login, ...]] = Field(
        description="Logins by group. The group `owner` must be there: its way in by SSH is guarded."
    )
    hosts: dict[Name, Address] = Field(default_factory=dict, description="Addresses outside of the fleet, by name.")
    tags: dict[Name, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Who may give a tag to a device, by tag; a host's own tag belongs to the tailnet's admins.",
    )
    access: tuple[AccessSettings, ...] = ()
    ssh: tuple[SshSettings, ...] = ()
    wildcards: bool = Field(default=False, description="Said out loud: a rule may name everybody.")
    cut_own_way: bool = Field(default=False, description="Said out loud: the owner's way in by SSH may be cut.")

    @field_validator("groups")
    @classmethod
    def _has_an_owner(cls, groups: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        if not groups.get(OWNER):
            msg = f"must have the group {OWNER!r} with at least one login (for example owner: [ada@example.com])"
            raise ValueError(msg)
        return groups
