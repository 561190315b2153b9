"""Progress: what is being done, for how long already, and what came of it.

On a terminal a line per running step turns and counts (rich, if it can be imported); in a log or a pipe there is one
line per finished step with its seconds, and every ten seconds one that names what is still waited for. Everything goes
to standard error: standard output is for a command's result. Neither environment nor secrets are ever printed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from kitestacks.exits import CommandError, Exit
from kitestacks.paths import private

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.live import Live
    from rich.table import Table

PULSE_SECONDS = 10
"""How long a log may stay silent while a step runs."""

LAST_LINES = 15
"""How much of a failed program's log is shown."""

GRACE_SECONDS = 5
"""How long a program may take to end when it is told to."""

TURN_SECONDS = 0.2
"""How often a waited-for program is looked at."""


class Step:
    """One running step, given by `Console.step`."""

    def __init__(self, title: str, expect: str) -> None:
        self.title = title
        self.expect = expect
        self.hint = ""
        self.started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self.started

    def note(self, hint: str) -> None:
        """Say what the step is busy with; shown while it runs, not when it is done."""
        self.hint = hint

    def describe(self) -> str:
        """The step's title, what it is busy with and how long it should take, on one line."""
        hint = f": {self.hint}" if self.hint else ""
        expect = f" ({self.expect})" if self.expect else ""
        return f"{self.title}{expect}{hint}"


class Console:
    """Prints progress to one stream. Steps may be nested and may run in several threads.

    Args:
        stream: Where to print; standard error unless told otherwise.
        pulse: Seconds between two signs of life in a log.
    """

    def __init__(self, stream: TextIO | None = None, pulse: float = PULSE_SECONDS) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._pulse = pulse
        self._steps: list[Step] = []
        self._lock = threading.Lock()
        self._rich = _rich_display(self._stream, self._steps)

    @staticmethod
    def result(text: str) -> None:
        """Print what a command was asked for, to standard output."""
        print(text, flush=True)  # noqa: T201 - the one place that writes there

    def line(self, text: str) -> None:
        """Print one line that stays."""
        with self._lock:
            if self._rich is not None:
                self._rich.console.print(text, markup=False, highlight=False, soft_wrap=True)
            else:
                print(text, file=self._stream, flush=True)

    def warn(self, text: str) -> None:
        """Print a line about something that is not as it should be but does not stop the command."""
        self.line(f"warning: {text}")

    def error(self, failure: CommandError) -> None:
        """Print what failed, why, and the way out."""
        self.line(f"error: {failure.message}")
        if failure.way_out:
            self.line(f"  way out: {failure.way_out}")

    @contextmanager
    def step(self, title: str, expect: str = "") -> Iterator[Step]:
        """Show that something is going on, and how long it took in the end.

        Args:
            title: What is done, as a command would say it: "build the engine from Go modules".
            expect: How long that takes, in words: "about 6 min".
        """
        step = Step(title, expect)
        self._begin(step)
        finished = threading.Event()
        pulse = threading.Thread(target=self._keep_alive, args=(step, finished), daemon=True)
        pulse.start()
        mark = "failed"
        try:
            yield step
            mark = "done"
        except KeyboardInterrupt:
            mark = "stopped"
            raise
        finally:
            finished.set()
            self._end(step)
            self.line(f"{mark:<7} {step.title}  {_clock(step.seconds)}")

    def run(  # noqa: PLR0913 - all by keyword, and a program has as many sides
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        title: str,
        log: Path,
        expect: str = "",
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        way_out: str = "",
        timeout: float | None = None,
    ) -> None:
        """Run a program as a step of its own, its output in a log file that only its owner may read.

        Args:
            command: The program and its arguments. No secrets: arguments can be seen by everybody on the machine.
            title: The step's title.
            log: The file the output goes to; replaced if there is one.
            expect: How long it takes, in words.
            env: Variables to add to this process's own.
            cwd: The folder to run it in.
            way_out: What the user can do when it fails.
            timeout: Seconds after which it is stopped.

        Raises:
            CommandError: The program failed or took too long; the message holds the last lines of its log.
        """
        private(log.parent)
        with (
            self.step(title, expect) as step,
            os.fdopen(os.open(log, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600)) as out,
        ):
            try:
                program = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **(env or {})},
                    cwd=cwd,
                    start_new_session=True,
                )
            except OSError as error:
                raise CommandError(f"{title}: cannot start {command[0]}: {error.strerror}", way_out) from error
            try:
                status = _wait(program, step, log, timeout)
            except BaseException:
                _stop(program)
                raise
        if status is None:
            what, code = f"was stopped after {_clock(timeout or 0)}", Exit.TIMEOUT
        elif status:
            what, code = f"ended with {status}", Exit.OTHER
        else:
            return
        raise CommandError(f"{title}: {os.fspath(command[0])} {what}\n{last_lines(log)}", way_out, code)

    def _begin(self, step: Step) -> None:
        with self._lock:
            self._steps.append(step)
            if self._rich is not None and len(self._steps) == 1:
                self._rich.start()

    def _end(self, step: Step) -> None:
        with self._lock:
            self._steps.remove(step)
            if self._rich is not None and not self._steps:
                self._rich.stop()

    def _keep_alive(self, step: Step, finished: threading.Event) -> None:
        while self._rich is None and not finished.wait(self._pulse):
            self.line(f"...     {step.describe()}  {_clock(step.seconds)}")


def last_lines(log: Path, count: int = LAST_LINES) -> str:
    """The end of a log file, indented, and where the rest is."""
    lines = log.read_text(errors="replace").splitlines()
    shown = "\n".join(f"  | {line}" for line in lines[-count:]) or "  | (it printed nothing)"
    return f"{shown}\n  the whole log: {log}"


def _wait(program: subprocess.Popen[bytes], step: Step, log: Path, timeout: float | None) -> int | None:
    """The program's status, or None when it took too long. The last line of its log is the step's note meanwhile."""
    while True:
        try:
            return program.wait(TURN_SECONDS)
        except subprocess.TimeoutExpired:
            step.note(_tail(log))
        if timeout is not None and step.seconds > timeout:
            _stop(program)
            return None


def _tail(log: Path, width: int = 60) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 500))
        lines = file.read().decode(errors="replace").splitlines()
    return next((line.strip()[:width] for line in reversed(lines) if line.strip()), "")


def _stop(program: subprocess.Popen[bytes]) -> None:
    """End a program and all it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if program.poll() is not None:
            return
        os.killpg(program.pid, number)
        try:
            program.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            continue


def _clock(seconds: float) -> str:
    if seconds < 10:  # noqa: PLR2004 - below it a tenth of a second is worth showing
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _rich_display(stream: TextIO, steps: list[Step]) -> Live | None:
    """A rich display that draws the running steps, or None where there is no terminal or no rich."""
    if not stream.isatty() or os.environ.get("TERM") == "dumb" or os.environ.get("CI"):
        return None
    try:
        from rich.console import Console as Terminal  # noqa: PLC0415 - a command without progress need not pay for it
        from rich.live import Live  # noqa: PLC0415 - as above
        from rich.spinner import Spinner  # noqa: PLC0415 - as above
        from rich.table import Table  # noqa: PLC0415 - as above
        from rich.text import Text  # noqa: PLC0415 - as above
    except ImportError:
        return None
    spinner = Spinner("dots")

    def draw() -> Table:
        table = Table.grid(padding=(0, 1))
        for step in list(steps):
            table.add_row(spinner, Text(step.describe(), overflow="ellipsis", no_wrap=True), _clock(step.seconds))
        return table

    return Live(get_renderable=draw, console=Terminal(file=stream), transient=True, refresh_per_second=8)
