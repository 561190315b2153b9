"""Program: compiles the one small program that plays all parts, and keeps it by the hash of its source."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from kitestacks.exits import CommandError, Exit

SOURCE = Path(__file__).with_name("standin")
BUILT = Path(__file__).parents[2] / ".kitestacks" / "standin"


class ImageError(CommandError):
    """An image can't be made; the message says why, and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "make doctor", Exit.RESOURCE)


def source_hash() -> str:
    """Changes when the program's source does."""
    digest = hashlib.sha256()
    for path in [*sorted(SOURCE.glob("*.go")), SOURCE / "go.mod", SOURCE / "go.sum"]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def standin_binary() -> Path:
    """The program, compiled for Linux without anything it would have to find at run time; made if it is not there.

    Raises:
        ImageError: Go is missing, or it refuses.
    """
    program = BUILT / source_hash() / "standin"
    if program.is_file():
        return program
    go = shutil.which("go")
    if go is None:
        raise ImageError(
            "the stand-in images need Go to be built, and there is no `go` on PATH; install Go 1.24 or newer"
        )
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILT) as folder:
        fresh = Path(folder) / "standin"
        built = subprocess.run(
            [go, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", str(fresh), "."],
            cwd=SOURCE,
            env=os.environ | {"CGO_ENABLED": "0", "GOOS": "linux", "GOFLAGS": "", "GOWORK": "off"},
            capture_output=True,
            text=True,
            check=False,
        )
        if built.returncode != 0:
            raise ImageError(f"the stand-in program does not compile:\n{built.stderr.strip()}")
        fresh.replace(program)
    return program
