"""The Pulumi engine: from PATH, a mirror, Pulumi's download site, or built from Go modules."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from kitestacks import paths
from toolchain import fetch, gobuild, versions
from toolchain.files import BIN, HOME, UnavailableError, whole

if TYPE_CHECKING:
    from kitestacks.console import Console

FILE = BIN / "pulumi"
LANGUAGE_HOST = "pulumi-language-python"
ANSWER_SECONDS = 30
LOGS = HOME / "logs"
_NO_LOGS = """\
The engine would keep automatic logs in a folder of this name. This file stands in its place: see docs/toolchain.md.
"""


def version_of(program: Path) -> tuple[int, ...]:
    """The version that an engine says it has.

    Raises:
        UnavailableError: It does not run on this machine, or says no version.
    """
    environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        said = subprocess.run(
            [program, "version"], capture_output=True, text=True, timeout=ANSWER_SECONDS, check=True, env=environment
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise UnavailableError(f"{program} does not run here: {_short(error)}") from None
    match = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)\S*", said.strip())
    if match is None:
        raise UnavailableError(f"{program} says no version")
    return tuple(map(int, match.groups()))


def without_logs() -> None:
    """Puts a file where the engine would make the folder of its automatic logs, and it does without them.

    From 3.249 on every command writes down all that it handles, for Pulumi's support, and there is no switch
    (`pulumi/pulumi:pkg/logging/encrypted.go`). That is half of the engine's work in a plan. `pulumi -v` logs as before.
    """
    if LOGS.is_dir():
        # An engine that runs just now may write there; then the next call does it.
        shutil.rmtree(LOGS, ignore_errors=True)
    if not LOGS.exists():
        with whole(LOGS, mode=0o600) as part:
            part.write_text(_NO_LOGS)


def _short(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).splitlines()[0]


def from_path() -> Path:
    """The user's own engine, if it is new enough and has its Python language host beside it or on PATH.

    Raises:
        UnavailableError: There is none that can be used; the message says what is wrong with it.
    """
    folders = [each for each in os.get_exec_path() if not Path(each).resolve().is_relative_to(paths.STATE)]
    found = shutil.which("pulumi", path=os.pathsep.join(folders))
    if found is None:
        raise UnavailableError("no pulumi on PATH")
    version = version_of(Path(found))
    if version < versions.ENGINE_OLDEST:
        oldest, its = (".".join(map(str, each)) for each in (versions.ENGINE_OLDEST, version))
        raise UnavailableError(f"{found} is {its}, older than {oldest}")
    if shutil.which(LANGUAGE_HOST, path=os.pathsep.join([str(Path(found).parent), *folders])) is None:
        raise UnavailableError(f"{found} has no {LANGUAGE_HOST}")
    return Path(found)


def from_mirror(mirror: str, console: Console) -> Path:
    """Unpack a mirror's engine."""
    with console.step("unpack the engine of the mirror") as step, whole(FILE) as part:
        fetch.from_mirror(mirror, "pulumi", part, step)
        part.chmod(0o755)
        version_of(part)
    return FILE


def from_site(console: Console) -> Path:
    """Get the engine of Pulumi's release, and the language host that comes with it."""
    with console.step("download Pulumi's release", expect="about a minute") as step:
        fetch.from_site(step)
    version_of(FILE)
    return FILE


def from_source(console: Console) -> Path:
    """Build the engine from its Go module."""
    folder = gobuild.module_folder("engine", {versions.ENGINE_MODULE: f"v{versions.ENGINE}"})
    gobuild.build(
        folder,
        f"{versions.ENGINE_MODULE}/cmd/pulumi",
        FILE,
        console,
        title="build the engine from Go modules",
        expect="about 6 min on two cores",
        flags=gobuild.linker(f"-X {versions.ENGINE_VERSION_SYMBOL}=v{versions.ENGINE}"),
    )
    version_of(FILE)
    return FILE
