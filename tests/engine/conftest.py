"""Labs, opened once for many tests since each costs seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engine.lab import Lab, missing_docker, missing_engine

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A rehearsal with simulated containers; skips with the reason and the command that helps."""
    if reason := missing_engine():
        pytest.skip(reason)
    opened = Lab.open(tmp_path_factory.mktemp("lab"), simulated=True)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def docker_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A rehearsal with real containers; skips with the reason and the command that helps."""
    if reason := missing_docker():
        pytest.skip(reason)
    opened = Lab.open(tmp_path_factory.mktemp("docker-lab"), simulated=False)
    yield opened
    opened.close()
