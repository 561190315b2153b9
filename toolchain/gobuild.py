"""Programs built from Go modules, in a module of their own below the ignored folder.

Go checks every module against the public checksum database. Its module and build caches are Go's own, outside this
project: `go clean -cache -modcache` empties them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from kitestacks import paths
from toolchain import versions
from toolchain.files import BUILD, UnavailableError, whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kitestacks.console import Console

ENVIRONMENT = {"CGO_ENABLED": "0", "GOWORK": "off"}
"""Static programs that need no C compiler, and no workspace file of a folder above."""


def module_folder(name: str, requires: Mapping[str, str], replaces: Mapping[str, str] | None = None) -> Path:
    """A fresh folder with a go.mod that asks for exactly these modules.

    Args:
        name: The folder's name, and the last part of the module's.
        requires: Module path to version.
        replaces: Module path to what stands in for it: `path version`, or a folder.
    """
    folder = BUILD / name
    shutil.rmtree(folder, ignore_errors=True)
    paths.private(folder)
    lines = [f"module kitestacks.invalid/{name}", f"go {versions.GO_LANGUAGE}"]
    lines += [f"require {module} {version}" for module, version in requires.items()]
    lines += [f"replace {module} => {other}" for module, other in (replaces or {}).items()]
    (folder / "go.mod").write_text("\n".join(lines) + "\n")
    return folder


def download(folder: Path, module: str, version: str, console: Console) -> Path:
    """The source of a module in Go's own cache.

    Raises:
        UnavailableError: Go is missing, or the module is not served.
    """
    with console.step(f"download the source of {module}"):
        done = subprocess.run(
            [_go(), "mod", "download", "-json", f"{module}@{version}"],
            cwd=folder,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    answer = json.loads(done.stdout or "{}")
    if "Dir" not in answer:
        raise UnavailableError(f"{module} {version}: {answer.get('Error') or done.stderr.strip()}")
    return Path(answer["Dir"])


def linker(symbols: str = "") -> tuple[str, str]:
    """The linker's flags: no debugging tables, and `-X name=value` settings."""
    return ("-ldflags", f"-s -w {symbols}".strip())


def build(
    folder: Path,
    package: str,
    target: Path,
    console: Console,
    *,
    title: str,
    expect: str,
    flags: Sequence[str],
) -> None:
    """Build one program of a module folder and leave nothing else behind.

    Args:
        folder: What `module_folder` made.
        package: The package to build, as Go names it.
        target: The finished program.
        console: Where the progress goes.
        title: What is built.
        expect: How long it takes on two cores, in words.
        flags: More of Go's own: those of `linker`, build tags.

    Raises:
        UnavailableError: Go is missing.
        CommandError: The build failed; the message holds the end of its log.
    """
    with whole(target) as part:
        console.run(
            [
                *(_go(), "build", "-v", "-mod=mod", "-trimpath", "-buildvcs=false"),
                *flags,
                *("-o", part, package),
            ],
            title=title,
            expect=expect,
            log=paths.LOGS / f"build-{folder.name}.log",
            cwd=folder,
            env=ENVIRONMENT,
            way_out="is the Go module proxy reachable (go env GOPROXY)? Then run the command again",
        )
    shutil.rmtree(folder, ignore_errors=True)


def _go() -> str:
    go = shutil.which("go")
    if go is None:
        raise UnavailableError("Go is not installed")
    return go


def _environment() -> dict[str, str]:
    return {**os.environ, **ENVIRONMENT}
