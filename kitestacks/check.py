"""`check`: the linter, the type checker and every test that this machine can run; what `make test` types."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from kitestacks import paths, venv
from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    import argparse

NO_SKIPS = "KITESTACKS_NO_SKIPS"
"""Set on machines that must be able to run every test: there a skipped test is a failure."""
_CHECKS = (
    ("linter", ["ruff", "check", "."]),
    ("formatter", ["ruff", "format", "--check", "."]),
    ("type checker", ["mypy"]),
)
_SIDE_BY_SIDE = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
"""All tests at once run in two processes, file by file: those on the engine mostly wait for health checks."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--lint", action="store_true", help="linter and type checker alone")
    parser.add_argument("--no-skips", action="store_true", help="fail if a test had to be skipped")
    parser.add_argument("tests", nargs="*", help="what to give to pytest; all tests unless said")


def run(args: argparse.Namespace) -> int:
    """Runs all checks, tells which failed, and returns 1 if any did."""
    console = Console()
    venv.ensure(console, dev=True)
    failed = [name for name, command in _CHECKS if not args.tests and _fails(command)]
    if not args.lint:
        _toolchain_if_quick(console)
        environment = {NO_SKIPS: "1"} if args.no_skips else {}
        if _fails(["pytest", *(args.tests or _SIDE_BY_SIDE)], environment):
            failed.append("tests")
    console.line(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return Exit.OTHER if failed else Exit.OK


def _fails(command: list[str], environment: dict[str, str] | None = None) -> bool:
    """Runs a tool of the virtual environment with its output where the user sees it."""
    sys.stdout.flush()
    tool = [str(venv.python()), "-m", *command]
    return bool(subprocess.run(tool, cwd=paths.ROOT, env=os.environ | (environment or {}), check=False).returncode)


def _toolchain_if_quick(console: Console) -> None:
    """Takes an engine that is there or quickly fetched; tests that need one say so where it is not."""
    import toolchain  # noqa: PLC0415 - not needed for the linter

    try:
        toolchain.ensure(allow_build=False, console=console)
    except CommandError as error:
        console.warn(f"tests on the real engine will be skipped: {error.message.splitlines()[0]} (make toolchain)")
