"""`schema`: writes the JSON schema of the stack files, with which an editor completes and underlines while typing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.settings import PROJECT, StackFile
from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    import argparse

FILE = Path(__file__).resolve().parent.parent / "docs" / "stack-file.schema.json"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is not fresh")


def run(args: argparse.Namespace) -> int:
    """Writes the file, or checks it."""
    fresh = schema_text()
    if args.check:
        if not FILE.exists() or FILE.read_text() != fresh:
            raise CommandError(f"{FILE.name} is not what the models say", "make schema")
        return Exit.OK
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(fresh)
    Console().line(f"wrote {FILE}")
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
