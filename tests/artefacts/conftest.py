"""Copies of the login's database that what is told of them begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.artefacts.copies import ROWS, Copy, make_role, pair, state, wait

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def copies() -> Iterator[tuple[Copy, Copy]]:
    """Both, with nothing in them, not started."""
    with pair() as both:
        yield both


@pytest.fixture(scope="session")
def made() -> Iterator[tuple[Path, Path]]:
    """What both keep after a first deployment: kscloud1 writes, monk follows; there is a table with rows."""
    with pair() as (kscloud1, monk):
        kscloud1.up("kscloud1")
        assert make_role(kscloud1).endswith("is set")
        kscloud1.sql("CREATE TABLE rows (number integer PRIMARY KEY)")
        kscloud1.sql(f"INSERT INTO rows SELECT generate_series(1, {ROWS})")
        monk.up("kscloud1")
        wait(lambda: state(monk, "kscloud1").behind("kscloud1") == 0, "monk to have everything")
        kscloud1.stop()
        monk.stop()
        yield kscloud1.data, monk.data


@pytest.fixture
def running(copies: tuple[Copy, Copy], made: tuple[Path, Path]) -> tuple[Copy, Copy]:
    """Both, as they go on after that."""
    for copy, data in zip(copies, made, strict=True):
        copy.take(data)
        copy.up("kscloud1")
    return copies
