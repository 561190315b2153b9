"""Cost: what one run of a program took, in time, work and memory, with all the programs that it started."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kitestacks.console import LAST_LINES
from kitestacks.exits import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PROCESSES = Path("/proc")
_SAMPLE_SECONDS = 0.05
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a run took.

    Attributes:
        seconds: From start to end.
        processor: Seconds of processor time, which other work on the machine disturbs less.
        mebibytes: The most memory that all its processes held together, sampled twenty times a second; pages that two
            of them share count twice. None where there is no /proc to read it from.
    """

    seconds: float
    processor: float
    mebibytes: float | None


def median(costs: Sequence[Cost]) -> Cost:
    """The middle of several runs, each figure for itself."""
    memory = [cost.mebibytes for cost in costs if cost.mebibytes is not None]
    return Cost(
        seconds=statistics.median(cost.seconds for cost in costs),
        processor=statistics.median(cost.processor for cost in costs),
        mebibytes=statistics.median(memory) if memory else None,
    )


def measure(command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], log: Path) -> Cost:
    """Runs a program to its end, its output in a log, and says what it took; an interrupt ends it and all it started.

    Raises:
        CommandError: it failed; with the end of its log.
    """
    with log.open("wb") as output:
        began = time.monotonic()
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        peak = _Peak(process.pid)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        finally:
            pages = peak.stop()
        seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        what = " ".join(str(word) for word in (Path(command[0]).name, *command[1:]))
        end = "\n".join(f"  | {line}" for line in log.read_text(errors="replace").splitlines()[-LAST_LINES:])
        raise CommandError(
            f"{what} ended with {process.returncode}\n{end}", "make rehearsal shows whether the stacks are well"
        )
    return Cost(
        seconds=seconds,
        processor=usage.ru_utime + usage.ru_stime,
        mebibytes=pages * _PAGE / 1024**2 if pages else None,
    )


class _Peak:
    """Watches a session of processes until it is stopped, and keeps the most memory pages they held together."""

    def __init__(self, session: int) -> None:
        self._session = session
        self._most = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._stopped.set()
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        while not self._stopped.wait(_SAMPLE_SECONDS):
            self._most = max(self._most, sum(map(_resident_pages, _processes_of(self._session))))


def _processes_of(session: int) -> list[Path]:
    """The processes of a session, which nothing that the engine starts ever leaves."""
    found = []
    for folder in _PROCESSES.glob("[0-9]*"):
        try:
            # The name, in brackets, may hold anything; after it come state, parent, group, session.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            found.append(folder)
    return found


def _resident_pages(process: Path) -> int:
    try:
        return int((process / "statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
