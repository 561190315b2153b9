"""What must hold between the stack files for a database with several copies, of which one writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.errors import Problem
from components.images import image_suite, image_version
from components.services.authentik_db.writer import (
    DATABASE_SERVICE,
    LOCAL,
    USER_SERVICE,
    blocks,
    primary,
    switched_to,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.fleet import Fleet

_FIRST_WITH_PARENT = 18
"""Before it the image's data folder is the mount itself, and a copy could not be put in its place as a whole."""


def _one_copy_writes(fleet: Fleet) -> Iterator[Problem]:
    hosts, local = fleet.hosts_of(DATABASE_SERVICE), switched_to(fleet)
    for host in local:
        if host not in hosts:
            yield Problem(
                path=f"{fleet.at(host)}services.{USER_SERVICE}.database",
                rule=f"must be left out: there is no {DATABASE_SERVICE} on {host} that could write",
                way_out=f"add {DATABASE_SERVICE} to that host's file first, so that it gets a copy of the data",
            )
    if len(local) > 1:
        yield Problem(
            path=f"{fleet.at(local[-1])}services.{USER_SERVICE}.database",
            rule=f"must be {LOCAL!r} in one file, got it in those of {' and '.join(local)}: two would write apart",
            way_out="leave it in the file of the host whose copy has the data",
        )


def _one_primary_is_named(fleet: Fleet) -> Iterator[Problem]:
    hosts = fleet.hosts_of(DATABASE_SERVICE)
    said = {host: settings.primary for host, settings in blocks(fleet, DATABASE_SERVICE) if settings.primary}
    at = f"{fleet.at(hosts[0])}services.{DATABASE_SERVICE}.primary" if hosts else ""
    if len(hosts) > 1 and not said:
        yield Problem(
            path=at,
            rule=f"must name the host whose copy writes, one of {' and '.join(hosts)}",
            way_out=f"for example `primary: {hosts[0]}`; the others follow it",
        )
    names = sorted(set(said.values()))
    if len(names) > 1:
        yield Problem(
            path=at,
            rule=f"must be the same in every file, got {' and '.join(names)}: two would write apart",
            way_out="name one",
        )
    for host, named in said.items():
        if named not in hosts:
            yield Problem(
                path=f"{fleet.at(host)}services.{DATABASE_SERVICE}.primary",
                rule=f"must be a host that has {DATABASE_SERVICE}, got {named!r}",
                way_out=f"one of: {', '.join(hosts)}",
            )


def _copies_are_alike(fleet: Fleet) -> Iterator[Problem]:
    """Pages are copied byte for byte: another version can't read them, another system sorts them differently."""
    images = {host: settings.image for host, settings in blocks(fleet, DATABASE_SERVICE)}
    first = primary(fleet)
    if first is None or len(images) == 1:
        return
    for host, image in images.items():
        path = f"{fleet.at(host)}services.{DATABASE_SERVICE}.image"
        major = image_version(image)[:1]
        if major and major[0] < _FIRST_WITH_PARENT:
            yield Problem(
                path=path,
                rule=f"must be PostgreSQL {_FIRST_WITH_PARENT} or newer to stand on several hosts, got {image!r}",
                way_out="dump with the old one and restore into a new folder",
            )
        of_first = images[first]
        if (major, image_suite(image)) != (image_version(of_first)[:1], image_suite(of_first)):
            yield Problem(
                path=path,
                rule=f"must be of the same major version and system as {first}'s, {of_first!r}, got {image!r}",
                way_out="a copy has the primary's pages byte for byte: pin the same image",
            )


DATABASE_RULES = (_one_copy_writes, _one_primary_is_named, _copies_are_alike)
