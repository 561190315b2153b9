"""Every class of service is saved by real programs, brought back and proven; what was written before is found."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.backup.world import World

CANARY = "written-just-before"
CANARY_ROW = f"VALUES (1, '{CANARY}')"


def _write_canaries(world: World) -> None:
    world.ask("ledger", "INSERT INTO rows " + CANARY_ROW)
    world.ask("wiki", "INSERT INTO pages " + CANARY_ROW)
    world.books("INSERT INTO books " + CANARY_ROW)
    (world.data / "papers" / "canary").write_text(CANARY)


def _read_canaries(world: World) -> list[str]:
    return [
        world.ask("ledger", "SELECT words FROM rows WHERE id = 1"),
        world.ask("wiki", "SELECT words FROM pages WHERE id = 1"),
        world.books("SELECT words FROM books WHERE id = 1"),
        (world.data / "papers" / "canary").read_text(),
    ]


def _lose_everything(world: World) -> None:
    world.ask("ledger", "DROP TABLE rows")
    world.ask("wiki", "DROP TABLE pages")
    for file in world.data.joinpath("books").iterdir():
        file.unlink()
    for file in world.data.joinpath("papers").iterdir():
        file.unlink()


def test_every_class_comes_back_with_what_was_written_just_before(world: World) -> None:
    _write_canaries(world)
    started = time.monotonic()
    code, said = world.runner("save")
    saved = time.monotonic()
    assert code == 0, said
    for service in ("ledger", "wiki", "books", "papers"):
        assert f"{service}: saved as " in said
        assert world.notes[service]["bytes"] > 0

    _lose_everything(world)
    code, told = world.runner("restore", "all", "--overwrite")
    assert code == 0, told
    assert _read_canaries(world) == [CANARY] * 4
    sys.stdout.write(f"{said}{told}saved in {saved - started:.1f} s, back in {time.monotonic() - saved:.1f} s\n")


def test_sqlite_file_comes_back_with_its_owner_and_without_its_old_journal(world: World) -> None:
    world.books("INSERT INTO books " + CANARY_ROW)
    live = world.data / "books" / "books.db"
    live.chmod(0o640)
    assert world.runner("save", "books")[0] == 0
    live.with_name("books.db-wal").write_bytes(b"of another database")

    assert world.runner("restore", "books", "--overwrite")[0] == 0
    assert not live.with_name("books.db-wal").exists()
    assert (live.stat().st_mode & 0o777, live.stat().st_uid) == (0o640, os.getuid())
    assert world.books("SELECT words FROM books WHERE id = 1") == CANARY


def test_dry_run_lists_what_would_change_and_changes_nothing(world: World) -> None:
    assert world.runner("save", "wiki")[0] == 0
    (world.data / "wiki" / "later").write_text("later")
    (world.data / "wiki" / "upload").unlink()

    code, said = world.runner("restore", "wiki", "--dry-run")
    assert code == 0, said
    assert "1 files come back, 0 change, 1 go" in said
    assert "goes: later" in said
    assert "database of wiki: is the same" in said
    assert "nothing was changed" in said

    world.ask("wiki", "INSERT INTO pages VALUES (7, 'later')")
    code, said = world.runner("restore", "wiki", "--dry-run")
    assert "database of wiki: differs, and is replaced" in said
    assert world.ask("wiki", "SELECT words FROM pages WHERE id = 7") == "later"
    assert (world.data / "wiki" / "later").exists()


@pytest.mark.parametrize("service", ["ledger", "books", "papers"])
def test_newer_data_is_not_overwritten_without_the_word(world: World, service: str) -> None:
    assert world.runner("save", service)[0] == 0
    world.ask("ledger", "INSERT INTO rows VALUES (8, 'later')")
    world.books("INSERT INTO books VALUES (8, 'later')")
    (world.data / "papers" / "later").write_text("later")

    code, said = world.runner("restore", service)

    assert code == 1
    assert f"failed: {service} holds what the backup does not" in said
    assert world.ask("ledger", "SELECT words FROM rows WHERE id = 8") == "later"
    assert world.books("SELECT words FROM books WHERE id = 8") == "later"
    assert (world.data / "papers" / "later").exists()


def test_what_was_there_before_is_kept_aside(world: World) -> None:
    assert world.runner("save", "wiki")[0] == 0
    world.ask("wiki", "INSERT INTO pages VALUES (9, 'only-here')")
    (world.data / "wiki" / "later").write_text("only-here")

    code, said = world.runner("restore", "wiki", "--overwrite")

    assert code == 0, said
    before = said.strip().rpartition(" ")[2]
    assert (world.data / before / "wiki" / "later").read_text() == "only-here"
    assert "only-here" in (world.data / before / "wiki.sql").read_text()
    assert not (world.data / "wiki" / "later").exists()


def test_folder_that_the_backup_does_not_know_stays(world: World) -> None:
    assert world.runner("save", "papers")[0] == 0
    (world.data / "papers" / "first").unlink()
    (world.data / "newer").mkdir(exist_ok=True)
    (world.data / "newer" / "kept").write_text("kept")
    services = json.loads((world.home / "plan.json").read_text())["services"]
    services["papers"]["folders"].append("newer")

    with world.edit_plan(services=services):
        code, said = world.runner("restore", "papers")

    assert code == 0, said
    assert "newer: not in this backup, and stays as it is" in said
    assert (world.data / "papers" / "first").exists()
    assert (world.data / "newer" / "kept").read_text() == "kept"


def test_recovery_password_opens_what_the_machines_own_made(world: World) -> None:
    assert world.runner("save", "papers")[0] == 0
    (world.data / "papers" / "first").unlink()
    where = f"rest:http://127.0.0.1:{world.port}/monk/"

    code, said = world.runner("restore", "papers", "--of", "monk", "--repository", where, stdin="opens-it-too\n")

    assert code == 0, said
    assert (world.data / "papers" / "first").read_text() == "first"
