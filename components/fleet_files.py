"""The fleet from the stack files alone, for commands and documents that speak of it without the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml
from pydantic import ValidationError

from components.errors import ProgramError
from components.fleet import Fleet
from components.settings import PROJECT, StackFile
from components.settings_errors import problems_of

if TYPE_CHECKING:
    from pathlib import Path

    from components.errors import Problem


def fleet_of_files(folder: Path, here: str | None = None) -> Fleet:
    """What the stack files in a folder declare, seen from one host; from the foundation if none is named.

    Raises:
        ProgramError: with every fault of every file.
    """
    prefix = f"{PROJECT}:"
    stacks: dict[str, StackFile] = {}
    problems: list[Problem] = []
    for file in sorted(folder.glob("Pulumi.*.yaml")):
        config = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("config") or {}
        values = {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}
        try:
            stacks[file.name.removeprefix("Pulumi.").removesuffix(".yaml")] = StackFile.model_validate(values)
        except ValidationError as error:
            problems += problems_of(error, StackFile, f"{file.name}: ")
    if problems:
        raise ProgramError(str(folder), problems)
    return Fleet(here=here or next(name for name, stack in stacks.items() if stack.edge), stacks=stacks)
