"""What the login's database leaves for Prometheus, with a real PostgreSQL: following, late, cut off, lost, promoted."""

from __future__ import annotations

import subprocess

import pytest

from tests.artefacts.copies import LIMIT, Copy, wait
from toolchain import promtool

LATE = "pg_replication_lag_bytes"
RETAINED = 'pg_replication_slot_retained_bytes{slot_name="monk"}'
RESERVED = 'pg_replication_slot_wal_status{slot_name="monk",wal_status="reserved"}'
LOST = 'pg_replication_slot_wal_status{slot_name="monk",wal_status="lost"}'
SAFE = 'pg_replication_slot_safe_wal_size_bytes{slot_name="monk"}'


def test_figures_of_two_copies_that_are_well(running: tuple[Copy, Copy]) -> None:
    kscloud1, monk = running
    wait(lambda: monk.figures("kscloud1").get(LATE) == 0, "monk to have everything")

    follows, writes = monk.figures("kscloud1"), kscloud1.figures("kscloud1")

    assert set(follows) == {
        "pg_replication_is_replica",
        "pg_replication_streaming",
        LATE,
        "pg_replication_last_replay_seconds",
    }
    assert (follows["pg_replication_is_replica"], follows["pg_replication_streaming"]) == (1, 1)
    assert set(writes) == {"pg_replication_is_replica", "pg_replication_followers", RESERVED, RETAINED, SAFE}
    assert (writes["pg_replication_is_replica"], writes["pg_replication_followers"], writes[RESERVED]) == (0, 1, 1)
    assert 0 <= writes[RETAINED] < 2**24 < writes[SAFE] <= 2**32 + 2**25, "4 GB, in whole files of 16 MB"


def test_idle_primary_makes_its_follower_old_and_not_late(running: tuple[Copy, Copy]) -> None:
    _, monk = running

    wait(lambda: monk.figures("kscloud1")["pg_replication_last_replay_seconds"] >= 2, "time to pass without a write")

    assert monk.figures("kscloud1")[LATE] == 0


def test_follower_that_applies_nothing_says_how_many_bytes_it_is_late(running: tuple[Copy, Copy]) -> None:
    kscloud1, monk = running
    monk.sql("SELECT pg_wal_replay_pause()")

    kscloud1.sql("INSERT INTO rows SELECT generate_series(1000, 21000)")

    wait(lambda: monk.figures("kscloud1")[LATE] > 20_000 * 30, "monk to be late")
    monk.sql("SELECT pg_wal_replay_resume()")
    wait(lambda: monk.figures("kscloud1")[LATE] == 0, "monk to catch up")


def test_cut_off_follower_says_so_and_the_writer_says_what_it_keeps_until_that_is_lost(
    running: tuple[Copy, Copy],
) -> None:
    kscloud1, monk = running
    kscloud1.stop()
    kscloud1.options = ("-c", "max_slot_wal_keep_size=64MB", "-c", "wal_keep_size=0")
    kscloud1.up("kscloud1")
    wait(lambda: kscloud1.figures("kscloud1")["pg_replication_followers"] == 1, "monk to be there again")
    kept = kscloud1.figures("kscloud1")[RETAINED]
    kscloud1.sql("ALTER ROLE replicator NOLOGIN")
    kscloud1.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
    wait(lambda: monk.figures("kscloud1")["pg_replication_streaming"] == 0, "monk to be cut off")
    kscloud1.sql("INSERT INTO rows SELECT generate_series(1000, 21000)")

    cut, writes = monk.figures("kscloud1"), kscloud1.figures("kscloud1")

    assert cut["pg_replication_is_replica"] == 1
    assert LATE not in cut, "it can't know how much it lacks"
    assert writes["pg_replication_followers"] == 0
    assert writes[RETAINED] > kept + 20_000 * 30
    wait(lambda: LOST in _written_on(kscloud1), "what is kept for monk to be given up")
    assert not {RESERVED, RETAINED, SAFE} & set(kscloud1.figures("kscloud1"))


def _written_on(copy: Copy) -> dict[str, float]:
    """A copy's figures after a file of log more."""
    copy.sql("INSERT INTO rows SELECT max(number) + 1 FROM rows")
    copy.sql("SELECT pg_switch_wal()")
    copy.sql("CHECKPOINT")
    return copy.figures(copy.host)


def test_promoted_copy_is_no_replica_and_has_no_followers(running: tuple[Copy, Copy]) -> None:
    kscloud1, monk = running
    kscloud1.kill()
    wait(lambda: monk.figures("kscloud1")["pg_replication_streaming"] == 0, "monk to notice")
    monk.stop()

    monk.up("monk")

    assert monk.figures("monk") == {"pg_replication_is_replica": 0, "pg_replication_followers": 0}


def test_database_that_does_not_answer_leaves_the_old_figures_to_grow_old(running: tuple[Copy, Copy]) -> None:
    _, monk = running
    monk.figures("kscloud1")
    file = monk.folder / "postgresql.prom"
    before = (file.read_text(), file.stat().st_mtime_ns)
    monk.stop()

    assert monk.check("kscloud1").returncode == 1

    assert (file.read_text(), file.stat().st_mtime_ns) == before


def test_folder_that_can_not_be_written_makes_nobody_sick(running: tuple[Copy, Copy]) -> None:
    _, monk = running

    assert monk.check("kscloud1", "/nowhere").returncode == 0


def test_prometheus_own_linter_finds_no_fault_with_them(running: tuple[Copy, Copy]) -> None:
    program = promtool.find()
    if program is None:
        pytest.skip("no promtool here: python3 -m kitestacks toolchain --promtool")
    for copy in running:
        copy.figures("kscloud1")
        left = (copy.folder / "postgresql.prom").read_text()

        done = subprocess.run(
            [program, "check", "metrics"], input=left, capture_output=True, text=True, timeout=LIMIT, check=False
        )

        assert (done.returncode, done.stdout + done.stderr) == (0, "")
