"""The owner's own blueprints: files beside the program, checked when the stack file is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Sequence

PROJECT_FOLDER = Path(__file__).resolve().parents[3]
"""Where Pulumi.yaml lies; a rehearsal runs the same program from elsewhere."""


def file_of(path: str) -> Path:
    """The blueprint that a stack file names.

    Raises:
        ValueError: it is no file below the project's folder, or no blueprint that Authentik would find.
    """
    example = "for example blueprints/branding.yaml"
    if not path.endswith(".yaml"):
        raise ValueError(f"must end in .yaml, Authentik finds no other, got {path!r} ({example})")
    file = (PROJECT_FOLDER / path).resolve()
    if not file.is_relative_to(PROJECT_FOLDER) or not file.is_file():
        raise ValueError(f"must be a file in the project's folder, got {path!r} ({example})")
    try:
        yaml.compose(file.read_text("utf-8"), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise ValueError(f"must be YAML, got {path!r}, which is not at line {line}") from None
    return file


def names_differ(paths: Sequence[str]) -> None:
    """Refuses two files of one name, which would be one file in the container.

    Raises:
        ValueError: there are two.
    """
    names = [Path(path).name for path in paths]
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise ValueError(f"must have names of their own, got {' and '.join(doubles)} twice")
