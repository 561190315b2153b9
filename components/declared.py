"""Declared: every service block of the fleet with its path, as the contract's messages name it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.fleet import Fleet


def declared_blocks(fleet: Fleet) -> Iterator[tuple[str, str, str, Any]]:
    """Host, service, path and settings of every service block in the fleet, the running host's first."""
    for host, stack in fleet.stacks.items():
        for name, settings in stack.service_settings.items():
            yield host, name, f"{fleet.at(host)}services.{name}", settings
