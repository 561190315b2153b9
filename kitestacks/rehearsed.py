"""The simulated cloud's file, as far as a command takes something out of it; the simulation reads it anew on change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def forget(file: Path, provider: str, kind: str, key: str) -> None:
    """Takes one object out of the file, which is replaced as a whole and stays the owner's alone."""
    document = json.loads(file.read_text())
    document[provider][kind].pop(key, None)
    fresh = file.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(document))
    fresh.replace(file)
