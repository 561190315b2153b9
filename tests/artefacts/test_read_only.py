"""The wiki's `data: read-only` on two real databases: one is written, one follows, and a setting swaps the two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from components.machine import StepError
from tests.artefacts import ring_world
from tests.artefacts.ring_world import PRIMARY, STANDBY, Server, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def servers(empty: Path) -> Iterator[tuple[Server, Server]]:
    both = [Server(host=host, folder=empty.parent / host, data="read-only") for host in (PRIMARY, STANDBY)]
    yield both[0], both[1]
    for each in both:
        each.stop()


@pytest.fixture
def fleet(servers: tuple[Server, Server], empty: Path) -> tuple[Server, Server]:
    """Both hosts as a new fleet has them, the foundation first: its wiki makes the tables."""
    monk, kscloud1 = servers
    kscloud1.first_start(empty)
    assert kscloud1.step(monk) == "ready for monk, which has no wiki yet"
    kscloud1.migrate()
    monk.first_start(empty)
    assert monk.step(kscloud1) == "is written"
    monk.migrate()
    monk.use()
    followed(monk, kscloud1)
    kscloud1.figures()
    return monk, kscloud1


def followed(writer: Server, reader: Server) -> None:
    until(lambda: writer.checksums() == reader.checksums(), reader.following)
    until(reader.runs, reader.following)
    assert not writer.following(), "one way only"


def saves(server: Server, number: int) -> bool:
    """Whether the wiki, as its own user, can save a page there."""
    insert = f"INSERT INTO pages (number, text) VALUES ({number}, 'x')"  # noqa: S608 - a number of ours
    done = server.try_sql(insert, **server.as_wiki())
    assert done.code == 0 or "ERROR 1290" in done.err, done.err
    return done.code == 0


def named(primary: str, *servers: Server) -> None:
    """Another primary in both stack files; the databases are made anew with what the plan says then."""
    for each in servers:
        each.primary = primary
        each.stop()
        each.start()


def test_what_the_primary_writes_is_read_on_the_other_host_which_takes_no_writes(fleet: tuple[Server, Server]) -> None:
    monk, kscloud1 = fleet
    assert saves(monk, 1)
    followed(monk, kscloud1)
    assert kscloud1.try_sql("SELECT number FROM pages", **kscloud1.as_wiki()).out.split() == ["1"]
    assert not saves(kscloud1, 2)
    assert monk.step(kscloud1) == "is written"
    assert kscloud1.step(monk) == "in step with monk"
    assert kscloud1.figures() == {
        f"mariadb_replication_{name}": value for name, value in (("stopped", 0), ("connected", 1), ("lag_seconds", 0))
    }


def test_another_primary_in_the_files_is_another_writer_without_a_row_lost(fleet: tuple[Server, Server]) -> None:
    monk, kscloud1 = fleet
    named(STANDBY, kscloud1)
    with pytest.raises(StepError, match=r"monk is still written, .* first `pulumi up -s monk`"):
        kscloud1.step(monk)
    assert not saves(kscloud1, 1)
    assert saves(monk, 2)

    named(STANDBY, monk)
    assert not saves(monk, 3), "closed from its first moment on"
    assert monk.step(kscloud1) == "follows kscloud1"
    assert kscloud1.step(monk) == "is written"
    assert saves(kscloud1, 4)
    followed(kscloud1, monk)
    assert not saves(monk, 5)
    assert monk.numbers() == {2, 4}

    named(PRIMARY, kscloud1, monk)
    assert kscloud1.step(monk) == "follows monk"
    assert monk.step(kscloud1) == "is written"
    assert saves(monk, 6)
    followed(monk, kscloud1)


def test_follower_of_a_dead_writer_is_opened_only_if_the_owner_insists(fleet: tuple[Server, Server]) -> None:
    monk, kscloud1 = fleet
    assert saves(monk, 1)
    followed(monk, kscloud1)
    monk.kill()
    named(STANDBY, kscloud1)

    with pytest.raises(StepError, match=r"monk does not answer, .* KITESTACKS_FORCE=services.bookstack.site.primary"):
        kscloud1.step(monk)
    assert not saves(kscloud1, 2)
    assert kscloud1.step(monk, insisted=True) == "is written, ready for monk, which does not answer"
    assert saves(kscloud1, 3)

    monk.start()
    assert monk.figures(kscloud1)["mariadb_replication_fenced"] == 1
    assert not saves(monk, 4), "two would be written"
    with pytest.raises(StepError, match=r"kscloud1 is still written"):
        monk.step(kscloud1)
    named(STANDBY, monk)
    assert monk.step(kscloud1) == "follows kscloud1"
    followed(kscloud1, monk)
    assert monk.numbers() == {1, 3}


def test_old_writer_with_changes_that_never_arrived_is_not_overwritten(
    fleet: tuple[Server, Server], empty: Path
) -> None:
    monk, kscloud1 = fleet
    kscloud1.execute_sql("STOP SLAVE")
    assert saves(monk, 1)
    assert saves(monk, 2)
    monk.kill()
    named(STANDBY, kscloud1)
    assert "is written" in kscloud1.step(monk, insisted=True)
    assert saves(kscloud1, 3)
    named(STANDBY, monk)

    with pytest.raises(StepError, match=r"kscloud1 went on without the last 2 changes of this host: move"):
        monk.step(kscloud1)
    assert monk.numbers() == {1, 2}

    monk.stop()
    monk.first_start(empty)
    assert monk.step(kscloud1) == "filled from kscloud1"
    followed(kscloud1, monk)
    assert not saves(monk, 4)


def test_follower_that_stopped_is_not_made_the_writer(fleet: tuple[Server, Server]) -> None:
    monk, kscloud1 = fleet
    kscloud1.execute_sql("INSERT INTO pages (number) VALUES (1)")
    assert saves(monk, 1)
    until(lambda: kscloud1.following()["Last_SQL_Errno"] == "1062", kscloud1.following)
    assert kscloud1.figures()["mariadb_replication_stopped"] == 1
    named(STANDBY, monk)
    named(STANDBY, kscloud1)

    with pytest.raises(StepError, match=r"replication from monk is stopped, see the runbook: .*Duplicate entry '1'"):
        kscloud1.step(monk)
    assert not saves(kscloud1, 2)


def test_writer_that_restarts_opens_itself_once_the_other_side_says_that_it_is_closed(
    fleet: tuple[Server, Server],
) -> None:
    monk, kscloud1 = fleet
    monk.kill()
    monk.start()
    assert not saves(monk, 1)
    assert monk.figures(kscloud1) == {"mariadb_replication_fenced": 0}
    assert saves(monk, 2)
    monk.kill()
    kscloud1.stop()
    monk.start()
    assert monk.figures(kscloud1) == {"mariadb_replication_fenced": 0}
    assert not saves(monk, 3), "silence says nothing yet: the private network may only be late"


def test_a_ring_becomes_read_only_and_a_ring_again(servers: tuple[Server, Server], empty: Path) -> None:
    for each in servers:
        each.data = "ring"
    monk, kscloud1 = servers
    ring_world.join(empty, monk, kscloud1)
    for each in servers:
        each.data = "read-only"
        each.stop()
        each.start()
    assert kscloud1.step(monk) == "in step with monk"
    assert monk.step(kscloud1) == "is written"
    assert saves(monk, 1)
    assert not saves(kscloud1, 2)
    followed(monk, kscloud1)

    for each in servers:
        each.data = "ring"
        each.stop()
        each.start()
    assert kscloud1.step(monk) == "in step with monk"
    assert monk.step(kscloud1) == "joined with kscloud1"
    assert saves(kscloud1, 3)
    ring_world.same(monk, kscloud1)
