"""Where things lie. Everything the project makes on a machine is in two ignored folders, `.kitestacks` and `.venv`."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".kitestacks"
LOGS = STATE / "logs"
VENV = ROOT / ".venv"


def private(folder: Path) -> Path:
    """Make a folder that only its owner may look into, and give it back."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
