"""Files that are whole or not there: written under another name, checked, then renamed; and their checksums."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitestacks import paths

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = paths.STATE / "toolchain"
BIN = FOLDER / "bin"
HOME = paths.STATE / "pulumi-home"
BUILD = paths.STATE / "build"
RECORD = FOLDER / "toolchain.json"


class UnavailableError(Exception):
    """One way to get a piece does not work here; the message says why, on one line."""


class NotThereError(UnavailableError):
    """A file that another place may or may not have is not there."""


@contextmanager
def whole(target: Path, mode: int = 0o755) -> Iterator[Path]:
    """A path to write to; it becomes the target when the block ends well, and is gone when it does not."""
    paths.private(target.parent)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield part
        part.chmod(mode)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def digest(file: Path) -> str:
    """A file's SHA-256."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _stamp(file: Path) -> list[int]:
    # The time of change cannot be set back by hand: any write shows, without reading the file.
    status = file.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def entry(file: Path, **words: str) -> dict[str, Any]:
    """What is recorded of a finished file."""
    return {"file": str(file), **words, "sha256": digest(file), "stamp": _stamp(file)}


def fault(recorded: dict[str, Any]) -> str | None:
    """What is wrong with a recorded file, or None. Its content is read only where its stamp is another."""
    file = Path(recorded["file"])
    try:
        if _stamp(file) == recorded["stamp"] or digest(file) == recorded["sha256"]:
            return None
    except OSError:
        return "it is gone"
    return "it is not the file that was made (its checksum is another)"


def load() -> dict[str, Any]:
    """The record of all pieces, empty when there is none that can be read."""
    try:
        record = json.loads(RECORD.read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def save(piece: str, recorded: dict[str, Any]) -> None:
    """Put one piece on the record."""
    with whole(RECORD, mode=0o600) as part:
        part.write_text(json.dumps({**load(), piece: recorded}, indent=1) + "\n")
