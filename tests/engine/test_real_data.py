"""A rehearsal with real data, by its literal commands, and every drill of data in it."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.daemon import Daemon, free_port
from rehearsal.drill import data
from tests.stack_files import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = [pytest.mark.engine, pytest.mark.docker]
INSTALLATION = "test-realdata"
LIMIT = 900
"""Seconds that a command may take before it counts as hung."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Types a command of the project's about a rehearsal of its own, which is taken down at the end."""
    state = tmp_path_factory.mktemp("real") / "rehearsal"
    environment = os.environ | {"KITESTACKS_REHEARSAL": str(state)}

    def typed(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(ROOT / ".venv/bin/python"), "-m", "kitestacks", *words]
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT
        )

    yield typed
    down = typed("rehearsal", "down")
    assert down.returncode == 0, down.stderr
    daemon = Daemon.find()
    assert daemon
    assert daemon.containers(INSTALLATION) == []


@pytest.fixture(scope="module")
def rehearsed(run: Run) -> Run:
    """Both hosts, with real databases."""
    port = str(free_port("127.0.0.1"))
    up = run("rehearsal", "up", "--data", "real", "--installation", INSTALLATION, "--port", port)
    assert up.returncode == 0, up.stdout[-3000:] + up.stderr[-3000:]
    return run


def _drilled(run: Run, name: str, *flags: str) -> dict[str, Any]:
    done = run("drill", name, "--json", *flags)
    assert done.stdout, done.stderr[-3000:]
    (result,) = json.loads(done.stdout)
    assert done.returncode == (0 if result["kept"] else 1), done.stderr[-3000:]
    return dict(result)


def test_kinds_of_rehearsals_are_not_mixed(rehearsed: Run) -> None:
    other = rehearsed("rehearsal", "up", "--installation", INSTALLATION)

    assert other.returncode != 0
    assert "was made with real data, now it is to have played data" in other.stderr
    assert "make rehearsal-down" in other.stderr


@pytest.mark.parametrize("fault", ["monk-gone", "tailnet-cut", "database-crash"])
def test_no_page_is_lost_in_a_fault(rehearsed: Run, fault: str) -> None:
    result = _drilled(rehearsed, fault, "--seconds", "8")

    pages = result["pages"]
    assert result["kept"], result
    assert pages["saved"] > 10
    assert pages["lost"] == []
    assert pages["applied"]


def test_cut_tailnet_has_one_writer(rehearsed: Run) -> None:
    """Both hosts live, and neither reaches the other: visitors of both still end at one database."""
    pages = _drilled(rehearsed, "tailnet-cut", "--seconds", "8")["pages"]

    assert set(pages["authors"]) == {"monk"}, pages


@pytest.mark.parametrize("name", list(data.known()))
def test_drill_of_data_holds(rehearsed: Run, name: str) -> None:
    result = _drilled(rehearsed, name)

    assert result["kept"], "\n".join([*result["lines"], result["broken"]])
