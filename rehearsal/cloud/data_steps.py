"""The steps of databases: run as the real Command provider runs them, where a rehearsal's databases are real."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .resource import Refusal

if TYPE_CHECKING:
    from .wire import Props

_ROOT = Path(__file__).resolve().parents[2]
_STEP = ["python3", "-m", "kitestacks", "step"]
PROGRAMS = (
    "password_step",
    "services.authentik_db.replication_role",
    "services.bookstack.copy",
    "services.bookstack.read_only",
    "services.bookstack.ring",
)
"""Those of programs that a rehearsal with real data really has; all others speak to apps that are played."""
_LIMIT = 300
"""Seconds that one may take; each gives up earlier by itself."""


def run(inputs: Props) -> str:
    """Run a command if it is one of these steps; returns what it says.

    Raises:
        Refusal: the step says why it could not.
    """
    *command, program = str(inputs.get("create", "")).split() or [""]
    if command != _STEP or program not in PROGRAMS:
        return ""
    done = subprocess.run(
        [sys.executable, *_STEP[1:], program],
        cwd=_ROOT,
        input=inputs["stdin"],
        capture_output=True,
        text=True,
        timeout=_LIMIT,
        check=False,
    )
    if done.returncode:
        raise Refusal(done.stderr.strip()[-1000:] or f"step {program} ended with {done.returncode}")
    return done.stdout
