"""Proven restores: when a backup of each service was last brought back to life, as the drills wrote it down."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

FILE = "restores.json"
"""Beside the stack files: {host: {service: moment}}. It holds no secret, and is worth keeping with them."""


def proven_restores(folder: Path, host: str) -> dict[str, datetime]:
    """The last proven restore of each of a host's services; nothing where none was ever written down."""
    file = folder / FILE
    known = json.loads(file.read_text()).get(host, {}) if file.exists() else {}
    return {service: datetime.fromisoformat(moment) for service, moment in known.items()}


def write_down(folder: Path, host: str, service: str, moment: datetime | None = None) -> Path:
    """Notes that a restore of a service was proven, now or at a moment; returns the file."""
    file = Path(folder) / FILE
    known = json.loads(file.read_text()) if file.exists() else {}
    known.setdefault(host, {})[service] = (moment or datetime.now(UTC)).isoformat(timespec="seconds")
    new = file.with_suffix(".new")
    new.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
    new.replace(file)
    return file
