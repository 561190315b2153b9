"""The one entry point: its table of commands, its endings, its progress, its virtual environment and its doctor."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from argparse import ArgumentParser
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from kitestacks import __main__ as command
from kitestacks import console as progress
from kitestacks import doctor, paths, venv
from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], int]], None]:
    """Put a command `probe` on the table that does what the test says, with no virtual environment."""

    def use(body: Callable[[], int]) -> None:
        module = SimpleNamespace(configure=lambda parser: parser.add_argument("--json"), run=lambda args: body())  # noqa: ARG005
        monkeypatch.setitem(sys.modules, "probe_command", module)
        entry = command.Command("probe_command", "probes", "probe", bare=True)
        monkeypatch.setitem(command.COMMANDS, "probe", entry)

    return use


def raising(error: BaseException) -> Callable[[], int]:
    def body() -> int:
        raise error

    return body


def test_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == Exit.OK
    shown = capsys.readouterr().out
    assert shown.startswith("example: python3 -m kitestacks ")
    for name, entry in command.COMMANDS.items():
        assert f"{name} " in shown
        assert entry.help in shown


@pytest.mark.parametrize("name", command.COMMANDS)
def test_every_command_has_help_that_starts_with_an_example(name: str) -> None:
    text = command.parser_of(name).format_help()
    assert text.startswith(f"example: python3 -m kitestacks {name}")
    assert command.COMMANDS[name].help in text


@pytest.mark.parametrize("name", command.COMMANDS)
def test_every_example_is_accepted_by_its_own_command(name: str) -> None:
    words = command.COMMANDS[name].example.split()
    assert words[0] == name
    command.parser_of(name).parse_args(words[1:])


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["rehearsel"]) == Exit.CONFIGURATION
    shown = capsys.readouterr().err
    assert "there is no command 'rehearsel'" in shown
    assert "way out: python3 -m kitestacks --help" in shown


def test_users_error_is_what_why_and_way_out(
    bare: Callable[[Callable[[], int]], None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KITESTACKS_DEBUG", raising=False)
    bare(raising(CommandError("no stack monk", "pulumi stack init monk", Exit.NO_SUCH_STACK)))
    assert command.main(["probe"]) == Exit.NO_SUCH_STACK
    assert capsys.readouterr().err == "error: no stack monk\n  way out: pulumi stack init monk\n"


def test_debug_adds_the_traceback(
    bare: Callable[[Callable[[], int]], None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KITESTACKS_DEBUG", "1")
    bare(raising(CommandError("no stack monk")))
    assert command.main(["probe"]) == Exit.OTHER
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_internal_fault_is_told_without_traceback(
    bare: Callable[[Callable[[], int]], None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KITESTACKS_DEBUG", raising=False)
    bare(raising(ZeroDivisionError("by nought")))
    assert command.main(["probe"]) == Exit.INTERNAL
    shown = capsys.readouterr().err
    assert "internal fault: ZeroDivisionError: by nought" in shown
    assert "Traceback" not in shown


def test_interrupt_is_exit_8_and_a_sentence(
    bare: Callable[[Callable[[], int]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    bare(raising(KeyboardInterrupt()))
    assert command.main(["probe"]) == Exit.CANCELLED
    assert "probe was interrupted" in capsys.readouterr().err


def test_interrupt_while_a_class_is_made_ends_with_the_code_of_every_other(tmp_path: Path) -> None:
    (tmp_path / "interrupted.py").write_text(
        "import sys\n"
        "from kitestacks import __main__ as command\n"
        "command.dispatch = lambda *_: exec('raise KeyboardInterrupt')\n"
        "sys.exit(command.main(['probe']))\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{paths.ROOT}"}
    ended = subprocess.run([sys.executable, "-m", "interrupted"], env=environment, capture_output=True, check=False)
    assert b"probe was interrupted" in ended.stderr
    assert ended.returncode == Exit.CANCELLED


def test_only_bare_commands_run_outside_the_virtual_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    entered: list[list[str]] = []

    def enter(arguments: list[str], console: Console) -> None:  # noqa: ARG001
        entered.append(arguments)
        raise CommandError("entered")

    monkeypatch.setattr(venv, "enter", enter)
    for name, entry in command.COMMANDS.items():
        if not entry.bare:
            assert command.main([name, "--help"]) == Exit.OTHER
    assert [words[0] for words in entered] == [name for name, entry in command.COMMANDS.items() if not entry.bare]
    assert {name for name, entry in command.COMMANDS.items() if entry.bare} == {"doctor", "venv"}


# Progress


def test_log_gets_one_line_per_finished_step() -> None:
    out = io.StringIO()
    with Console(out).step("build the engine", expect="about 6 min") as step:
        step.note("half way")
    assert re.fullmatch(r"done    build the engine  0\.\d s\n", out.getvalue())


def test_long_step_in_a_log_says_what_is_waited_for() -> None:
    out = io.StringIO()
    with Console(out, pulse=0.01).step("build the engine", expect="about 6 min") as step:
        step.note("linking")
        deadline = time.monotonic() + 5
        while "linking" not in out.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "...     build the engine (about 6 min): linking  0." in out.getvalue()


def test_failed_step_is_marked() -> None:
    out = io.StringIO()

    def fail() -> None:
        with Console(out).step("build"):
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - the test's own
        fail()
    assert out.getvalue().startswith("failed  build")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_terminal_shows_the_running_step_and_keeps_its_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    with Console(out).step("build the engine", expect="about 6 min"):
        deadline = time.monotonic() + 5
        while "(about 6 min)" not in out.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "build the engine (about 6 min)" in out.getvalue()
    assert "done    build the engine" in out.getvalue()
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", out.getvalue()), "colour in spite of NO_COLOR"


@pytest.mark.parametrize(("name", "value"), [("CI", "true"), ("TERM", "dumb")])
def test_no_repainting_in_ci_or_on_a_dumb_terminal(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv(name, value)
    out = Terminal()
    with Console(out).step("build"):
        pass
    assert "\x1b" not in out.getvalue()


def test_failed_program_shows_the_end_of_its_log_and_the_way_out(tmp_path: Path) -> None:
    out, log = io.StringIO(), tmp_path / "logs" / "x.log"
    script = "import os; [print('line', n) for n in range(100)]; print(os.environ['MINE']); raise SystemExit(3)"
    with pytest.raises(CommandError) as failure:
        Console(out).run(
            [sys.executable, "-c", script],
            title="try",
            log=log,
            env={"MINE": "given"},
            cwd=tmp_path,
            way_out="try again",
        )
    assert "ended with 3" in failure.value.message
    assert "  | line 99\n  | given\n" in failure.value.message
    assert "line 80\n" not in failure.value.message
    assert str(log) in failure.value.message
    assert failure.value.way_out == "try again"
    assert log.stat().st_mode & 0o777 == 0o600
    assert "given" not in out.getvalue()


def test_program_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot start /nowhere/prog: No such file or directory"):
        Console(io.StringIO()).run(["/nowhere/prog"], title="try", log=tmp_path / "x.log")


def test_program_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as failure:
        Console(io.StringIO()).run(["sleep", "60"], title="wait", log=tmp_path / "x.log", timeout=0.3)
    assert failure.value.exit_code == Exit.TIMEOUT


def test_interrupt_stops_the_program_at_once(tmp_path: Path) -> None:
    pidfile = tmp_path / "pid"
    child = f"import os, time; open({str(pidfile)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    script = (
        "import sys; from pathlib import Path; from kitestacks.console import Console\n"
        f"Console().run([sys.executable, '-c', {child!r}], title='wait', log=Path({str(tmp_path / 'x.log')!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=paths.ROOT, stderr=subprocess.PIPE) as parent:
        deadline = time.monotonic() + 10
        while not (pidfile.exists() and pidfile.read_text()) and time.monotonic() < deadline:
            time.sleep(0.02)
        parent.send_signal(signal.SIGINT)
        _, shown = parent.communicate(timeout=10)
    assert b"stopped wait" in shown
    # Whoever inherits the dead child takes a moment to bury it; a living one would sleep for a minute.
    deadline = time.monotonic() + 10
    while _lives(int(pidfile.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(("seconds", "words"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (61, "1 min 01 s")])
def test_clock(seconds: float, words: str) -> None:
    assert progress._clock(seconds) == words


# The virtual environment


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project, so that making its environment needs no package index."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "STATE", tmp_path / ".kitestacks")
    monkeypatch.setattr(paths, "LOGS", tmp_path / ".kitestacks" / "logs")
    monkeypatch.setattr(paths, "VENV", tmp_path / ".venv")
    (tmp_path / "requirements.txt").write_text("# nothing\n")
    (tmp_path / "requirements-dev.txt").write_text("# nothing\n")
    return tmp_path


def test_environment_is_made_once_and_renewed_when_requirements_change(project: Path) -> None:
    out = io.StringIO()
    console = Console(out)
    assert venv.ensure(console)
    assert "make the virtual environment" in out.getvalue()
    made = (project / ".venv" / "pyvenv.cfg").stat().st_mtime_ns

    assert not venv.ensure(console)
    (project / "requirements-dev.txt").write_text("-r requirements.txt\n# other\n")
    assert not venv.ensure(console), "the developer's requirements were not asked for"
    assert venv.ensure(console, dev=True)
    assert not venv.ensure(console)

    (project / "requirements.txt").write_text("./there-is-no-such-package\n")
    with pytest.raises(CommandError) as failure:
        venv.ensure(console)
    assert "there-is-no-such-package" in failure.value.message
    (project / "requirements.txt").write_text("# nothing again\n")
    assert venv.ensure(console), "a failed install must not look finished"
    assert (project / ".venv" / "pyvenv.cfg").stat().st_mtime_ns == made, "it was made anew without need"


def test_command_goes_on_in_the_environment(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(venv, "ensure", lambda console, *, dev: dev)  # noqa: ARG005
    monkeypatch.delenv("KITESTACKS_DEV", raising=False)
    started: list[tuple[object, list[str]]] = []
    monkeypatch.setattr(os, "execv", lambda path, words: started.append((path, words)))
    venv.enter(["toolchain", "--json"], Console(io.StringIO()))
    python = project / ".venv" / "bin" / "python"
    assert started == [(python, [str(python), "-m", "kitestacks", "toolchain", "--json"])]

    monkeypatch.setattr(sys, "prefix", str(project / ".venv"))
    venv.enter(["toolchain"], Console(io.StringIO()))
    assert len(started) == 1, "it is there already"
    monkeypatch.setenv("KITESTACKS_DEV", "1")
    venv.enter(["toolchain"], Console(io.StringIO()))
    assert len(started) == 2, "what was imported may be another version now"


# The doctor


def finding(name: str) -> doctor.Finding:
    return next(each for each in doctor.examine() if each.name == name)


def test_doctor_runs_on_the_standard_library_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "kitestacks", "doctor", "--json"],
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(done.stdout)
    assert done.returncode == (Exit.OK if report["ok"] else Exit.CONFIGURATION)
    assert {"python", "python venv", "engine", "Docker provider", "go", "docker", "disk", "port 8080"} <= {
        each["name"] for each in report["findings"]
    }


def test_doctor_lists_everything_at_once_with_the_way_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(paths, "STATE", tmp_path)
    monkeypatch.setattr(doctor, "WANTED_PYTHON", (99, 1))
    parser = ArgumentParser()
    doctor.configure(parser)
    assert doctor.run(parser.parse_args([])) == Exit.CONFIGURATION
    shown = capsys.readouterr().out
    for name in ("python", "git", "go"):
        assert re.search(rf"^MISSING  {name} ", shown, re.MULTILINE), name
    for name in ("docker", "engine", "chromium", "make"):
        assert re.search(rf"^without  {name} ", shown, re.MULTILINE), name
    assert shown.count("wanted: ") == shown.count("get it: ") >= 8
    assert "99.1 or newer" in shown
    assert "missing: python, git, go" in shown


def test_doctor_tells_a_client_without_a_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = tmp_path / "docker"
    client.write_text("#!/bin/sh\nexit 1\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = finding("docker")
    assert not found.good
    assert found.kind == doctor.OPTIONAL
    assert found.found == f"the client {client}, but no daemon answers it"


@pytest.mark.parametrize(
    ("said", "good"), [("v3.249.9", False), ("v3.250.0", True), ("v4.0.0-beta.1", True), ("?", False)]
)
def test_doctor_reads_the_engines_version(
    said: str, good: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "toolchain" / "bin" / "pulumi"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    monkeypatch.setattr(paths, "STATE", tmp_path)
    assert finding("engine").good is good


def test_doctor_sees_a_taken_port(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(doctor, "EDGE_PORT", taken.getsockname()[1])
        assert doctor._port().found == "taken"
    assert doctor._port().found == "free"
