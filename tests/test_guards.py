"""Guards: each plan that could lose data is named with a way out; harmless ones pass; a proven restore excuses some."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from components.errors import ProgramError
from components.guards import Danger, Kept, KeptService, dangers
from components.proven import write_down
from tests.recorder import foundation_outputs, run_program

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.stack_files import StackFiles

FOUNDATION = {"kscloud1": foundation_outputs("monk", "kscloud1")}

BEFORE = Kept(
    docker="unix:///var/run/docker.sock",
    services={
        "wiki": KeptService(
            folders=["/data/wiki", "/data/wiki-db"],
            images={"image": "linuxserver/wiki:v26.05.3-ls280", "database-image": "mariadb:11.8.8-noble"},
            databases={"database-image": "mariadb"},
        ),
        "login-db": KeptService(
            folders=["/data/login-db"], images={"image": "postgres:18.6-trixie"}, databases={"image": "postgres"}
        ),
    },
)


def _with(service: str, **changes: object) -> Kept:
    changed = replace(BEFORE.services[service], **changes)  # type: ignore[arg-type]
    return replace(BEFORE, services={**BEFORE.services, service: changed})


def _image(service: str, at: str, image: str) -> Kept:
    return _with(service, images={**BEFORE.services[service].images, at: image})


@dataclass(frozen=True)
class Case:
    """A plan after BEFORE, and what has to be said about it."""

    id: str
    now: Kept
    path: str
    says: str
    excused: bool


CASES = [
    Case(
        "a service with data is dropped",
        replace(BEFORE, services={"login-db": BEFORE.services["login-db"]}),
        "services.wiki",
        "must stay in the file: it keeps data in /data/wiki, /data/wiki-db",
        excused=True,
    ),
    Case(
        "a database is dropped",
        replace(BEFORE, services={"wiki": BEFORE.services["wiki"]}),
        "services.login-db",
        "must stay in the file: it keeps data in /data/login-db",
        excused=True,
    ),
    Case(
        "the data root moves",
        _with("wiki", folders=["/elsewhere/wiki", "/elsewhere/wiki-db"]),
        "host.data",
        "must still lead to /data/wiki, where wiki keeps its data",
        excused=False,
    ),
    Case(
        "a database's folder moves",
        _with("login-db", folders=["/data/other"]),
        "host.data",
        "must still lead to /data/login-db",
        excused=False,
    ),
    Case(
        "the host becomes another machine",
        replace(BEFORE, docker="ssh://kite@elsewhere"),
        "host.docker",
        "must stay 'unix:///var/run/docker.sock'",
        excused=False,
    ),
    Case(
        "PostgreSQL's next major version",
        _image("login-db", "image", "postgres:19.0-trixie"),
        "services.login-db.image",
        "must stay PostgreSQL 18: another major version can't read the folder, got 'postgres:19.0-trixie'",
        excused=False,
    ),
    Case(
        "PostgreSQL's earlier major version",
        _image("login-db", "image", "postgres:17.11-trixie"),
        "services.login-db.image",
        "must not go back from 'postgres:18.6-trixie'",
        excused=False,
    ),
    Case(
        "PostgreSQL's minor version back",
        _image("login-db", "image", "postgres:18.2-trixie"),
        "services.login-db.image",
        "must not go back from 'postgres:18.6-trixie'",
        excused=False,
    ),
    Case(
        "PostgreSQL on another Debian",
        _image("login-db", "image", "postgres:18.7-bookworm"),
        "services.login-db.image",
        "must stay on the system trixie: another one sorts text differently",
        excused=True,
    ),
    Case(
        "PostgreSQL on Alpine",
        _image("login-db", "image", "postgres:18.6-alpine"),
        "services.login-db.image",
        "must stay on the system trixie",
        excused=True,
    ),
    Case(
        "MariaDB's next major version",
        _image("wiki", "database-image", "mariadb:12.3.2-noble"),
        "services.wiki.database-image",
        "must not change its major version without a way back, got 'mariadb:12.3.2-noble'",
        excused=True,
    ),
    Case(
        "MariaDB back",
        _image("wiki", "database-image", "mariadb:11.4.1-noble"),
        "services.wiki.database-image",
        "must not go back from 'mariadb:11.8.8-noble'",
        excused=False,
    ),
    Case(
        "an app goes back below its data",
        _image("wiki", "image", "linuxserver/wiki:v25.12.1-ls250"),
        "services.wiki.image",
        "must not go back from 'linuxserver/wiki:v26.05.3-ls280'",
        excused=False,
    ),
    Case(
        "another program on the same folders",
        _image("wiki", "database-image", "mysql:11.8.8"),
        "services.wiki.database-image",
        "must stay an image of mariadb, whose data this is, got 'mysql:11.8.8'",
        excused=False,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_dangerous_plan_is_named(case: Case) -> None:
    (danger,) = dangers(BEFORE, case.now)

    assert danger.path == case.path
    assert case.says in danger.rule
    assert danger.excused is case.excused
    assert danger.instead


@pytest.mark.parametrize(
    "now",
    [
        BEFORE,
        _image("wiki", "image", "linuxserver/wiki:v26.06.0-ls281"),
        _image("wiki", "image", "registry.example.org/mirror/wiki:v26.05.3-ls280"),
        _image("login-db", "image", "postgres:18.7-trixie"),
        replace(BEFORE, services={**BEFORE.services, "new": KeptService(folders=["/data/new"])}),
    ],
    ids=["nothing changed", "an app goes forward", "the same from a mirror", "a minor version", "another service"],
)
def test_harmless_plan_passes(now: Kept) -> None:
    assert list(dangers(BEFORE, now)) == []


def test_two_dangers_are_both_named() -> None:
    now = replace(_image("login-db", "image", "postgres:19.0-trixie"), docker="ssh://kite@elsewhere")

    assert {danger.path for danger in dangers(BEFORE, now)} == {"host.docker", "services.login-db.image"}


def test_what_is_kept_comes_back_from_the_stacks_output_as_it_went_in() -> None:
    assert Kept.read(BEFORE.output()) == BEFORE
    assert isinstance(next(iter(dangers(BEFORE, CASES[0].now))), Danger)


def _previewed(files: StackFiles, change: Callable[[StackFiles], object]) -> None:
    """A plan of monk, after an earlier one was deployed as the real files say."""
    deployed = run_program("monk", files.folder, references=FOUNDATION).outputs["kept"]
    change(files)
    run_program("monk", files.folder, references=FOUNDATION | {"monk": {"kept": deployed}})


def test_plan_is_held_against_what_was_deployed(files: StackFiles) -> None:
    with pytest.raises(ProgramError) as refused:
        _previewed(files, lambda each: each.edit("monk", "services.forgejo", None))

    said = str(refused.value)
    assert "services.forgejo: must stay in the file: it keeps data in /home/kite/kitestacks-live/docker/forgejo" in said
    assert "restore-drill forgejo -s monk" in said
    assert "KITESTACKS_FORCE=services.forgejo" in said


def test_owner_may_insist_on_one_danger_for_one_run(files: StackFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITESTACKS_FORCE", "services.forgejo")
    _previewed(files, lambda each: each.edit("monk", "services.forgejo", None))

    with pytest.raises(ProgramError, match=r"services\.kavita"):
        _previewed(files, lambda each: each.edit("monk", "services.kavita", None))


@pytest.mark.parametrize(("days", "excused"), [(1, True), (40, False)])
def test_restore_proven_lately_excuses_and_an_old_one_does_not(days: int, files: StackFiles, *, excused: bool) -> None:
    write_down(files.folder, "monk", "forgejo", datetime.now(UTC) - timedelta(days=days))

    if excused:
        _previewed(files, lambda each: each.edit("monk", "services.forgejo", None))
    else:
        with pytest.raises(ProgramError, match=r"services\.forgejo"):
            _previewed(files, lambda each: each.edit("monk", "services.forgejo", None))


def test_what_no_restore_helps_against_is_not_excused_by_one(files: StackFiles) -> None:
    write_down(files.folder, "monk", "bookstack")

    with pytest.raises(ProgramError, match=r"services\.bookstack\.database-image: must not go back"):
        _previewed(files, lambda each: each.edit("monk", "services.bookstack.database-image", "mariadb:11.8.8-noble"))
