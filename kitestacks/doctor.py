"""`kitestacks doctor`: everything this machine lacks, all at once, before anything is made.

Standard library only, and nothing newer than Python 3.8: it is the first thing a newcomer runs. It changes nothing and
reaches no network but the Docker daemon's socket.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple, Optional

from kitestacks import paths
from kitestacks.console import Console
from kitestacks.exits import Exit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

WANTED_PYTHON = (3, 11)
WANTED_GO = (1, 24)
WANTED_ENGINE = (3, 250)
BUILD_GIGABYTES = 8
EDGE_PORT = 8080
COMMAND_SECONDS = 10
"""How long a program may take to answer for its version."""

NEEDED, OPTIONAL = "needed", "optional"


class Finding(NamedTuple):
    """One thing looked at.

    Attributes:
        name: What was looked for.
        good: Whether it is as wanted.
        kind: "needed" (the command fails without it) or "optional" (something is left out without it).
        found: What is there.
        wanted: What should be there, and for what.
        get: How to get it, as a command where there is one.
    """

    name: str
    good: bool
    kind: str
    found: str
    wanted: str
    get: str


def examine() -> list[Finding]:
    """Look at everything. The order is that in which things are needed."""
    have_engine = _engine_file() is not None
    return [
        _python(),
        _venv_module(),
        _program("git", NEEDED, "any, to get and keep the project"),
        _program("make", OPTIONAL, "any, for the short commands; python3 -m kitestacks does the same"),
        _engine(),
        _docker_provider(),
        _language_host(),
        _go(needed=not have_engine),
        _disk(needed=not have_engine),
        _docker(),
        _port(),
        _chromium(),
        _program("mmdebstrap", OPTIONAL, "any, for real databases in a rehearsal where their images can't be pulled"),
    ]


def _install(debian: str, mac: str) -> str:
    return f"brew install {mac}" if sys.platform == "darwin" else f"apt-get install {debian}"


def _output(*command: str) -> Optional[str]:  # noqa: UP045 - NamedTuple and old Pythons
    """What a program prints, or None when it is missing, fails or hangs."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None


def _version(text: str) -> tuple[int, ...]:
    """The first version number in a text; empty when there is none."""
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part) for part in match.groups() if part) if match else ()


def _dotted(version: Sequence[int]) -> str:
    return ".".join(map(str, version))


def _python() -> Finding:
    version = sys.version_info[:3]
    return Finding(
        "python",
        version >= WANTED_PYTHON,
        NEEDED,
        _dotted(version),
        f"{_dotted(WANTED_PYTHON)} or newer",
        _install("python3", "python@3.13") + ", or https://www.python.org/downloads/",
    )


def _venv_module() -> Finding:
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    return Finding(
        "python venv",
        not missing,
        NEEDED,
        f"without {' and '.join(missing)}" if missing else "there",
        "the modules venv and ensurepip, to make .venv",
        _install("python3-venv", "python@3.13"),
    )


def _program(name: str, kind: str, wanted: str) -> Finding:
    where = shutil.which(name)
    return Finding(name, where is not None, kind, where or "nothing", wanted, _install(name, name))


def _engine_file() -> Optional[str]:  # noqa: UP045
    ours = paths.STATE / "toolchain" / "bin" / "pulumi"
    return str(ours) if ours.is_file() else shutil.which("pulumi")


def _engine() -> Finding:
    file = _engine_file()
    version = _version(_output(file, "version") or "") if file else ()
    return Finding(
        "engine",
        version >= WANTED_ENGINE,
        OPTIONAL,
        f"{_dotted(version) or 'does not run'} at {file}" if file else "nothing",
        f"pulumi {_dotted(WANTED_ENGINE)} or newer; make rehearsal gets it by itself",
        "make toolchain",
    )


def _docker_provider() -> Finding:
    plugins = paths.STATE / "pulumi-home" / "plugins"
    found = sorted(plugins.glob("resource-docker-v*/pulumi-resource-docker"))
    return Finding(
        "Docker provider",
        bool(found),
        OPTIONAL,
        str(found[-1]) if found else "nothing",
        "pulumi-resource-docker; make rehearsal gets it by itself",
        "make toolchain",
    )


def _language_host() -> Finding:
    ours = paths.STATE / "toolchain" / "bin" / "pulumi-language-python"
    where = str(ours) if ours.is_file() else shutil.which("pulumi-language-python")
    return Finding(
        "language host",
        where is not None,
        OPTIONAL,
        where or "nothing",
        "pulumi-language-python; make rehearsal gets it by itself",
        "make toolchain",
    )


def _go(*, needed: bool) -> Finding:
    said = _output("go", "env", "GOVERSION")
    version = _version(said or "")
    return Finding(
        "go",
        version >= WANTED_GO,
        NEEDED if needed else OPTIONAL,
        _dotted(version) or "nothing",
        f"{_dotted(WANTED_GO)} or newer, to build the engine where it cannot be downloaded, and the rehearsal's images",
        "https://go.dev/dl/ (Debian's own is too old)" if sys.platform != "darwin" else "brew install go",
    )


def _disk(*, needed: bool) -> Finding:
    free = shutil.disk_usage(paths.ROOT).free / 1e9
    return Finding(
        "disk",
        free >= BUILD_GIGABYTES,
        NEEDED if needed else OPTIONAL,
        f"{free:.0f} GB free",
        f"{BUILD_GIGABYTES} GB, to build the engine from Go modules",
        "make room, or give ready archives by KITESTACKS_TOOLCHAIN_MIRROR",
    )


def _docker() -> Finding:
    wanted = "a daemon that answers; without it the rehearsal simulates the containers"
    client = shutil.which("docker")
    if client is None:
        return Finding("docker", False, OPTIONAL, "nothing", wanted, _install("docker.io", "--cask docker"))
    version = _output("docker", "version", "--format", "{{.Server.Version}}")
    if version:
        return Finding("docker", True, OPTIONAL, f"daemon {version}", wanted, "")
    get = "open Docker Desktop" if sys.platform == "darwin" else "systemctl start docker, or add yourself to its group"
    return Finding("docker", False, OPTIONAL, f"the client {client}, but no daemon answers it", wanted, get)


def _port() -> Finding:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", EDGE_PORT))
            free = True
        except OSError:
            free = False
    return Finding(
        f"port {EDGE_PORT}",
        free,
        OPTIONAL,
        "free" if free else "taken",
        "free on 127.0.0.1, for the rehearsal's sites",
        "if it is not the rehearsal itself (make rehearsal-status), end what listens there",
    )


def _chromium() -> Finding:
    names = ("chromium", "chromium-browser", "google-chrome")
    where = next((found for found in map(shutil.which, names) if found), None)
    return Finding(
        "chromium",
        where is not None,
        OPTIONAL,
        where or "nothing",
        "any, for the tests that look at the portal",
        _install("chromium", "--cask chromium"),
    )


def _report(findings: list[Finding]) -> str:
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        mark = "ok" if finding.good else ("MISSING" if finding.kind == NEEDED else "without")
        lines.append(f"{mark:<8} {finding.name:<{width}}  {finding.found}")
        if not finding.good:
            indent = " " * (width + 11)
            lines += [f"{indent}wanted: {finding.wanted}", f"{indent}get it: {finding.get}"]
    missing = [finding.name for finding in findings if not finding.good and finding.kind == NEEDED]
    lines += ["", f"missing: {', '.join(missing)}" if missing else "nothing needed is missing: make rehearsal"]
    return "\n".join(lines)


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `kitestacks doctor`."""
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the findings; 0 when nothing needed is missing, 2 otherwise."""
    findings = examine()
    missing = any(not finding.good and finding.kind == NEEDED for finding in findings)
    if args.json:
        Console.result(
            json.dumps({"ok": not missing, "findings": [finding._asdict() for finding in findings]}, indent=2)
        )
    else:
        Console.result(_report(findings))
    return Exit.CONFIGURATION if missing else Exit.OK
