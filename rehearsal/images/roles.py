"""Roles: which part a stand-in plays for a real image. The one place that knows image names."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Part(Enum):
    """What runs in an image."""

    CONNECTOR = "connector"
    NODE_EXPORTER = "node_exporter"
    CADDY = "caddy"
    SERVICE = "service"


_PARTS = {
    "cloudflare/cloudflared": Part.CONNECTOR,
    "prom/node-exporter": Part.NODE_EXPORTER,
    "caddy": Part.CADDY,
}
_PORTS = {
    "postgres": (5432,),
    "redis": (6379,),
    "mariadb": (3306,),
    "karakeep-app/karakeep-chrome": (9222,),
    "getmeili/meilisearch": (7700,),
    "restic/rest-server": (8000,),
    "syncthing/syncthing": (22000,),
}
"""Ports of images whose service declares none for them; any other listens on 80."""


@dataclass(frozen=True)
class Role:
    """A part for a real image.

    Attributes:
        part: What runs.
        name: The service's name, as it calls itself.
        ports: For a service: its ports, that of its visitors first.
    """

    part: Part
    name: str
    ports: tuple[int, ...]


def role_of(image: str, declared: Sequence[int] = ()) -> Role:
    """The part that stands in for an image; registry, tag and digest do not matter.

    `declared` are the ports on which a service says that it answers.
    """
    repository = plain_repository(image)
    return Role(
        part=_PARTS.get(repository, Part.SERVICE),
        name=repository.rpartition("/")[2],
        ports=tuple(declared) or _PORTS.get(repository, (80,)),
    )


def plain_repository(image: str) -> str:
    """An image's repository without the registry's name."""
    repository = repository_of(image)
    first, _, rest = repository.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        repository = rest
    return repository.removeprefix("library/")


def repository_of(image: str) -> str:
    """An image reference without tag and digest."""
    name = image.partition("@")[0]
    before, colon, after = name.rpartition(":")
    return before if colon and "/" not in after else name


def version_of(image: str) -> str:
    """The digest of an image reference, else its tag."""
    _, _, digest = image.partition("@")
    return digest or image.removeprefix(repository_of(image)).removeprefix(":") or "latest"


def local_tag(image: str, kind: str = "") -> str:
    """The name of what stands for an image in the local daemon; `kind` keeps two of one image apart."""
    repository = repository_of(image).replace(":", "-")
    return f"kitestacks-rehearsal/{kind}{repository}:{version_of(image).replace(':', '-')}"
