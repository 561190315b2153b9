"""Caddy as one static program, for the image that the rehearsal builds around it where no image can be pulled."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kitestacks.exits import CommandError, Exit
from toolchain import files, gobuild, versions

if TYPE_CHECKING:
    from pathlib import Path

    from kitestacks.console import Console

FILE = files.BIN / "caddy"
PIECE = "caddy"
VERSION_VARIABLE = "KITESTACKS_CADDY_VERSION"


def find() -> Path | None:
    """The Caddy program that is there and whole. No network, no work."""
    recorded = files.load().get(PIECE)
    return FILE if recorded is not None and files.fault(recorded) is None else None


def ensure(console: Console) -> Path:
    """The Caddy program, built from its Go module unless the one that is there is whole and of the wanted version.

    The version is the pinned one. Another is taken only when `KITESTACKS_CADDY_VERSION` names it.

    Raises:
        CommandError: Go is missing, or the build failed.
    """
    module, pinned = versions.CADDY_MODULE
    version = os.environ.get(VERSION_VARIABLE, pinned)
    recorded = files.load().get(PIECE)
    if recorded is not None and recorded["version"] == version:
        fault = files.fault(recorded)
        if fault is None:
            return FILE
        console.line(f"Caddy: {fault}: building it again")
    folder = gobuild.module_folder("caddy", {module: version})
    try:
        gobuild.build(
            folder,
            f"{module}/cmd/caddy",
            FILE,
            console,
            title=f"build Caddy {version} from Go modules",
            expect="about 2 min on two cores",
            symbols=f"-X {module}.CustomVersion={version}",
        )
    except files.UnavailableError as reason:
        raise CommandError(f"Caddy: {reason}", "python3 -m kitestacks doctor", Exit.CONFIGURATION) from None
    files.save(PIECE, files.entry(FILE, version=version, source="Go modules"))
    return FILE
