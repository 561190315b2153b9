"""Imports: what reading a provider's package costs, and what was done about it."""

from __future__ import annotations

import statistics
import subprocess
import sys
from dataclasses import dataclass

from rehearsal.twin import ROOT

_CLOCK = "import time, pulumi; began = time.perf_counter(); import {}; print(time.perf_counter() - began)"


@dataclass(frozen=True, kw_only=True)
class Import:
    """A package that is not imported, and the module that stands in for it; median seconds, after `import pulumi`."""

    package: str
    package_seconds: float
    module: str
    module_seconds: float


def measure(package: str, module: str, runs: int) -> Import:
    """Imports both in fresh interpreters, by turns."""
    turns = [(_seconds(package), _seconds(module)) for _ in range(runs)]
    theirs, ours = zip(*turns, strict=True)
    return Import(
        package=package,
        package_seconds=statistics.median(theirs),
        module=module,
        module_seconds=statistics.median(ours),
    )


def _seconds(module: str) -> float:
    command = [sys.executable, "-c", _CLOCK.format(module)]
    return float(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
