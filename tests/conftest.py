"""What all tests share: stack files that a test may break, and Pulumi's own strictness about outputs in strings."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.stack_files import StackFiles

if TYPE_CHECKING:
    from pathlib import Path

os.environ["PULUMI_ERROR_OUTPUT_STRING"] = "true"


@pytest.fixture(autouse=True)
def _no_ambient_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token in the developer's shell must not make a test pass."""
    monkeypatch.delenv("CLOUDFLARE_API_TOKEN", raising=False)


@pytest.fixture
def files(tmp_path: Path) -> StackFiles:
    """Copies of the project's real stack files."""
    return StackFiles.copied_to(tmp_path)
