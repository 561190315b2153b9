"""What all tests share: stack files that a test may break, and Pulumi's own strictness about outputs in strings."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import pytest

from kitestacks.check import NO_SKIPS
from tests.golden_files import RENEW, Golden
from tests.stack_files import StackFiles

if TYPE_CHECKING:
    from pathlib import Path

os.environ["PULUMI_ERROR_OUTPUT_STRING"] = "true"

LONGEST = "tests/engine/test_real_data.py"
"""It begins first: the other large lab waits for its end."""


@pytest.fixture(autouse=True)
def _no_ambient_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token in the developer's shell must not make a test pass."""
    monkeypatch.delenv("CLOUDFLARE_API_TOKEN", raising=False)
    for name in ("API_KEY", "OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "IDENTITY_TOKEN"):
        monkeypatch.delenv(f"TAILSCALE_{name}", raising=False)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Golden files, compared or renewed."""
    return Golden(renew=bool(request.config.getoption(RENEW)))


@pytest.fixture
def files(tmp_path: Path) -> StackFiles:
    """Copies of the project's real stack files."""
    return StackFiles.copied_to(tmp_path)


@pytest.fixture
def portal_files(files: StackFiles) -> StackFiles:
    """Copies of the real stack files with nothing on them but what the portal, a shared site, takes."""
    return files.keep("cloudflared", "node-exporter", "portal", "site-proxy")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The one option of these tests."""
    parser.addoption(RENEW, action="store_true", help="write the golden files anew instead of comparing")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that start containers, each followed by its share of the others, those on the engine first.

    Files are shared out between processes in this order. Containers keep a machine busy and the others rather wait,
    so two files that start containers seldom run at once, and the long ones are done before the end.
    """
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.nodeid.partition("::")[0], []).append(item)
    engine, docker = (
        {name for name, each in files.items() if any(item.get_closest_marker(kind) for item in each)}
        for kind in ("engine", "docker")
    )
    labs = sorted(docker, key=lambda name: (name != LONGEST, name))
    others = sorted(files.keys() - docker, key=lambda name: (name not in engine, name))
    share = math.ceil(len(others) / max(len(labs), 1))
    order = [name for at, lab in enumerate(labs) for name in (lab, *others[at * share : (at + 1) * share])] or others
    items[:] = [item for name in order for item in files[name]]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Where every test must be able to run, says which could not."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped and os.environ.get(NO_SKIPS):
        terminalreporter.write_line(f"{len(skipped)} skipped, which {NO_SKIPS} forbids", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where every test must be able to run, a skipped one fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and reporter.stats.get("skipped") and os.environ.get(NO_SKIPS):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
