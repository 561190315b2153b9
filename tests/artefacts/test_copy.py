"""The wiki's `data: copy` on two real databases: whole or not at all, and never over what people wrote there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from components.machine import StepError
from tests.artefacts import ring_world
from tests.artefacts.ring_world import PRIMARY, SAVE, STANDBY, Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BOUND = (
    "CREATE TABLE books (id INT PRIMARY KEY, name VARCHAR(9));"
    "CREATE TABLE chapters (id INT PRIMARY KEY, book INT, CONSTRAINT of_book FOREIGN KEY (book) REFERENCES books (id));"
    "INSERT INTO books VALUES (1, 'first'); INSERT INTO chapters VALUES (1, 1)"
)
LOGIN = (
    "UPDATE views SET views = views + 1; INSERT INTO users VALUES (7);"
    "INSERT INTO activities (type) VALUES ('auth_login')"
)


@pytest.fixture
def fleet(empty: Path) -> Iterator[tuple[Server, Server]]:
    """Both hosts as a new fleet has them: the foundation's wiki made tables that nobody used, and got a copy."""
    monk, kscloud1 = (Server(host=host, folder=empty.parent / host, data="copy") for host in (PRIMARY, STANDBY))
    try:
        kscloud1.first_start(empty)
        assert kscloud1.step(monk) == "ready for monk, which does not answer yet"
        kscloud1.migrate()
        monk.first_start(empty)
        assert monk.step(kscloud1) == "may be copied by kscloud1"
        assert kscloud1.step(monk) == "ready for monk, which has no wiki yet"
        monk.migrate()
        monk.execute_sql(f"{BOUND}; CREATE TABLE users (id INT PRIMARY KEY)")
        monk.use()
        assert kscloud1.step(monk) == "copied from monk"
        yield monk, kscloud1
    finally:
        monk.stop()
        kscloud1.stop()


def save(server: Server, number: int) -> None:
    server.execute_sql(f"SET @number = {number}; {SAVE}")


def copied(kscloud1: Server, monk: Server) -> tuple[int, str]:
    done = kscloud1.copy(monk, "once")
    return done.code, done.err.strip().rpartition("\n")[2]


def figure(server: Server, name: str) -> float:
    lines = (server.folder / "copy.prom").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"wiki_copy_{name} "))


def test_copy_has_what_the_primary_wrote_and_its_tables_hang_together(fleet: tuple[Server, Server]) -> None:
    monk, kscloud1 = fleet
    for number in (1, 2):
        save(monk, number)
        assert copied(kscloud1, monk) == (0, "copied from monk")
        assert kscloud1.checksums() == monk.checksums()
    assert "1452" in kscloud1.try_sql("INSERT INTO chapters VALUES (2, 99)").err
    kscloud1.execute_sql("DELETE FROM books WHERE id = 99")
    assert figure(kscloud1, "success_timestamp_seconds") > 0
    assert (figure(kscloud1, "stopped"), figure(kscloud1, "interval_seconds")) == (0, 900)
    assert "kitestacks_new" not in kscloud1.execute_sql("SHOW DATABASES")


def test_what_people_wrote_on_the_copy_is_never_overwritten(fleet: tuple[Server, Server]) -> None:
    monk, kscloud1 = fleet
    save(monk, 1)
    save(kscloud1, 2)

    assert copied(kscloud1, monk) == (3, "people wrote on this host's copy of the wiki, which a copy would overwrite")
    assert kscloud1.numbers() == {2}
    assert figure(kscloud1, "stopped") == 1
    with pytest.raises(StepError, match=r"people wrote on this host's copy .*: the runbook says how to carry it over"):
        kscloud1.step(monk)

    assert kscloud1.copy(monk, "anyway").code == 0
    assert kscloud1.numbers() == {1}
    assert kscloud1.execute_sql("SELECT number FROM kitestacks_written.pages") == "2", "kept until somebody drops it"
    assert copied(kscloud1, monk)[0] == 0
    assert figure(kscloud1, "stopped") == 0
    assert kscloud1.execute_sql("SELECT number FROM kitestacks_written.pages") == "2"


def test_an_edit_of_what_was_copied_counts_and_a_reader_does_not(fleet: tuple[Server, Server]) -> None:
    monk, kscloud1 = fleet
    save(monk, 1)
    assert copied(kscloud1, monk)[0] == 0
    kscloud1.execute_sql(LOGIN)
    assert copied(kscloud1, monk)[0] == 0

    kscloud1.execute_sql("UPDATE pages SET text = 'y'")
    assert copied(kscloud1, monk)[0] == 3
    kscloud1.execute_sql("UPDATE pages SET text = 'saved'; INSERT INTO activities (type) VALUES ('page_delete')")
    assert copied(kscloud1, monk)[0] == 3


def test_broken_copy_never_replaces_a_good_one(fleet: tuple[Server, Server]) -> None:
    monk, kscloud1 = fleet
    save(monk, 1)
    assert copied(kscloud1, monk)[0] == 0
    before, made = kscloud1.checksums(), figure(kscloud1, "success_timestamp_seconds")
    save(monk, 2)
    dump = monk.folder.parent / "scripts" / "mariadb-dump"
    whole = dump.read_text()
    line = whole.replace("exec ", "").rstrip()
    dump.write_text(f"{line} | head -n 60\nexit 2\n")
    try:
        assert copied(kscloud1, monk)[0] == 2
        dump.write_text(f"{line} | sed '/CREATE TABLE .pages/,$d'\n")
        assert copied(kscloud1, monk) == (1, "the dump of monk is not whole")
    finally:
        dump.write_text(whole)
    assert kscloud1.checksums() == before
    assert figure(kscloud1, "success_timestamp_seconds") == made
    monk.stop()
    with pytest.raises(StepError, match="monk does not answer, so nobody knows what it has migrated"):
        kscloud1.step(monk)
    assert kscloud1.checksums() == before


def test_copier_that_died_between_two_statements_goes_on(fleet: tuple[Server, Server]) -> None:
    """The new copy is noted before it is put in place: died after either, what is there is known for a copy."""
    monk, kscloud1 = fleet
    save(monk, 1)
    kscloud1.execute_sql("CREATE DATABASE kitestacks_new; CREATE TABLE kitestacks_new.half (id INT)")
    kscloud1.execute_sql(
        "INSERT INTO kitestacks_copy.made (fingerprint) VALUES ('of a copy that was not put in place')"
    )

    assert copied(kscloud1, monk) == (0, "copied from monk")
    assert kscloud1.numbers() == {1}
    assert kscloud1.execute_sql("SELECT COUNT(*) FROM kitestacks_copy.made") == "1"


def test_wiki_in_use_that_is_no_copy_is_left_alone(fleet: tuple[Server, Server]) -> None:
    monk, kscloud1 = fleet
    kscloud1.execute_sql("DELETE FROM kitestacks_copy.made")

    assert copied(kscloud1, monk) == (3, "this host has a wiki in use, which is no copy of that on monk")


def test_copier_may_touch_its_own_databases_and_nothing_else(fleet: tuple[Server, Server]) -> None:
    _, kscloud1 = fleet
    may = kscloud1.execute_sql("SHOW GRANTS FOR copier@'%'")
    assert "ON *.*" not in may.replace("GRANT USAGE ON *.*", "")
    assert not [line for line in kscloud1.executed if ring_world.FOLLOWER in line.partition("\n")[0]]
