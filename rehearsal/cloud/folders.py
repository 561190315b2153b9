"""Data folders on the rehearsal's disks, made as the step of the real program makes them on a host."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from .resource import Refusal
from .store import DISKS

if TYPE_CHECKING:
    from .wire import Props

_STEP = "step folders_step"


def make(state: Path, inputs: Props) -> None:
    """Make the folders that a command asks for, if it is that step; their owners need root and are left out without.

    Raises:
        Refusal: one lies outside the rehearsal's disks, or cannot be made.
    """
    if not str(inputs.get("create", "")).endswith(_STEP):
        return
    facts = json.loads(inputs["stdin"])["facts"]
    disks = (state / DISKS).resolve()
    for path, owner, mode in facts["folders"]:
        folder = Path(facts["root"], path)
        if not folder.resolve().is_relative_to(disks):
            raise Refusal(f"{folder}: a rehearsal makes folders below {disks} alone")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if os.geteuid() == 0:
                os.chown(folder, *map(int, owner.split(":")))
            folder.chmod(int(mode, 8))
        except OSError as error:
            raise Refusal(f"{folder}: {error.strerror}") from error
