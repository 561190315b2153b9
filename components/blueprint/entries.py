"""Entries: what a blueprint file is a list of, in the order in which Authentik works it off."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import yaml

from components.blueprint.tags import Dumper

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LABELS = {
    # Only the steps of `pulumi up` apply it. A worker that did it by itself would, on a host that was deployed earlier,
    # put back what another host's newer file has changed.
    "blueprints.goauthentik.io/instantiate": "false",
    "blueprints.goauthentik.io/description": "Rendered from the stack files; changes here are made there.",
}


class State(StrEnum):
    """What becomes of an entry's object."""

    PRESENT = "present"
    """It is made, or the listed attributes are set."""
    CREATED = "created"
    """It is made, and left alone where it is there."""
    ABSENT = "absent"
    """It is deleted."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One object of Authentik.

    Attributes:
        model: Which kind, `app.model`.
        identifiers: Which one; they are attributes as well when it is made.
        attrs: The attributes to be set; others stay as they are.
        id: By what other entries of the file name it.
        state: What becomes of it.
    """

    model: str
    identifiers: Mapping[str, Any] = field(default_factory=dict)
    attrs: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""
    state: State = State.PRESENT

    def written(self) -> dict[str, Any]:
        """The entry as a file has it."""
        parts = {
            "model": self.model,
            "id": self.id,
            "state": str(self.state),
            "identifiers": dict(self.identifiers),
            "attrs": dict(self.attrs),
        }
        return {key: value for key, value in parts.items() if value}


@dataclass
class Blueprint:
    """One file.

    Attributes:
        name: What Authentik's own list of blueprints shows.
        entries: In order: what an entry refers to stands before it.
    """

    name: str
    entries: list[Entry] = field(default_factory=list)

    def add(self, entries: Iterable[Entry]) -> None:
        """Puts entries at the end."""
        self.entries.extend(entries)

    def text(self) -> str:
        """The file, the same for the same entries."""
        document = {
            "version": 1,
            "metadata": {"name": self.name, "labels": _LABELS},
            "entries": [entry.written() for entry in self.entries],
        }
        return yaml.dump(document, Dumper=Dumper, sort_keys=False, width=120, allow_unicode=True)
