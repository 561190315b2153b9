"""The step that keeps a database's password true, against the distribution's own PostgreSQL and MariaDB."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from components import password_step
from components.machine import Done, StepError
from components.step_program import Given
from tests.artefacts import servers
from tests.services.machines import PlayedMachine, hurry, run_here
from tests.services.plans import containers_of, environment, files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NEW = "madeanew2"
WRONG = "neverwas"
LOOKS = ("pg_isready", "healthcheck.sh", "SELECT 1")
"""What the step does to look; any other command changes something."""


def given_of(service: str, container: str, stack: str) -> servers.Given:
    """What the plan gives a database's image."""
    planned = containers_of(service, stack)[container]
    env, words = environment(planned), files(planned)
    return servers.Given(
        command=planned.inputs["command"],
        database=env.get("POSTGRES_DB") or env["MARIADB_DATABASE"],
        files=words,
        initdb=shlex.split(env.get("POSTGRES_INITDB_ARGS", "")),
        password=words["/run/secrets/password"],
        root_password=words.get("/run/secrets/root-password", ""),
    )


@dataclass(frozen=True, kw_only=True)
class Database:
    """A running database and its step.

    Attributes:
        engine: What it is.
        given: What it was started with.
        environment: Where clients find it.
    """

    engine: str
    given: servers.Given
    environment: dict[str, str]

    def step(self, password: str, root_password: str = "") -> tuple[str, list[str]]:
        """Runs the step; returns what it says, and the commands that it ran."""

        def here(command: Sequence[str], stdin: str) -> Done:
            return run_here(command, stdin, self.environment)

        machine = PlayedMachine(answer=here)
        name = self.given.database
        facts = {"engine": self.engine, "container": "here", "user": name, "database": name}
        secrets = {"password": password, "root-password": root_password or self.given.root_password}
        said = password_step.run(Given(facts=facts, secrets=secrets), machine)
        return said, [" ".join(command) for command in machine.commands]


def _changes(commands: list[str]) -> int:
    return len([command for command in commands if not any(look in command for look in LOOKS)])


@pytest.fixture(scope="module", params=["postgres", "mariadb"])
def running(request: pytest.FixtureRequest) -> Iterator[Database]:
    if request.param == "postgres":
        given, start = given_of("authentik-db", "authentik-db", "kscloud1"), servers.postgres
    else:
        given, start = given_of("bookstack", "bookstack-db", "monk"), servers.mariadb
    with start(given) as environment:
        yield Database(engine=request.param, given=given, environment=environment)


@pytest.fixture
def database(running: Database) -> Iterator[Database]:
    yield running
    running.step(running.given.password)


def test_generated_password_opens_it_and_nothing_is_changed(database: Database) -> None:
    said, commands = database.step(database.given.password)

    assert said.endswith("is as it should be")
    assert _changes(commands) == 0


def test_password_made_anew_is_set_and_the_old_one_opens_it_no_more(database: Database) -> None:
    said, commands = database.step(NEW)
    assert said.endswith("is changed")
    assert _changes(commands) == 1

    said, commands = database.step(NEW)
    assert said.endswith("is as it should be")
    assert _changes(commands) == 0

    said, _ = database.step(database.given.password)
    assert said.endswith("is changed"), "the old one still opened it"


def test_no_password_stands_in_a_command(database: Database) -> None:
    _, commands = database.step(NEW)

    words = [NEW, *filter(None, [database.given.root_password])]
    assert not [word for word in words if word in " ".join(commands)]


def test_database_that_is_not_there_fails_in_words(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    gone = {"PGPORT": "1", "MYSQL_UNIX_PORT": "/nowhere", "MYSQL_TCP_PORT": "1"}
    elsewhere = replace(database, environment=database.environment | gone)

    with pytest.raises(StepError, match="database here did not answer within 120 s"):
        elsewhere.step(NEW)


def test_user_that_is_not_there_fails_in_the_databases_own_words(database: Database) -> None:
    nobody = replace(database, given=replace(database.given, database="nobody"))

    with pytest.raises(StepError, match=r"(?s)of nobody in here could not be changed: .*nobody"):
        nobody.step(NEW)


@pytest.mark.parametrize("running", ["mariadb"], indirect=True)
def test_wrong_root_password_fails_without_telling_any(database: Database) -> None:
    with pytest.raises(StepError, match="could not be changed: ERROR 1045") as failed:
        database.step(NEW, root_password=WRONG)

    assert not [word for word in (NEW, WRONG, database.given.password) if word in str(failed.value)]
    assert database.step(database.given.password)[0].endswith("is as it should be"), "something was half done"
