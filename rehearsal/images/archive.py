"""Archive: what goes into the archive that the daemon builds an image from."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def add_program(tar: tarfile.TarFile, program: Path, name: str) -> None:
    """A program of this machine."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = program.stat().st_size, 0o755
    with program.open("rb") as file:
        tar.addfile(entry, file)


def add_folder(tar: tarfile.TarFile, name: str, mode: int) -> None:
    """An empty folder."""
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = tarfile.DIRTYPE, mode
    tar.addfile(entry)


def add_bytes(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    """A file with this content."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))
