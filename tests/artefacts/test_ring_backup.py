"""The backup of one side of the wiki's ring, and what a restore does to the other: two real databases."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from components.backup_runner import canary, dumps
from components.backup_runner.bring_back import Followed, here, restore
from components.backup_runner.fetched import Fetched
from components.backup_runner.plan import BackupError, Database, Kept, Plan
from tests.artefacts.ring_world import PRIMARY, STANDBY, Server, same

if TYPE_CHECKING:
    from pathlib import Path

DATABASE = Database(engine="mariadb", container="bookstack-db", database="bookstack")
DOCKER = """#!/bin/bash
# docker's command: `exec -i <container> ...` runs beside the primary's database, and no other container is there.
[ "$1" = exec ] || exit 0
shift 3
exec env -i {environment} "${{@//\\/run\\/secrets/{secrets}}}"
"""


@pytest.fixture
def monk(monk: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The primary, beside which the backup runs."""
    (tmp_path / "root-password").write_text(monk.words["/run/secrets/root-password"])
    environment = " ".join(f"'{name}={value}'" for name, value in monk.environment.items())
    (tmp_path / "docker").write_text(DOCKER.format(environment=environment, secrets=tmp_path))
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return monk


def _plan(folder: Path) -> Plan:
    return Plan(
        host=PRIMARY,
        installation="kitestacks",
        root=str(folder),
        data=folder,
        secrets=folder,
        metrics="",
        repository="",
        copy_to="",
        limit=60,
        patience=60,
        services={"bookstack": Kept(databases=(DATABASE,), folders=())},
        keeps={},
        proves=(),
        shown=False,
    )


def _saved(plan: Plan, folder: Path) -> Fetched:
    """A backup of the primary's side, as a restore finds it."""
    word = canary.new()
    row = canary.put_row(DATABASE, PRIMARY, word)
    folder.mkdir()
    made = dumps.make(plan, DATABASE, folder, row)
    return Fetched(
        snapshot="abc",
        moment=0,
        data=folder,
        folder=folder,
        files=1,
        canary=word,
        folders=[],
        not_alone="",
        dumps=[(made, folder / made.file)],
    )


def test_canary_stays_on_its_own_side_and_stops_no_applier(fleet: tuple[Server, Server]) -> None:
    monk, kscloud1 = fleet
    canary.put_row(DATABASE, PRIMARY, canary.new())
    kscloud1.execute_sql(
        "SET SESSION sql_log_bin = 0; CREATE TABLE kitestacks_canary (host VARCHAR(64) PRIMARY KEY, word VARCHAR(64));"
        "INSERT INTO kitestacks_canary VALUES ('kscloud1', 'own')"
    )
    canary.put_row(DATABASE, PRIMARY, canary.new())
    monk.use()
    kscloud1.use()

    same(monk, kscloud1)
    assert monk.execute_sql("SELECT host FROM kitestacks_canary") == PRIMARY
    assert kscloud1.execute_sql("SELECT host FROM kitestacks_canary") == STANDBY


def test_restore_of_one_side_is_refused_until_the_owner_means_both(
    fleet: tuple[Server, Server], tmp_path: Path
) -> None:
    monk, kscloud1 = fleet
    plan = _plan(tmp_path)
    monk.execute_sql("INSERT INTO pages (number, text) VALUES (1, 'saved')")
    saved = _saved(plan, tmp_path / "saved")
    monk.execute_sql("INSERT INTO pages (number, text) VALUES (2, 'later')")
    same(monk, kscloud1)

    with pytest.raises(BackupError, match=r"bookstack-db is one side of a ring: .* replaces the other side's as well"):
        here(plan, "bookstack", saved, Followed.REFUSE)
    left, said = here(plan, "bookstack", saved, Followed.LEAVE)
    assert (left.dumps, "database of bookstack-db: is left as it is" in said[0]) == ([], True)
    restore(plan, "bookstack", left)
    assert monk.numbers() == kscloud1.numbers() == {1, 2}

    both, said = here(plan, "bookstack", saved, Followed.REPLACE)
    assert not said
    restore(plan, "bookstack", both)

    same(monk, kscloud1)
    assert monk.numbers() == kscloud1.numbers() == {1}
    assert monk.step(kscloud1) == "in step with kscloud1"
    kscloud1.execute_sql("INSERT INTO pages (number, text) VALUES (3, 'from there')")
    same(monk, kscloud1)
    assert monk.numbers() == {1, 3}


def test_dump_of_another_day_replaces_neither_side(fleet: tuple[Server, Server], tmp_path: Path) -> None:
    monk, kscloud1 = fleet
    plan = _plan(tmp_path)
    saved = _saved(plan, tmp_path / "saved")
    ((dumped, file),) = saved.dumps
    monk.execute_sql("INSERT INTO pages (number, text) VALUES (2, 'later')")
    older = replace(saved, dumps=[(replace(dumped, canary=(PRIMARY, canary.new())), file)])

    with pytest.raises(BackupError, match="its canary is another backup's"):
        restore(plan, "bookstack", older)
    same(monk, kscloud1)
    assert monk.numbers() == {2}


def test_mark_of_a_backup_is_no_wiki_that_could_be_the_true_one(monk: Server, kscloud1: Server, empty: Path) -> None:
    monk.first_start(empty)
    canary.put_row(DATABASE, PRIMARY, canary.new())
    kscloud1.first_start(empty)
    kscloud1.step(monk)
    kscloud1.migrate()
    kscloud1.use()

    assert monk.step(kscloud1) == "filled from kscloud1"
    assert monk.checksums() == kscloud1.checksums()
