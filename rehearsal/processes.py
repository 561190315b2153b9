"""The rehearsal's helpers in the background: started, found and ended by pid file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from kitestacks.exits import CommandError, Exit
from rehearsal.twin import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rehearsal.twin import Twin

READY = {"cloud": "cloud.ports.json", "edge": "edge.json", "tailnet": "tailnet.json"}
"""The file by which each helper says that it is ready."""
_STARTED: dict[int, subprocess.Popen[bytes]] = {}
"""What this very process has started, and therefore has to reap when it ends."""
_PATIENCE = 20.0
"""Seconds that a helper may take to start or to end."""


def start(twin: Twin, name: str, arguments: Callable[[], list[str]]) -> None:
    """Starts a helper and waits until it is ready; one that runs already is left alone.

    Its arguments are asked for only then: they cost a reading of all stack files, and every plan comes by here.

    Raises:
        CommandError: it ended, or was not ready in time; with the end of its log.
    """
    if pid_of(twin, name) is not None:
        return
    ready = twin.state / READY[name]
    ready.unlink(missing_ok=True)
    log = twin.logs / f"{name}.log"
    command = [sys.executable, "-m", f"rehearsal.{name}", "serve", "--state", str(twin.state), *arguments()]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    _STARTED[process.pid] = process
    _pid_file(twin, name).write_text(str(process.pid))
    deadline = time.monotonic() + _PATIENCE
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            stop(twin, name)
            lines = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
            raise CommandError(f"the rehearsal's {name} did not start:\n{lines}", f"its log: {log}", Exit.OTHER)
        time.sleep(0.02)


def stop(twin: Twin, name: str) -> bool:
    """Ends a helper, gently and then not; says whether one ran."""
    pid = pid_of(twin, name)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + _PATIENCE / 4
        while pid_of(twin, name) is not None:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        if pid in _STARTED:
            _STARTED.pop(pid).wait()
    _pid_file(twin, name).unlink(missing_ok=True)
    return pid is not None


def pid_of(twin: Twin, name: str) -> int | None:
    """The process id of a helper that runs; a stale file, or one whose number went to another program, is none."""
    try:
        pid = int(_pid_file(twin, name).read_text())
    except (FileNotFoundError, ValueError):
        return None
    if pid in _STARTED and _STARTED[pid].poll() is not None:
        return None
    ps = ["ps", "-o", "command=", "-p", str(pid)]
    command = subprocess.run(ps, capture_output=True, text=True, check=False).stdout
    return pid if f"rehearsal.{name}" in command else None


def _pid_file(twin: Twin, name: str) -> Path:
    return twin.state / f"{name}.pid"
