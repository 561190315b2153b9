"""The rehearsal as a user types it: up, status, down, interrupted, refused."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.engine.lab import missing_engine
from tests.ports import free_port
from tests.rehearsal.edge_world import wait_for
from tests.stack_files import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.engine
PYTHON = ROOT / ".venv" / "bin" / "python"
BEGUN = """\
import pathlib, sys
from kitestacks.__main__ import main
pathlib.Path(sys.argv.pop(1)).touch()
sys.exit(main(sys.argv[1:]))
"""
"""The command, which says first that it has begun: before that, an interrupt is Python's own to answer."""


class Rehearsal:
    """The command, for a rehearsal in a folder of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.port = str(free_port())
        self.environment = os.environ | {"KITESTACKS_REHEARSAL": str(state)}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return self._started("-m", "kitestacks", "rehearsal", *arguments)

    def start_and_wait_until_begun(self, sign: Path, *arguments: str) -> subprocess.Popen[str]:
        process = self._started("-c", BEGUN, str(sign), "rehearsal", *arguments)
        wait_for(sign.exists, limit=60)
        return process

    def _started(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [PYTHON, *words],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        with self.start(*arguments) as process:
            output, _ = process.communicate(timeout=120)
        return process.returncode, output

    def up(self) -> tuple[int, str]:
        return self.run("up", "--simulated", "--port", self.port)

    def processes(self) -> str:
        """Everything that runs and names this rehearsal's folder."""
        listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        return "\n".join(line for line in listed.splitlines() if str(self.state) in line)


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[Rehearsal]:
    if reason := missing_engine():
        pytest.skip(reason)
    command = Rehearsal(tmp_path / "state")
    yield command
    command.run("down")


def test_up_status_down(rehearsal: Rehearsal) -> None:
    up = rehearsal.up()
    status = rehearsal.run("status", "--json")
    again = rehearsal.up()
    down = rehearsal.run("down")

    assert up[0] == again[0] == status[0] == down[0] == 0, (up, status, again, down)
    assert f"http://www.kitestacks.localhost:{rehearsal.port}" in up[1]
    assert f"curl -H 'Host: www.kitestacks.com' http://127.0.0.1:{rehearsal.port}/" in up[1]
    report = json.loads(status[1])
    assert report["containers"] == "simulated"
    assert report["sites"]["www.kitestacks.com"]["status"] == 200
    assert not rehearsal.state.exists()
    assert rehearsal.processes() == ""


def test_down_and_status_without_a_rehearsal_say_so(rehearsal: Rehearsal) -> None:
    assert rehearsal.run("down") == (0, "nothing to take down: there is no rehearsal\n")
    status, output = rehearsal.run("status")
    assert status == 2
    assert "there is no rehearsal" in output
    assert "make rehearsal" in output


@pytest.mark.parametrize("seconds", [0.1, 0.4, 1.2, 2.5, 4.0])
def test_interrupted_it_leaves_nothing_that_down_does_not_find(
    seconds: float, rehearsal: Rehearsal, tmp_path: Path
) -> None:
    process = rehearsal.start_and_wait_until_begun(tmp_path / "begun", "up", "--simulated", "--port", rehearsal.port)
    with process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    rehearsal.run("down")
    deadline = time.monotonic() + 10
    while rehearsal.processes():
        assert time.monotonic() < deadline, rehearsal.processes()
        time.sleep(0.1)

    assert process.returncode in (0, 8), output
    assert "Traceback" not in output
    assert not rehearsal.state.exists()


def test_interrupted_it_goes_on_where_it_was(rehearsal: Rehearsal) -> None:
    with rehearsal.start("up", "--simulated", "--port", rehearsal.port) as process:
        try:
            process.wait(3.0)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    status, output = rehearsal.up()

    assert status == 0, output


def test_port_that_is_taken_is_said(rehearsal: Rehearsal) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(rehearsal.port)))
        taken.listen()
        status, output = rehearsal.up()

    assert status != 0
    assert rehearsal.port in output
    assert "way out" in output
    assert "Traceback" not in output


def test_another_kind_of_rehearsal_is_not_mixed_with_this_one(rehearsal: Rehearsal) -> None:
    rehearsal.up()
    rehearsal.environment["DOCKER_HOST"] = "unix:///somewhere/else.sock"
    decided = rehearsal.state / "twin.json"
    text = json.loads(decided.read_text())
    decided.write_text(json.dumps(text | {"docker": "unix:///var/run/docker.sock"}))

    status, output = rehearsal.up()

    decided.write_text(json.dumps(text))
    assert status != 0
    assert "this rehearsal was made with containers on unix:///var/run/docker.sock, now there are simulated" in output
    assert "make rehearsal-down rehearsal" in output
