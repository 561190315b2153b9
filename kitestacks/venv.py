"""The project's virtual environment, made and renewed by itself.

A command that needs more than the standard library runs in `.venv`. It is made from requirements.txt (and
requirements-dev.txt where asked for) when it is missing, and brought up to date when a requirements file, the Python
version or the folder has changed since; a stamp inside it says from what it was made.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitestacks import paths
from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

DEV_VARIABLE = "KITESTACKS_DEV"


def wants_dev() -> bool:
    """Whether the user asked for what tests and linters need as well (`KITESTACKS_DEV=1`)."""
    return os.environ.get(DEV_VARIABLE, "") not in ("", "0")


def inside() -> bool:
    """Whether this very process runs in the project's environment."""
    return Path(sys.prefix).resolve() == paths.VENV.resolve()


def python() -> Path:
    """The environment's interpreter, whether it is there or not."""
    return paths.VENV / "bin" / "python"


def ensure(console: Console, *, dev: bool = False) -> bool:
    """Make the environment or bring it up to date; costs next to nothing when there is nothing to do.

    Args:
        console: Where the progress goes.
        dev: Whether requirements-dev.txt is wanted too.

    Returns:
        Whether anything had to be done.

    Raises:
        CommandError: Python cannot make environments, or pip failed (its last lines are in the message).
    """
    if _is_fresh(dev=dev):
        return False
    with _one_at_a_time():
        # Another command may have made it while this one waited.
        if _is_fresh(dev=dev):
            return False
        _make(console)
        _install(console, dev=dev)
    return True


def enter(arguments: list[str], console: Console) -> None:
    """Go on in the environment: the same command, run by its interpreter. Returns only when already there."""
    renewed = ensure(console, dev=wants_dev())
    if renewed or not inside():
        sys.stdout.flush()
        os.execv(  # noqa: S606 - the same command goes on, in another interpreter
            python(), [str(python()), "-m", "kitestacks", *arguments]
        )


def _stamp_file() -> Path:
    return paths.VENV / "kitestacks.json"


def _wanted() -> dict[str, str]:
    return {
        "folder": str(paths.VENV),
        "python": platform.python_version(),
        "requirements.txt": _digest("requirements.txt"),
        "requirements-dev.txt": _digest("requirements-dev.txt"),
    }


def _digest(name: str) -> str:
    return hashlib.sha256((paths.ROOT / name).read_bytes()).hexdigest()


def _stamp() -> dict[str, Any]:
    try:
        stamp = json.loads(_stamp_file().read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _is_fresh(*, dev: bool) -> bool:
    stamp, wanted = _stamp(), _wanted()
    if inside():
        # The interpreter that asks is the one that was stamped.
        wanted["python"] = stamp.get("python", "")
    if not stamp.get("dev"):
        if dev:
            return False
        stamp["requirements-dev.txt"] = wanted["requirements-dev.txt"]
    return python().exists() and {name: stamp.get(name) for name in wanted} == wanted


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    paths.private(paths.STATE)
    with (paths.STATE / "venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(console: Console) -> None:
    stamp = _stamp()
    if python().exists() and (stamp.get("folder"), stamp.get("python")) == (str(paths.VENV), platform.python_version()):
        return
    if inside():
        raise CommandError(
            f"{paths.VENV} was not made by this project and cannot be made anew from inside",
            "deactivate && python3 -m kitestacks venv",
            Exit.CONFIGURATION,
        )
    console.run(
        [sys.executable, "-m", "venv", "--clear", paths.VENV],
        title="make the virtual environment .venv",
        log=paths.LOGS / "venv.log",
        expect="some seconds",
        way_out="python3 -m kitestacks doctor (on Debian: apt-get install python3-venv)",
    )


def _install(console: Console, *, dev: bool) -> None:
    dev = dev or bool(_stamp().get("dev"))
    requirements = "requirements-dev.txt" if dev else "requirements.txt"
    made = {"folder": str(paths.VENV), "python": _version_inside(), "dev": dev}
    # Until pip is done the stamp names no requirements: an interrupted install is not taken for a finished one.
    _write_stamp(made)
    console.run(
        [
            python(),
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--progress-bar=off",
            "-r",
            paths.ROOT / requirements,
        ],
        title=f"install {requirements} into .venv",
        log=paths.LOGS / "pip.log",
        expect="about a minute",
        way_out="is the package index reachable? Then run the command again",
    )
    _write_stamp({**_wanted(), **made})


def _version_inside() -> str:
    ask = "import platform; print(platform.python_version())"
    return subprocess.run([python(), "-c", ask], check=True, capture_output=True, text=True).stdout.strip()


def _write_stamp(stamp: dict[str, Any]) -> None:
    _stamp_file().write_text(json.dumps(stamp, indent=1) + "\n")


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `kitestacks venv`."""
    parser.add_argument("--dev", action="store_true", help="also what tests, linters and the schema check need")


def run(args: argparse.Namespace) -> int:
    """Make the environment or say that there is nothing to do."""
    console = Console()
    if not ensure(console, dev=args.dev or wants_dev()):
        console.line(f"{paths.VENV} is up to date")
    return Exit.OK
