"""The wiki's ring on two real databases: a host dies, another one is new, two wikis meet, two writers collide."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from components.machine import StepError
from tests.artefacts.ring_world import FOLLOWER, PRIMARY, STANDBY, Server, Writer, same, until

if TYPE_CHECKING:
    from pathlib import Path


def test_the_primary_is_killed_and_comes_back_and_nothing_that_was_saved_is_missing(
    fleet: tuple[Server, Server],
) -> None:
    monk, kscloud1 = fleet
    writer = Writer((monk, kscloud1))
    writer.start()
    writer.wait_for(20, PRIMARY)
    monk.kill()
    writer.wait_for(20, STANDBY)
    monk.start()
    writer.wait_for(20, PRIMARY)
    saved = writer.finish()

    same(monk, kscloud1)
    assert set(saved) <= monk.numbers() == kscloud1.numbers()
    assert monk.step(kscloud1) == "in step with kscloud1"
    assert kscloud1.step(monk) == "in step with monk"


def test_a_step_that_runs_again_changes_nothing_and_tells_no_password(fleet: tuple[Server, Server]) -> None:
    monk, kscloud1 = fleet
    first = monk.executed.copy()
    assert monk.changes()
    assert monk.step(kscloud1) == "in step with kscloud1"
    assert monk.changes() == []
    assert not [each for each in first if FOLLOWER in each.partition("\n")[0]], "a password in an argument"


def test_the_second_wiki_waits_for_what_the_first_one_migrated(fleet: tuple[Server, Server]) -> None:
    monk, kscloud1 = fleet
    monk.execute_sql("STOP SLAVE")
    kscloud1.execute_sql("INSERT INTO migrations (migration) VALUES ('second')")

    assert monk.step(kscloud1) == "in step with kscloud1"
    assert "second" in monk.execute_sql("SELECT migration FROM migrations")
    kscloud1.stop()
    with pytest.raises(StepError, match="kscloud1 does not answer, so nobody knows what it has written or migrated"):
        monk.step(kscloud1)


def test_two_writers_on_one_row_stop_loudly_until_one_side_is_given_up(
    fleet: tuple[Server, Server], empty: Path
) -> None:
    monk, kscloud1 = fleet
    for server in fleet:
        server.execute_sql("STOP SLAVE")
    for server in fleet:
        server.execute_sql("INSERT INTO pages (number, text) VALUES (7, @@server_id)")
    for server in fleet:
        server.execute_sql("START SLAVE")
    until(lambda: monk.following()["Last_SQL_Errno"] == kscloud1.following()["Last_SQL_Errno"] == "1062")

    with pytest.raises(
        StepError, match=r"replication from kscloud1 is stopped, see the runbook: .*Duplicate entry '7'"
    ):
        monk.step(kscloud1)
    assert monk.execute_sql("SELECT text = @@server_id FROM pages") == "1", "a step decided whose page is lost"

    assert monk.figures()["mariadb_replication_stopped"] == 1

    kscloud1.stop()
    kscloud1.first_start(empty)
    monk.execute_sql("STOP SLAVE; START SLAVE")
    assert monk.figures()["mariadb_replication_stopped"] == 0, "it waits for the other side"
    assert monk.figures()["mariadb_replication_connected"] == 0
    assert kscloud1.step(monk) == "filled from monk"
    kscloud1.execute_sql("INSERT INTO pages (number) VALUES (8)")
    same(monk, kscloud1)
    assert monk.numbers() == {7, 8}
    well = {
        f"mariadb_replication_{name}": value for name, value in (("stopped", 0), ("connected", 1), ("lag_seconds", 0))
    }
    assert monk.figures() == kscloud1.figures() == well


def test_a_burned_primary_is_filled_from_the_other_side_which_goes_on(
    fleet: tuple[Server, Server], empty: Path
) -> None:
    monk, kscloud1 = fleet
    monk.stop()
    kscloud1.execute_sql("INSERT INTO pages (number) VALUES (1), (2)")
    monk.first_start(empty)

    assert monk.step(kscloud1) == "filled from kscloud1"
    assert monk.numbers() == {1, 2}
    monk.execute_sql("INSERT INTO pages (number) VALUES (3)")
    kscloud1.execute_sql("INSERT INTO pages (number) VALUES (4)")
    same(monk, kscloud1)
    assert kscloud1.numbers() == {1, 2, 3, 4}


def test_a_wiki_that_is_there_already_fills_the_other_side(empty: Path, monk: Server, kscloud1: Server) -> None:
    old = replace(monk, logged=False).first_start(empty)
    old.migrate()
    old.use()
    old.stop()
    kscloud1.first_start(empty)
    kscloud1.step(monk)
    kscloud1.migrate()
    monk.start()

    assert monk.step(kscloud1) == "joined with kscloud1"
    until(lambda: kscloud1.following()["Last_IO_Errno"] == "1236", kscloud1.following)
    assert kscloud1.step(monk) == "filled from monk"
    assert "by hand on monk" in kscloud1.execute_sql("SELECT type FROM activities")
    kscloud1.use()
    monk.use()
    same(monk, kscloud1)


def test_two_wikis_that_never_met_are_refused_and_both_kept(empty: Path, monk: Server, kscloud1: Server) -> None:
    kscloud1.first_start(empty)
    kscloud1.step(monk)
    monk.first_start(empty)
    for server in (monk, kscloud1):
        server.migrate()
        server.use()

    with pytest.raises(StepError, match="both have a wiki that people use, and they never met"):
        monk.step(kscloud1)
    assert monk.changes() == []
    assert monk.execute_sql("SHOW SLAVE STATUS") == ""


def test_a_side_whose_filling_broke_off_is_filled_again(fleet: tuple[Server, Server], empty: Path) -> None:
    monk, kscloud1 = fleet
    kscloud1.stop()
    kscloud1.first_start(empty)
    kscloud1.migrate()
    kscloud1.use()
    kscloud1.execute_sql("CREATE DATABASE kitestacks_filling")

    assert kscloud1.step(monk) == "filled from monk"
    assert "kitestacks_filling" not in kscloud1.execute_sql("SHOW DATABASES")
    same(monk, kscloud1)
