"""What tests of two databases begin with: copies of the login's, and the two sides of the wiki's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.artefacts import ring_world
from tests.artefacts.copies import ROWS, Copy, make_role, pair, state, wait
from tests.artefacts.ring_world import PRIMARY, STANDBY, Server

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


@pytest.fixture(scope="module")
def empty() -> Iterator[Path]:
    """A folder of MariaDB's as its image makes it, to be copied."""
    with ring_world.template() as folder:
        yield folder


@pytest.fixture
def monk(empty: Path) -> Iterator[Server]:
    """The primary's side, not started."""
    server = Server(host=PRIMARY, folder=empty.parent / PRIMARY)
    yield server
    server.stop()


@pytest.fixture
def kscloud1(empty: Path) -> Iterator[Server]:
    """The other side, not started."""
    server = Server(host=STANDBY, folder=empty.parent / STANDBY)
    yield server
    server.stop()


@pytest.fixture
def fleet(empty: Path, monk: Server, kscloud1: Server) -> tuple[Server, Server]:
    """Both with one wiki that somebody uses."""
    ring_world.join(empty, monk, kscloud1)
    return monk, kscloud1
