"""authentik-db on two hosts: what a plan says of a copy, what it refuses, and the command for the ways back."""

from __future__ import annotations

import argparse
import shutil
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from components.errors import ProgramError
from components.machine import Done, Machine, StepError
from components.services.authentik_db import replication_role, standby
from components.services.authentik_db.rules import DATABASE_RULES
from components.services.authentik_db.standby import CopyState, Peer, check_promotion, describe, refusals
from components.sites import site_reports
from components.step_program import Given
from kitestacks import database
from kitestacks.exits import CommandError
from tests.services.machines import PlayedMachine, hurry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.stack_files import StackFiles

COPY = Path(__file__).parents[2] / "components/services/authentik_db/copy.sh"
FOLLOWS = CopyState(
    role="standby",
    timeline=1,
    place=1000,
    streaming=True,
    tables=90,
    age=3,
    peers={"kscloud1": Peer(role="gone", timeline=0, place=0)},
)
WRITES = replace(FOLLOWS, role="primary", age=0, streaming=False)
SAID = """timeline=1
role=standby
place=1000
streaming=1
tables=90
age=3
slot.attic=lost
peer.kscloud1=primary 1 1500
"""


def _peer(role: str, timeline: int = 1, place: int = 0) -> dict[str, Peer]:
    return {"kscloud1": Peer(role=role, timeline=timeline, place=place)}


@pytest.fixture
def switched(files: StackFiles) -> StackFiles:
    """monk's copy is to write."""
    return files.edit("monk", "services.authentik.database", "local")


def test_what_a_copy_says_is_read_and_put_in_words() -> None:
    machine = PlayedMachine(answer=lambda _command, _stdin: Done(code=0, out=SAID, err=""))

    state = CopyState.read(machine, "authentik-db")

    assert machine.commands == [("sh", standby.SCRIPT, "status")]
    assert state == replace(FOLLOWS, peers=_peer("primary", 1, 1500), slots={"attic": "lost"})
    said = "authentik-db on monk follows kscloud1: it lacks 500 bytes, its last transaction is 3 s old"
    assert describe("monk", state, "kscloud1") == said
    apart = replace(FOLLOWS, streaming=False, age=30000)
    said = "does NOT follow kscloud1: how much it lacks can't be known, its last transaction is 8 h old"
    assert said in describe("monk", apart, "kscloud1")
    assert "writes, timeline 1; log kept: for monk lost" in describe(
        "kscloud1", replace(WRITES, slots={"monk": "lost"}), ""
    )


@pytest.mark.parametrize(
    "done",
    [Done(code=1, out="", err="Error: No such container: authentik-db\n"), Done(code=0, out="service x", err="")],
)
def test_copy_that_says_nothing_of_itself_is_no_copy(done: Done) -> None:
    with pytest.raises(StepError, match=r"No such container|authentik-db says nothing of it"):
        CopyState.read(PlayedMachine(answer=lambda _command, _stdin: done), "authentik-db")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A running copy on monk, what is planned, and what has to be said."""

    id: str
    state: CopyState
    local: bool = True
    says: str = ""
    way_out: str = ""


CASES = [
    Case(id="promote what has all, the primary gone", state=FOLLOWS),
    Case(id="go on writing", state=WRITES),
    Case(id="go on following", state=FOLLOWS, local=False),
    Case(
        id="promote an empty copy",
        state=replace(FOLLOWS, tables=0),
        says="must not promote the copy on monk: it is empty",
        way_out="let it copy first",
    ),
    Case(
        id="promote a stale copy",
        state=replace(FOLLOWS, age=200000),
        says="its last transaction is 2 d old, more than 24h0m0s",
        way_out="if the other host has been gone for that long",
    ),
    Case(
        id="promote beside a living primary",
        state=replace(FOLLOWS, peers=_peer("primary")),
        says="must not promote the copy on monk while kscloud1 writes: two would write apart",
        way_out="database switch -s monk",
    ),
    Case(
        id="flip the setting back",
        state=replace(WRITES, timeline=2, peers=_peer("standby", 2)),
        local=False,
        says="must still let monk write: no other copy does",
        way_out="database switch -s kscloud1",
    ),
    Case(
        id="flip the setting back while the old primary is fenced",
        state=replace(WRITES, timeline=2),
        local=False,
        says="must still let monk write",
        way_out="database switch -s kscloud1",
    ),
    Case(id="follow after a switch", state=replace(WRITES, timeline=2, peers=_peer("primary", 3)), local=False),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_must_not_be_made_of_a_copy_is_refused_with_a_way_out(case: Case, files: StackFiles) -> None:
    if case.local:
        files.edit("monk", "services.authentik.database", "local")

    found = list(refusals(files.fleet("monk"), case.state))

    assert bool(found) == bool(case.says)
    assert not found or (case.says in found[0][0] and case.way_out in found[0][1])


def _planned(monkeypatch: pytest.MonkeyPatch, files: StackFiles, answer: CopyState | StepError) -> list[str]:
    """Runs the guard as a preview does; returns what it logs."""
    said: list[str] = []

    def read(machine: Machine, container: str) -> CopyState:
        assert container == "authentik-db"
        assert isinstance(machine, Machine)
        if isinstance(answer, StepError):
            raise answer
        return answer

    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    monkeypatch.setattr(pulumi.log, "info", lambda text, _resource: said.append(text))
    monkeypatch.setattr(CopyState, "read", read)
    resource: Any = None
    check_promotion(files.fleet("monk"), "authentik-db", resource)
    return said


def test_preview_says_how_far_the_copy_is_behind(monkeypatch: pytest.MonkeyPatch, files: StackFiles) -> None:
    (said,) = _planned(monkeypatch, files, replace(FOLLOWS, peers=_peer("primary", 1, 1000)))

    assert said.startswith("authentik-db on monk follows kscloud1: it lacks 0 bytes")


def test_preview_says_when_it_can_not_be_known(monkeypatch: pytest.MonkeyPatch, files: StackFiles) -> None:
    (said,) = _planned(monkeypatch, files, StepError("no answer"))

    assert said == "how far authentik-db on monk is behind can't be known: no answer"


@pytest.mark.parametrize("answer", [replace(FOLLOWS, tables=0), StepError("no answer")], ids=["empty", "unknown"])
def test_promotion_that_could_lose_data_needs_the_owners_word(
    answer: CopyState | StepError, monkeypatch: pytest.MonkeyPatch, switched: StackFiles
) -> None:
    with pytest.raises(ProgramError) as refused:
        _planned(monkeypatch, switched, answer)
    assert "services.authentik.database: must not" in str(refused.value)
    assert "insist once with KITESTACKS_FORCE=services.authentik.database" in str(refused.value)

    monkeypatch.setenv("KITESTACKS_FORCE", "services.authentik.database")
    assert _planned(monkeypatch, switched, answer)


@pytest.mark.parametrize(
    ("edits", "path", "says"),
    [
        (
            {"monk:authentik.database": "local", "monk:authentik-db": None},
            "services.authentik.database",
            "no authentik-db",
        ),
        (
            {"monk:authentik.database": "local", "kscloud1:authentik.database": "local"},
            "Pulumi.monk.yaml: services.authentik.database",
            "'local' in one file, got it in those of kscloud1 and monk: two would write apart",
        ),
        (
            {"monk:authentik-db.primary": None, "kscloud1:authentik-db.primary": None},
            "services.authentik-db.primary",
            "must name the host whose copy writes",
        ),
        ({"monk:authentik-db.primary": "monk"}, "services.authentik-db.primary", "must be the same in every file"),
        (
            {"monk:authentik-db.primary": "attic", "kscloud1:authentik-db.primary": "attic"},
            "services.authentik-db.primary",
            "must be a host that has authentik-db, got 'attic'",
        ),
        (
            {"monk:authentik-db.image": "postgres:18.6-bookworm"},
            "services.authentik-db.image",
            "same major version and",
        ),
        ({"monk:authentik-db.image": "postgres:17.6-trixie"}, "services.authentik-db.image", "PostgreSQL 18 or newer"),
    ],
)
def test_files_that_disagree_on_who_writes_are_refused(
    edits: dict[str, str | None], path: str, says: str, files: StackFiles
) -> None:
    assert not [problem for rule in DATABASE_RULES for problem in rule(files.fleet("kscloud1"))]
    for at, value in edits.items():
        host, _, setting = at.partition(":")
        files.edit(host, f"services.{setting}", value)

    problems = [problem for rule in DATABASE_RULES for problem in rule(files.fleet("kscloud1"))]

    assert [problem for problem in problems if problem.path.endswith(path) and says in problem.rule], problems


def test_site_without_its_writer_says_what_to_type(files: StackFiles) -> None:
    def promised(host: str) -> tuple[int | None, str]:
        fleet = files.fleet("kscloud1")
        (login,) = [report for report in site_reports(fleet) if report.service == "authentik"]
        (promise,) = [each for each in login.promises if each.fault == f"{host} gone"]
        return promise.seconds, promise.type

    down = (None, "write `database: local` into authentik in Pulumi.monk.yaml; pulumi up -s monk")
    assert promised("kscloud1") == down
    assert promised("monk") == (5, "")

    files.edit("monk", "services.authentik.database", "local")

    assert promised("kscloud1") == (5, "")
    assert promised("monk")[1] == "take `database: local` of authentik out of Pulumi.monk.yaml; pulumi up -s kscloud1"


def test_hosts_reach_each_others_copy_whoever_writes(files: StackFiles) -> None:
    ways = {(need.source, need.destination) for need in files.fleet("monk").cross_host_needs if need.port == 5432}

    assert ways == {("monk", "kscloud1"), ("kscloud1", "monk")}


ROLE = {"container": "c", "user": "authentik", "database": "authentik", "role": "replicator"}


def test_role_is_made_or_mended_and_then_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    known: list[str] = []

    def answer(command: Sequence[str], stdin: str) -> Done:
        if command[0] == "psql":
            known.append(stdin)
        asked = command[0] == "sh"
        return Done(code=int(asked and not known), out="", err="")

    given = Given(facts=ROLE, secrets={"password": "verysecret"})
    machine = PlayedMachine(answer=answer)

    assert replication_role.run(given, machine) == "the role replicator in c is set"
    assert replication_role.run(given, machine) == "the role replicator in c is as it should be"
    (statement,) = known
    assert "LOGIN REPLICATION NOSUPERUSER" in statement
    assert "verysecret" not in str(machine.commands)


def test_role_that_the_database_refuses_fails_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)

    def answer(command: Sequence[str], _stdin: str) -> Done:
        ready = command[0] == "pg_isready"
        return Done(code=int(not ready), out="", err="ERROR: cannot execute 'verysecret' in a read-only transaction")

    with pytest.raises(StepError, match="could not be set: ERROR: cannot execute") as failed:
        replication_role.run(Given(facts=ROLE, secrets={"password": "verysecret"}), PlayedMachine(answer=answer))
    assert "verysecret" not in str(failed.value)


def test_script_is_clean() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("no shellcheck here: apt-get install shellcheck")
    done = subprocess.run(["shellcheck", str(COPY)], capture_output=True, text=True, check=False)
    assert not done.stdout


@dataclass
class Daemons:
    """Both hosts' Docker daemons.

    Attributes:
        states: What each copy says; without one it does not answer.
        refuses: A promotion fails.
        done: All that was done, with its host.
    """

    states: dict[str, CopyState]
    refuses: bool = False
    done: list[str] = field(default_factory=list)

    def machine(self, endpoint: str) -> _Host:
        return _Host(self, "kscloud1" if "kscloud1" in endpoint else "monk")


class _Host(Machine):
    def __init__(self, daemons: Daemons, host: str) -> None:
        super().__init__("unix:///nowhere")
        self.host, self._daemons = host, daemons

    def docker(self, *arguments: str, stdin: str = "") -> Done:
        assert not stdin
        if arguments[0] == "ps":
            assert f"label=kitestacks.host={self.host}" in arguments
            return Done(code=0, out="authentik-db\n", err="")
        if arguments[0] == "exec":
            return self._executed(arguments[3:])
        self._daemons.done.append(f"{self.host}: docker {' '.join(arguments)}")
        return Done(code=0, out="", err="")

    def _executed(self, command: Sequence[str]) -> Done:
        if command[2] == "status":
            state = self._daemons.states.get(self.host)
            if state is None:
                return Done(code=1, out="", err="container is restarting")
            lines = {name: getattr(state, name) for name in ("timeline", "role", "place", "tables", "age")}
            peers = {f"peer.{host}": f"{peer.role} {peer.timeline} {peer.place}" for host, peer in state.peers.items()}
            said = lines | {"streaming": int(state.streaming)} | peers
            return Done(code=0, out="".join(f"{key}={value}\n" for key, value in said.items()), err="")
        self._daemons.done.append(f"{self.host}: {' '.join(command[2:])}")
        return Done(code=int(self._daemons.refuses), out="", err="refused: it has not got all")

    def shell(self, script: str) -> Done:
        self._daemons.done.append(f"{self.host}: {script}")
        return Done(code=0, out="", err="")


def _command(
    monkeypatch: pytest.MonkeyPatch, files: StackFiles, daemons: Daemons, verb: str, host: str | None = None
) -> None:
    monkeypatch.chdir(files.folder)
    monkeypatch.setattr(database, "Machine", daemons.machine)
    assert database.run(argparse.Namespace(verb=verb, stack=host)) == 0


AFTER = {"monk": replace(WRITES, timeline=2, place=5000)}


def test_status_tells_of_each_copy_also_of_one_that_is_silent(
    monkeypatch: pytest.MonkeyPatch, switched: StackFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    _command(monkeypatch, switched, Daemons(AFTER), "status")

    silent, writes = capsys.readouterr().out.splitlines()
    assert silent == "authentik-db on kscloud1 does not say how it stands: container is restarting"
    assert writes.startswith("authentik-db on monk writes, timeline 2")


def test_rejoin_stops_the_old_primary_and_sets_its_data_aside(
    monkeypatch: pytest.MonkeyPatch, switched: StackFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    daemons = Daemons(AFTER)

    _command(monkeypatch, switched, daemons, "rejoin", "kscloud1")

    stopped, moved = daemons.done
    assert stopped == "kscloud1: docker stop -t 120 authentik-db"
    assert "for data in /opt/kitestacks/docker/authentik-db/*/docker" in moved
    assert 'mv "$data" "$data.before-' in moved
    assert "rm" not in moved.split()
    assert "now: pulumi up -s kscloud1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("host", "states", "says"),
    [
        ("monk", AFTER, "the stack files let monk write: its data is not to be set aside"),
        ("kscloud1", {"monk": FOLLOWS}, "monk does not write, so there is nothing that kscloud1 could copy"),
        ("kscloud1", {}, "container is restarting"),
        ("attic", {}, "-s must name a host that has it"),
    ],
)
def test_rejoin_sets_nothing_aside_that_is_the_only_copy(
    host: str, states: dict[str, CopyState], says: str, monkeypatch: pytest.MonkeyPatch, switched: StackFiles
) -> None:
    daemons = Daemons(states)

    with pytest.raises(CommandError, match=says):
        _command(monkeypatch, switched, daemons, "rejoin", host)

    assert not daemons.done


BACK = {
    "kscloud1": replace(FOLLOWS, peers={"monk": Peer(role="primary", timeline=2, place=5000)}),
    "monk": replace(WRITES, timeline=2, peers=_peer("standby", 2)),
}


def test_switch_stops_the_one_that_writes_before_it_promotes_the_other(
    monkeypatch: pytest.MonkeyPatch, files: StackFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    daemons = Daemons(BACK)

    _command(monkeypatch, files, daemons, "switch", "kscloud1")

    assert daemons.done == ["monk: docker stop -t 120 authentik-db", "kscloud1: promote 5000"]
    assert "now: pulumi up -s kscloud1, then pulumi up -s monk" in capsys.readouterr().out


def test_switch_that_would_lose_something_starts_the_old_one_again(
    monkeypatch: pytest.MonkeyPatch, files: StackFiles
) -> None:
    daemons = Daemons(BACK, refuses=True)

    with pytest.raises(CommandError, match="kscloud1 was not promoted, monk writes again: refused: it has not got all"):
        _command(monkeypatch, files, daemons, "switch", "kscloud1")

    assert daemons.done[-1] == "monk: docker start authentik-db"


@pytest.mark.parametrize(
    ("local", "states", "says"),
    [
        (True, BACK, "the stack files don't let kscloud1 write yet"),
        (False, BACK | {"kscloud1": replace(BACK["kscloud1"], streaming=False)}, "does not follow a copy that writes"),
        (False, {"kscloud1": FOLLOWS}, "does not follow a copy that writes"),
    ],
)
def test_switch_stops_nothing_before_it_can_end_well(
    local: bool,
    states: dict[str, CopyState],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    files: StackFiles,
) -> None:
    if local:
        files.edit("monk", "services.authentik.database", "local")
    daemons = Daemons(states)

    with pytest.raises(CommandError, match=says):
        _command(monkeypatch, files, daemons, "switch", "kscloud1")

    assert not daemons.done
