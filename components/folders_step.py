"""The step that makes a service's data folders with their owners; what is there already keeps its content."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from components.machine import StepError

if TYPE_CHECKING:
    from components.machine import Machine
    from components.step_program import Given


def run(given: Given, machine: Machine) -> str:
    """Makes each folder, and gives the folder itself (not what lies in it) its owner and mode.

    Raises:
        StepError: the host refuses.
    """
    lines = ["set -eu"]
    for path, owner, mode in given.facts["folders"]:
        folder = shlex.quote(f"{given.facts['root']}/{path}")
        lines.append(f"mkdir -p {folder} && chown {shlex.quote(owner)} {folder} && chmod {shlex.quote(mode)} {folder}")
    done = machine.shell("\n".join(lines) + "\n")
    if done.code:
        raise StepError(f"the data folders could not be made: {done.err.strip() or done.out.strip()}")
    return f"{len(given.facts['folders'])} folders are there"
