"""Tags: the YAML tags of a blueprint as small values, and the dumper that writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

SECRETS = "/run/secrets"
"""The folder of the worker's private files."""


@dataclass(frozen=True)
class KeyOf:
    """The primary key of an entry of the same file.

    Attributes:
        id: The entry's id.
    """

    id: str


@dataclass(frozen=True)
class Find:
    """The primary key of an object that is there already; nothing, where none is.

    Attributes:
        model: Its model.
        field: The field by which it is found.
        value: What stands there.
    """

    model: str
    field: str
    value: str


@dataclass(frozen=True)
class SecretFile:
    """The text of one of the worker's private files, read while the blueprint is applied.

    Attributes:
        name: The file's name.
    """

    name: str


class Dumper(yaml.SafeDumper):
    """Writes tags, and longer text as a block; nothing twice by reference."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002 - yaml's own signature
        """A reader should not have to follow anchors."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - yaml's own
        """Lists stand further in than what they belong to."""
        super().increase_indent(flow, False)


def _text(dumper: Dumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


def _key_of(dumper: Dumper, tag: KeyOf) -> yaml.Node:
    return dumper.represent_scalar("!KeyOf", tag.id)


def _find(dumper: Dumper, tag: Find) -> yaml.Node:
    return dumper.represent_sequence("!Find", [tag.model, [tag.field, tag.value]], flow_style=True)


def _secret_file(dumper: Dumper, tag: SecretFile) -> yaml.Node:
    return dumper.represent_scalar("!File", f"{SECRETS}/{tag.name}")


Dumper.add_representer(str, _text)
Dumper.add_representer(KeyOf, _key_of)
Dumper.add_representer(Find, _find)
Dumper.add_representer(SecretFile, _secret_file)
