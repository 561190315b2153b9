"""What goes wrong is noticed and named, and nothing is called saved that is not."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.backup.world import rest_server, small_disk
from tests.ports import free_port
from toolchain import restic

if TYPE_CHECKING:
    from tests.backup.world import World

CUT_SHORT = {
    "ledger": ("pg_dump", "echo 'CREATE TABLE rows ('"),
    "wiki": ("sh", "case $* in *mariadb-dump*) echo '-- MariaDB dump'; echo 'INSERT INTO' ;; esac"),
}
FAILING = {
    "ledger": ("pg_dump", "echo half; echo 'pg_dump: error: server closed the connection' >&2; exit 1"),
    "wiki": ("sh", "echo half; echo 'mariadb-dump: Got error: 2013: Lost connection' >&2; exit 3"),
}


@pytest.fixture(autouse=True)
def saved_before(world: World) -> None:
    """There is a whole backup of the files, whose figures must stay what they are."""
    if not (world.data / "backup" / "notes.json").exists():
        assert world.runner("save", "papers")[0] == 0


def _is_not_called_saved(world: World, service: str, before: float) -> None:
    name = f'{{service="{service}"}}'
    assert world.figure(f"kitestacks_backup_failed{name}") == 1
    assert world.figure(f"kitestacks_backup_success_timestamp_seconds{name}") == before


def _moment(world: World, service: str) -> float:
    return world.figure(f'kitestacks_backup_success_timestamp_seconds{{service="{service}"}}')


@pytest.mark.parametrize(
    ("kind", "service", "named"),
    [
        (CUT_SHORT, "ledger", "the dump ledger.sql is cut short"),
        (CUT_SHORT, "wiki", "the dump wiki.sql is cut short"),
        (FAILING, "ledger", "server closed the connection"),
        (FAILING, "wiki", "Lost connection"),
    ],
)
def test_dump_that_breaks_off_is_no_backup(
    world: World, kind: dict[str, tuple[str, str]], service: str, named: str
) -> None:
    before = _moment(world, service)
    with world.instead(*kind[service]):
        code, said = world.runner("save", service)

    assert code == 1
    assert f"{service}: NOT saved: " in said
    assert named in said
    _is_not_called_saved(world, service, before)


def test_damaged_sqlite_file_is_no_backup(world: World) -> None:
    live = world.data / "books" / "books.db"
    good = live.read_bytes()
    for beside in ("-wal", "-shm"):
        live.with_name(live.name + beside).unlink(missing_ok=True)
    live.write_bytes(good[:4096] + b"\x0d" + b"\xff" * (len(good) - 4097))
    code, said = world.runner("save", "books")
    live.write_bytes(good)

    assert code == 1
    assert "books: NOT saved: " in said
    assert world.notes["books"].get("saved", 0) == 0


def test_full_disk_of_the_host_is_named(world: World) -> None:
    folder = world.data / "backup" / "dumps"
    folder.mkdir(exist_ok=True, parents=True)
    world.ask("ledger", "INSERT INTO rows SELECT n, repeat('x', 1000) FROM generate_series(1, 1000) n")
    with small_disk(folder, "256k"):
        code, said = world.runner("save", "ledger")

    assert code == 1
    assert "ledger: NOT saved: " in said
    assert "No space left" in said or "could not write" in said or "cut short" in said
    _is_not_called_saved(world, "ledger", 0)


def test_full_disk_of_the_backup_server_is_named(world: World) -> None:
    program = restic.REST_SERVER.find()
    assert program is not None
    before = _moment(world, "papers")
    (world.data / "papers" / "large").write_bytes(os.urandom(4_000_000))
    port = free_port()
    with (
        small_disk(world.home / "full", "1m"),
        rest_server(program, world, folder="full", port=port),
        world.edit_plan(repository=f"rest:http://127.0.0.1:{port}/monk/"),
    ):
        code, said = world.runner("save", "papers")

    assert code == 1
    assert "Insufficient Storage" in said
    _is_not_called_saved(world, "papers", before)


def test_wrong_password_is_named(world: World) -> None:
    before = _moment(world, "papers")
    file = world.home / "secrets" / "repository-password"
    right = file.read_text()
    file.write_text("another")
    code, said = world.runner("save", "papers")
    file.write_text(right)

    assert code == 1
    assert "wrong password: this key does not open the repository" in said
    assert right not in said
    _is_not_called_saved(world, "papers", before)


def test_server_that_refuses_the_host_is_named(world: World) -> None:
    before = _moment(world, "papers")
    file = world.home / "secrets" / "upload-password"
    right = file.read_text()
    file.write_text("another")
    code, said = world.runner("save", "papers")
    file.write_text(right)

    assert code == 1
    assert "401" in said
    _is_not_called_saved(world, "papers", before)


def test_server_that_is_gone_is_named_at_once(world: World) -> None:
    before = _moment(world, "papers")
    with world.edit_plan(repository="rest:http://127.0.0.1:9/monk/"):
        code, said = world.runner("save", "papers")

    assert code == 1
    assert "the backup server 127.0.0.1:9 does not answer" in said
    _is_not_called_saved(world, "papers", before)


def test_interrupted_backup_is_no_backup_and_the_next_one_is(world: World) -> None:
    before = _moment(world, "papers")
    (world.data / "papers" / "large").write_bytes(os.urandom(40_000_000))
    command, environment = world.command("save", "papers")
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as runner:
        locks = world.home / "store" / "monk" / "locks"
        end = time.monotonic() + 60
        while not list(locks.iterdir()):
            assert time.monotonic() < end, "restic took no lock"
            time.sleep(0.02)
        os.killpg(runner.pid, signal.SIGKILL)
        assert runner.wait() == -signal.SIGKILL
        assert "saved as" not in (runner.stdout.read() if runner.stdout else "")
    assert _moment(world, "papers") == before

    code, said = world.runner("save", "papers")
    assert code == 0, said
    assert _moment(world, "papers") > before or before == int(time.time())


def test_restic_that_is_killed_alone_is_named(world: World) -> None:
    before = _moment(world, "papers")
    fake = world.home / "bin" / "restic"
    fake.write_text("#!/bin/sh\nkill -9 $$\n")
    fake.chmod(0o755)
    code, said = world.runner("save", "papers")
    fake.unlink()

    assert code == 1
    assert "papers: NOT saved: killed" in said
    _is_not_called_saved(world, "papers", before)


def test_incomplete_snapshot_is_no_backup(world: World) -> None:
    before = _moment(world, "papers")
    fake = world.home / "bin" / "restic"
    fake.write_text('#!/bin/sh\necho \'{"message_type":"summary","snapshot_id":"abc"}\'\nexit 3\n')
    fake.chmod(0o755)
    code, said = world.runner("save", "papers")
    fake.unlink()

    assert code == 1
    assert "the backup is incomplete" in said
    _is_not_called_saved(world, "papers", before)


def test_missing_folder_is_named(world: World) -> None:
    (world.data / "papers").rename(world.data / "papers-away")
    code, said = world.runner("save", "papers")
    (world.data / "papers-away").rename(world.data / "papers")

    assert code == 1
    assert "there is no folder" in said


def test_two_runs_at_a_time_are_refused(world: World) -> None:
    with (world.data / "backup" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, said = world.runner("check")

    assert code == 1
    assert "another run is under way" in said


def test_scheduled_run_waits_for_the_one_before(world: World) -> None:
    command, environment = world.command("--wait", "save", "papers")
    before = _moment(world, "papers")
    with (world.data / "backup" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as runner:
            end = time.monotonic() + 60
            while str(runner.pid) not in _waiting_for_locks() and time.monotonic() < end:
                time.sleep(0.05)
            assert runner.poll() is None
            assert _moment(world, "papers") == before
            fcntl.flock(lock, fcntl.LOCK_UN)
            said, _ = runner.communicate(timeout=30)
    assert "papers: saved as " in said


def _waiting_for_locks() -> set[str]:
    """The processes that wait for a lock of somebody else, as the kernel tells."""
    lines = Path("/proc/locks").read_text().splitlines()
    return {line.split()[5] for line in lines if line.split()[1] == "->"}


def test_tampered_repository_is_found_by_the_check_and_by_a_drill(world: World) -> None:
    code, said = world.runner("save", "papers")
    assert code == 0, said
    code, said = world.runner("check")
    assert code == 0, said
    packs = [file for file in (world.home / "store" / "monk" / "data").rglob("*") if file.is_file()]
    before = {file: file.read_bytes() for file in packs}
    for file, content in before.items():
        middle = len(content) // 2
        file.chmod(0o600)
        file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    try:
        code, said = world.runner("drill", "papers")
        assert code == 1
        assert "papers: NOT proven: " in said
        results = [world.runner("check") for _ in range(2)]
    finally:
        for file, content in before.items():
            file.write_bytes(content)

    assert any(code == 1 and "failed: " in said for code, said in results)
    assert world.figure("kitestacks_backup_check_failed") == 1
    assert world.figure('kitestacks_restore_drill_failed{service="papers",saved_host="monk"}') == 1
    assert world.runner("drill", "papers")[0] == 0
