"""`schema`: writes what an editor and a reader know of the stack files: the JSON schema, and the table of settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.settings import PROJECT, StackFile
from components.settings_table import with_table
from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    import argparse

PAGE = Path(__file__).resolve().parent.parent / "docs" / "stack-file.md"
FILE = Path(__file__).resolve().parent.parent / "docs" / "stack-file.schema.json"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is not fresh")


def run(args: argparse.Namespace) -> int:
    """Writes the files, or checks them."""
    fresh = {FILE: schema_text(), PAGE: with_table(PAGE.read_text())}
    stale = [path for path, text in fresh.items() if not path.exists() or path.read_text() != text]
    if args.check and stale:
        raise CommandError(f"{stale[0].name} is not what the models say", "make schema")
    for path in stale:
        path.write_text(fresh[path])
        Console().line(f"wrote {path}")
    return Exit.OK


def schema_text() -> str:
    """The schema of a whole `Pulumi.<host>.yaml`: the models' own, keys under `config` with the project's prefix."""
    model = StackFile.model_json_schema(by_alias=True)
    definitions = model.pop("$defs", {})
    config: dict[str, Any] = {
        "type": "object",
        "required": [f"{PROJECT}:{name}" for name in model["required"]],
        "properties": {f"{PROJECT}:{name}": each for name, each in model["properties"].items()},
        "patternProperties": {f"^(?!{PROJECT}:)": {}},
        "additionalProperties": False,
    }
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "KiteStacks stack file",
        "description": "What one host runs.",
        "type": "object",
        "required": ["config"],
        "properties": {
            "config": config,
            "encryptionsalt": {"type": "string"},
            "secretsprovider": {"type": "string"},
            "encryptedkey": {"type": "string"},
        },
        "additionalProperties": False,
        "$defs": definitions,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
