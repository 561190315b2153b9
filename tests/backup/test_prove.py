"""What was saved on one host comes to life on the other: databases, files, apps, canaries; and nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from components.backup_runner.marks import CANARY_FILE
from tests.backup.world import DATABASES, HOST, KEEPER, ROOT_PASSWORD, SERVICES

if TYPE_CHECKING:
    from tests.backup.world import World

TABLES = {"ledger": "kitestacks.canary", "wiki": "kitestacks_canary"}


def _moment(world: World, service: str, there: bool) -> float:
    figures = (world.home / ("there.prom" if there else "backup.prom")).read_text()
    name = f'kitestacks_restore_proven_timestamp_seconds{{service="{service}",saved_host="{HOST}"}}'
    return float(next(line for line in figures.splitlines() if line.startswith(name)).split()[-1])


def _at_keeper(world: World, service: str, store: Path | None = None) -> tuple[int, str]:
    """As the owner asks for it: the password goes in, and is nowhere else."""
    where = str(store or world.home / "store" / HOST)
    return world.runner("drill", service, "--of", HOST, "--repository", where, stdin="opens-it-too\n", on=KEEPER)


def _nothing_is_left(world: World) -> None:
    assert world.rooms == []
    assert (world.home / "networks").read_text() == ""
    for data in (world.data, world.other):
        assert not list((data / "backup").glob("scratch/*"))


def test_every_class_is_proven_on_the_host_that_keeps_it(world: World) -> None:
    world.ask("ledger", "INSERT INTO rows VALUES (1, 'before')")
    assert world.runner("save")[0] == 0
    world.ask("ledger", "DELETE FROM rows")
    started = time.monotonic()

    code, said = world.runner("drill", on=KEEPER)

    assert code == 0, said
    for service in SERVICES:
        assert f"\n{service}: proven with snapshot " in f"\n{said}"
        assert time.time() - _moment(world, service, there=True) < 60
    assert said.count("canary found") == 4
    assert "wiki-app healthy on them" in said
    assert world.ask("ledger", "SELECT words FROM rows", scratch=True) == "before"
    assert world.ask("ledger", "SELECT count(*) FROM rows") == "0", "the service itself was touched"
    _nothing_is_left(world)
    sys.stdout.write(f"{said}proven in {time.monotonic() - started:.1f} s\n")


def test_scratch_containers_are_given_what_the_live_ones_have_and_no_way_out(world: World) -> None:
    assert world.runner("save", "wiki")[0] == 0
    log = world.home / "docker.log"
    log.write_text("")

    code, said = world.runner("drill", "wiki")

    assert code == 0, said
    lines = log.read_text().splitlines()
    assert [line for line in lines if line.startswith("network create --internal ")]
    created = {line.partition("--name ")[2].split()[0]: line for line in lines if line.startswith("create ")}
    assert set(created) == {f"kitestacks-monk-drill-{name}" for name in ("wiki", "wiki-app")}
    for name, line in created.items():
        assert "--network kitestacks-monk-drill " in line
        assert f"--network-alias {name.removeprefix('kitestacks-monk-drill-')} " in line
        assert "--cap-drop ALL " in line
        assert f"--memory {2**28} " in line
        assert "--env KIND=played" in line
        assert f"source={world.data}/backup/scratch/" in line
        assert not [word for word in ("--publish", "-p ", "docker.sock", f"source={world.data}/wiki") if word in line]
    assert not [line for line in lines if "administrators" in line], "a secret in an argument"


def test_a_word_that_opens_nothing_is_given_where_the_keeper_does_not_prove(world: World) -> None:
    with world.edit_plan(shown=False, repository=f"rest:http://127.0.0.1:{world.port}/{HOST}/unshown/"):
        assert world.runner("save", "papers")[0] == 0
    store = str(world.home / "store" / HOST / "unshown")

    code, said = world.runner(
        "drill", "papers", "--of", HOST, "--repository", store, stdin="opens-it-there\n", on=KEEPER
    )

    assert code == 1
    assert "papers: NOT proven: wrong password: this key does not open the repository" in said
    assert _at_keeper(world, "papers", Path(store))[0] == 0


def test_the_keeper_writes_nothing_into_the_repository(world: World) -> None:
    assert world.runner("save", "papers")[0] == 0
    store = world.home / "store" / HOST
    before = {file: file.stat().st_mtime_ns for file in store.rglob("*")}

    assert _at_keeper(world, "papers")[0] == 0
    assert {file: file.stat().st_mtime_ns for file in store.rglob("*")} == before


def test_app_that_says_why_it_needs_others_is_proven_without(world: World) -> None:
    services = json.loads((world.home / "plan.json").read_text())["services"]
    services["papers"]["not_alone"] = "all that it does is done by others"
    with world.edit_plan(services=services):
        assert world.runner("save", "papers")[0] == 0

    code, said = world.runner("drill", "papers")

    assert code == 0, said
    assert "databases and files proven, app not started: all that it does is done by others" in said


@pytest.mark.parametrize(
    ("service", "change", "why"),
    [
        ("ledger", "DELETE FROM {table}", "it has no canary"),
        ("ledger", "UPDATE {table} SET word = 'of-yesterday'", "its canary is another backup's"),
        ("wiki", "UPDATE {table} SET word = 'of-yesterday'", "its canary is another backup's"),
        ("wiki", "DROP TABLE {table}", "it has no canary"),
    ],
)
def test_database_without_the_canary_of_its_backup_is_not_proven(
    world: World, service: str, change: str, why: str
) -> None:
    """As if the dump were one of another day: whole, and not what was there when the backup began."""
    program = {"ledger": "pg_dump", "wiki": "sh"}[service]
    client = f"psql -q -U {service} {service} -c" if service == "ledger" else f"mariadb -u root {service} -e"
    loses = f'export MYSQL_PWD={ROOT_PASSWORD}; {client} "{change.format(table=TABLES[service])}"'
    with world.instead(program, f'case "$*" in *dump*|"-U "*) {loses} ;; esac; exec /usr/bin/{program} "$@"'):
        code, said = world.runner("save", service)
    assert code == 0, said
    world.ask(service, f"DROP TABLE IF EXISTS {TABLES[service]}")

    code, said = world.runner("drill", service)

    assert code == 1, said
    assert f"{service}: NOT proven: " in said
    assert why in said
    _nothing_is_left(world)
    code, said = world.runner("restore", service, "--overwrite")
    assert code == 1
    assert why in said
    assert world.ask("ledger", "SELECT count(*) FROM rows") == world.ask("wiki", "SELECT count(*) FROM pages") == "0"


@pytest.mark.parametrize(
    ("left", "why"), [("", "it has no canary"), ("of-yesterday\n", "its canary is another backup's")]
)
def test_folder_without_the_canary_of_its_backup_is_not_proven(world: World, left: str, why: str) -> None:
    assert world.runner("save", "papers")[0] == 0
    fake = world.home / "bin" / "restic"
    canary = world.data / "papers" / CANARY_FILE
    meanwhile = f"printf '{left}' > {canary}" if left else f"rm -f {canary}"
    fake.write_text(f'#!/bin/sh\ncase "$*" in *" backup "*) {meanwhile} ;; esac\nexec {world.restic} "$@"\n')
    fake.chmod(0o755)
    code, said = world.runner("save", "papers")
    fake.unlink()
    assert code == 0, said

    code, said = world.runner("drill", "papers")

    assert code == 1
    assert f"papers: NOT proven: folder papers: {why}" in said


def test_app_that_never_gets_healthy_is_not_proven(world: World) -> None:
    (world.home / "papers.secrets" / "key").write_text("another")
    assert world.runner("save", "papers")[0] == 0
    (world.home / "papers.secrets" / "key").write_text("of-papers")

    code, said = _at_keeper(world, "papers")

    assert code == 1
    assert "papers: NOT proven: papers did not get healthy within 3 s" in said
    assert "its last line: its log goes on" in said
    _nothing_is_left(world)
    assert json.loads((world.other / "backup" / "notes.json").read_text())["proofs"][HOST]["papers"]["failed"]


def test_image_that_the_other_host_lacks_is_named(world: World) -> None:
    assert world.runner("save", "papers")[0] == 0
    (world.home / "no-image").write_text("papers:1")
    code, said = world.runner("drill", "papers")
    (world.home / "no-image").unlink()

    assert code == 1
    assert "papers: NOT proven: the image papers:1 is not on monk and can't be fetched" in said
    _nothing_is_left(world)


def test_host_that_keeps_no_repository_is_named(world: World) -> None:
    away = world.home / "store-away"
    (world.home / "store").rename(away)
    code, said = world.runner("drill", on=KEEPER)
    away.rename(world.home / "store")

    assert code == 1
    assert f"NOT proven: there is no repository at {world.other}/backup-server/{HOST}" in said
    code, said = world.runner("drill", "all", "--of", "attic", "--repository", "/nowhere", stdin="word\n", on=KEEPER)
    assert code == 1
    assert "failed: no backup of attic lies on kscloud1" in said
    code, said = world.runner("drill", "shelf")
    assert code == 1
    assert "failed: nothing of 'shelf' is saved on monk; there are: books, ledger, papers, wiki" in said


def test_what_a_killed_drill_left_is_taken_away_by_the_next_run(world: World) -> None:
    assert world.runner("save", "papers")[0] == 0
    (world.home / "papers.secrets" / "key").write_text("another")
    assert world.runner("save", "papers")[0] == 0
    (world.home / "papers.secrets" / "key").write_text("of-papers")
    with world.edit_plan(patience=60):
        command, environment = world.command("drill", "papers")
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True) as runner:
            end = time.monotonic() + 60
            while not world.rooms:
                assert time.monotonic() < end, "no scratch container was made"
                time.sleep(0.02)
            os.killpg(runner.pid, signal.SIGKILL)
    assert world.rooms
    assert list((world.data / "backup" / "scratch").iterdir())

    assert world.runner("save", "papers")[0] == 0
    _nothing_is_left(world)


def test_backup_that_is_older_than_its_canary_leaves_a_restore_undone(world: World) -> None:
    """The canary alone is no difference: an older snapshot of the same data is what lies there."""
    assert world.runner("save", "wiki")[0] == 0
    first = world.notes["wiki"]["snapshot"]
    assert world.runner("save", "wiki")[0] == 0

    code, said = world.runner("restore", "wiki", "--dry-run", "--snapshot", first[:8])

    assert code == 0, said
    assert "database of wiki: is the same" in said
    assert "0 files come back, 0 change, 0 go" in said
    assert "NEWER" not in said


def test_each_backup_has_a_canary_of_its_own_and_one_row(world: World) -> None:
    for service in DATABASES:
        words = []
        for _ in range(2):
            assert world.runner("save", service)[0] == 0
            words.append(world.ask(service, f"SELECT host, word FROM {TABLES[service]}"))  # noqa: S608 - ours
        assert words[0] != words[1]
        assert [word.count(HOST) for word in words] == [1, 1]
