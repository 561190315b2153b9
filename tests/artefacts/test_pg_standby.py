"""Authentik's database on two hosts, with a real PostgreSQL: a host dies, a copy is promoted, and no two ever write."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Self

import pytest

from components.backup_runner import canary
from components.backup_runner.plan import BackupError, Database
from tests.artefacts.copies import ROWS, Copy, make_role, state, wait

if TYPE_CHECKING:
    from pathlib import Path


class Writer:
    """Inserts numbered rows one after the other, as long as the copy that writes answers; keeps what was confirmed."""

    def __init__(self, copy: Copy) -> None:
        self.confirmed: list[int] = []
        self._copy = copy
        self._thread = threading.Thread(target=self._write)
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _write(self) -> None:
        first = int(self._copy.sql("SELECT coalesce(max(number), 0) FROM rows")) + 1
        command = ["psql", "-XAtqw", "-U", "authentik", "-d", "authentik"]
        with subprocess.Popen(
            command,
            env=self._copy.variables(self._copy.host),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            number = first
            with contextlib.suppress(BrokenPipeError):
                while not self._ended.is_set():
                    client.stdin.write(f"INSERT INTO rows VALUES ({number}) RETURNING number;\n")  # noqa: S608
                    client.stdin.flush()
                    if client.stdout.readline().strip() != str(number):
                        return
                    self.confirmed.append(number)
                    number += 1
                client.stdin.close()


def _rows(copy: Copy) -> list[int]:
    return [int(line) for line in copy.sql("SELECT number FROM rows ORDER BY number").splitlines()]


def _hold_back(copy: Copy) -> None:
    """Nothing that is written from now on reaches the follower."""
    os.kill(int(copy.sql("SELECT pid FROM pg_stat_replication")), signal.SIGSTOP)


def test_killed_primary_promotion_refused_return_rejoin_and_a_switch_back_without_a_row_lost(
    running: tuple[Copy, Copy],
) -> None:
    kscloud1, monk = running

    with Writer(kscloud1) as before:
        wait(lambda: len(before.confirmed) >= ROWS, "rows to be written")
        _hold_back(kscloud1)
        held_back = len(before.confirmed)
        wait(lambda: len(before.confirmed) >= held_back + ROWS, "rows to be written")
        kscloud1.kill()
    shipped = _rows(monk)
    monk.stop()

    monk.up("monk")

    kept = _rows(monk)
    lost = [number for number in before.confirmed if number not in kept]
    sys.stdout.write(f"killed with {len(before.confirmed)} rows confirmed: {len(lost)} not shipped, and lost\n")
    assert set(lost) <= set(before.confirmed) - set(shipped), "promotion lost a row that was there"
    assert len(lost) >= ROWS, "rows that were held back came across: the test proves nothing"
    assert kept == list(range(1, len(kept) + 1))
    assert state(monk, "monk").role == "primary"
    monk.sql("INSERT INTO rows VALUES (1000000)")

    said = kscloud1.refused("kscloud1")
    assert "kscloud1: refused: monk answers as primary, on timeline 2 (here 1); two must not write" in said
    assert "python3 -m kitestacks database rejoin -s kscloud1" in said
    said = kscloud1.refused("monk")
    assert "refused: this copy was a primary itself, and wrote what monk never got" in said

    kscloud1.set_aside()
    assert "docker.before lies beside it" in kscloud1.refused("kscloud1"), "it would have begun an empty database"
    kscloud1.up("monk")
    wait(lambda: state(kscloud1, "monk").behind("monk") == 0, "kscloud1 to have everything")
    assert _rows(kscloud1) == [*kept, 1000000]

    with Writer(monk) as planned:
        wait(lambda: len(planned.confirmed) >= ROWS, "rows to be written")
        assert "refused: monk still writes: stop it first" in kscloud1.verb("promote", "kscloud1", "0").stderr
        place = str(state(kscloud1, "monk").peers["monk"].place)
        monk.stop()
    promoted = kscloud1.verb("promote", "kscloud1", place)
    assert promoted.returncode == 0, promoted.stderr
    assert set(planned.confirmed) <= set(_rows(kscloud1)), "a planned switch lost a row"
    sys.stdout.write(f"switched back with {len(planned.confirmed)} rows confirmed: none lost\n")

    assert "two must not write" in monk.refused("monk"), "it came back before its settings said otherwise"
    kscloud1.stop()
    kscloud1.up("kscloud1")
    monk.up("kscloud1")
    assert "kscloud1 has all that this copy wrote: following it" in monk.log
    kscloud1.sql("INSERT INTO rows VALUES (2000000)")
    wait(lambda: _rows(monk) == _rows(kscloud1), "monk to have the last row")
    now = state(kscloud1, "kscloud1")
    assert (now.role, now.timeline, now.slots) == ("primary", 3, {"monk": "reserved"})


def test_empty_standby_without_a_primary_makes_no_database_of_its_own(copies: tuple[Copy, Copy]) -> None:
    _, monk = copies

    said = monk.refused("kscloud1")

    assert "refused: the data folder is empty, and kscloud1 does not answer" in said
    assert not monk.data.exists()


def test_copy_that_could_not_be_ended_leaves_nothing_that_could_be_taken_for_one(running: tuple[Copy, Copy]) -> None:
    kscloud1, monk = running
    monk.stop()
    monk.set_aside()
    half = monk.data.with_name("docker.new")
    half.mkdir()
    (half / "PG_VERSION").write_text("15\n")
    kscloud1.sql("ALTER ROLE replicator PASSWORD 'another'")

    assert "and kscloud1 does not know this replication password" in monk.refused("kscloud1")
    assert not monk.data.exists()


def test_standby_is_not_promoted_while_the_primary_writes(running: tuple[Copy, Copy]) -> None:
    _, monk = running
    monk.stop()

    said = monk.refused("monk")

    assert "refused: kscloud1 answers as primary, on timeline 1 (here 1); for a planned switch: " in said
    assert (monk.data / "standby.signal").exists()
    monk.up("kscloud1")


def test_fence_is_lifted_only_by_a_setting_said_out_loud(running: tuple[Copy, Copy]) -> None:
    kscloud1, monk = running
    kscloud1.kill()
    monk.stop()
    monk.up("monk")
    assert "two must not write" in kscloud1.refused("kscloud1")

    kscloud1.fenced = False
    kscloud1.up("kscloud1")

    assert "it would be refused, and is not because of fenced: false: monk answers as primary" in kscloud1.log


def test_promotion_that_lacks_something_is_refused_in_a_planned_switch(running: tuple[Copy, Copy]) -> None:
    kscloud1, monk = running
    place = state(monk, "kscloud1").peers["kscloud1"].place
    kscloud1.kill()

    refused = monk.verb("promote", "monk", str(place))

    assert refused.returncode == 1
    assert "refused: this copy has not got all that the old primary wrote" in refused.stderr
    assert state(monk, "kscloud1").role == "standby"


def test_replication_role_may_replicate_from_outside_and_nothing_else(running: tuple[Copy, Copy]) -> None:
    kscloud1, _ = running
    password = (kscloud1.folder / "given" / "replication-password").read_text()
    way = f"host=127.0.0.1 port={kscloud1.port} user=replicator password={password}"

    def answer(more: str, statement: str) -> subprocess.CompletedProcess[str]:
        command = ["psql", "-XAtqw", "-d", f"{way} {more}", "-c", statement]
        return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"})

    assert answer("dbname=replication replication=true", "IDENTIFY_SYSTEM").returncode == 0
    assert "rejects connection" in answer("dbname=authentik", "SELECT 1").stderr
    assert (
        kscloud1.sql("SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = 'replicator'")
        == "f|f|f"
    )
    assert make_role(kscloud1).endswith("is as it should be")


def test_no_password_stands_where_others_can_read_it(running: tuple[Copy, Copy]) -> None:
    _, monk = running
    password = (monk.folder / "given" / "replication-password").read_text()

    assert monk.server is not None
    listed = subprocess.run(["ps", "-o", "args=", "-e"], capture_output=True, text=True, check=True).stdout
    assert password not in listed
    assert password not in (monk.data / "postgresql.auto.conf").read_text()
    assert password not in monk.log
    assert (monk.folder / ".pgpass").stat().st_mode & 0o077 == 0


def test_standby_that_lost_its_way_is_not_healthy(running: tuple[Copy, Copy]) -> None:
    kscloud1, monk = running
    assert monk.verb("healthy", "kscloud1").returncode == 0

    kscloud1.sql("ALTER ROLE replicator NOLOGIN")
    kscloud1.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
    wait(lambda: kscloud1.sql("SELECT active FROM pg_replication_slots") == "f", "monk to be cut off")
    kscloud1.sql("SELECT pg_drop_replication_slot('monk')")
    kscloud1.sql("ALTER ROLE replicator LOGIN")
    wait(lambda: monk.verb("healthy", "kscloud1").returncode == 1, "monk to be unhealthy")

    assert "it does not follow kscloud1, which writes" in monk.verb("healthy", "kscloud1").stderr
    kscloud1.stop()
    assert monk.verb("healthy", "kscloud1").returncode == 0, "there is nobody to follow"


def test_backup_of_a_copy_that_follows_finds_the_writers_word(
    running: tuple[Copy, Copy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can't be written: the word of its backup is the one that the writer's backup left."""
    kscloud1, monk = running
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\nname=$3; shift 3; exec env -i $(cat "$(dirname "$0")/$name.env") "$@"\n')
    docker.chmod(0o755)
    for copy in running:
        found = {
            name: value for name, value in copy.variables("kscloud1").items() if name in ("PATH", "PGHOST", "PGPORT")
        }
        (tmp_path / f"{copy.host}.env").write_text("\n".join(f"{name}={value}" for name, value in found.items()))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    writes, follows = (Database(engine="postgres", container=copy.host, database="authentik") for copy in running)

    row = canary.put_row(follows, "monk", canary.new())
    assert row == ("", "")
    with pytest.raises(BackupError, match="save the host that writes, then this one"):
        canary.find_row(follows, "authentik", row)

    word = canary.new()
    assert canary.put_row(writes, "kscloud1", word) == ("kscloud1", word)
    wait(lambda: state(monk, "kscloud1").behind("kscloud1") == 0, "monk to have the word")
    row = canary.put_row(follows, "monk", canary.new())
    assert row == ("kscloud1", word)
    canary.find_row(follows, "authentik", row)
    assert state(monk, "kscloud1").tables == state(kscloud1, "kscloud1").tables == 1, "the mark counts as the login's"
