"""What every settings model shares, and what a service's own settings build on. Plain values only, no Output."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from components.types import Fqdn, GroupName, HostName, ImageRef, Memory, Rotation

MOST_GROUPS = 5
"""Groups that one site may name; Authentik's blueprint clears as many places."""


def kebab(name: str) -> str:
    """The stack files' spelling of a field: ``tailscale_address`` is written ``tailscale-address``."""
    return name.replace("_", "-")


class Model(BaseModel):
    """A section of a stack file: unknown keys are refused, values never change, inputs are never echoed by pydantic."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=kebab,
        validate_by_name=False,
        hide_input_in_errors=True,
    )


class StateClass(StrEnum):
    """How many copies of a service may answer, which decides on how many hosts it may stand."""

    STATELESS = "stateless"
    """Any copy answers: nothing is kept."""
    MULTI_WRITER = "multi-writer"
    """Copies share or merge what they keep."""
    PRIMARY_STANDBY = "primary-standby"
    """One copy answers, another takes over."""
    SINGLE_WRITER = "single-writer"
    """One copy exists."""


class SiteSettings(Model):
    """Where a service is reached from outside."""

    hostname: Fqdn
    shared: bool = Field(
        default=False,
        description="The same site stands on several hosts and goes on when one is gone; said in each host's file.",
    )
    public: bool = Field(
        default=False, description="Answers without a login. A site without a login must say so out loud."
    )
    primary: HostName | None = Field(
        default=None, description="The host whose copy of a shared site answers as long as it can."
    )
    groups: tuple[GroupName, ...] | None = Field(
        default=None,
        max_length=MOST_GROUPS,
        description="Groups that may enter, where they are others than the service says; admins always may.",
    )


class ServiceSettings(Model):
    """What any service's block may say; a service adds its own fields in its own file."""

    image: ImageRef = Field(description="A pinned image: `name:tag`, `name@sha256:…` or both; never `latest`.")
    memory: Memory = "256MiB"
    site: SiteSettings | None = None
    data: Literal["copy", "manual", "read-only", "ring"] | None = Field(
        default=None,
        description="How the data of a primary-standby service gets to its other hosts. manual: somebody carries it; "
        "ring: two hosts, whose databases each get what the other writes (bookstack); read-only: the other host's "
        "database follows the primary's and takes no writes until `primary` names it (bookstack); copy: the other host "
        "gets a copy now and then, for as long as nobody writes there (bookstack).",
    )
    rotate: dict[str, Rotation] = Field(
        default_factory=dict,
        description="A count or a date for each secret to be made anew; any other value than before does it.",
    )

    @property
    def owner_secrets(self) -> dict[str, str]:
        """The secrets that only the owner can bring along: the setting that names one, and its name."""
        return {}
