"""One host to be saved for all tests of this folder: its databases take seconds to start."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.backup import world as worlds

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="package")
def running() -> Iterator[worlds.World]:
    with tempfile.TemporaryDirectory(prefix="kitestacks-backup-") as home, worlds.world(Path(home)) as made:
        made.ask("ledger", "CREATE TABLE rows (id int PRIMARY KEY, words text)")
        made.ask("wiki", "CREATE TABLE pages (id int PRIMARY KEY, words text)")
        made.books("PRAGMA journal_mode=WAL")
        made.books("CREATE TABLE books (id integer PRIMARY KEY, words text)")
        yield made


@pytest.fixture
def world(running: worlds.World) -> worlds.World:
    """The host with known contents."""
    running.ask("ledger", "TRUNCATE rows")
    running.ask("wiki", "DELETE FROM pages")
    running.books("DELETE FROM books")
    for folder in ("papers", "wiki"):
        for file in (running.data / folder).iterdir():
            file.unlink()
    (running.data / "papers" / "first").write_text("first")
    (running.data / "wiki" / "upload").write_text("upload")
    return running
