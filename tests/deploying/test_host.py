"""A deployment from beginning to end: what is done in which order, and what is there when it does not hold."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from components import deployed, guards
from components.fleet_files import fleet_of_files
from components.follower import Follower
from components.machine import Machine
from kitestacks import deploy as command
from kitestacks.__main__ import parser_of
from kitestacks.console import Console
from kitestacks.deploying import host as host_module
from kitestacks.deploying import visitors
from kitestacks.deploying.copies import Copies
from kitestacks.deploying.engine import Engine, HostFacts
from kitestacks.deploying.followers import Held
from kitestacks.deploying.host import HostDeployment, deploy
from kitestacks.exits import CommandError, Exit
from tests.stack_files import StackFiles

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kitestacks.deploying.changes import Change

WIKI = "lscr.io/linuxserver/bookstack:v26.06.1-ls281"
NEWER = "portainer/portainer-ce:2.40.0-alpine"


@dataclass(kw_only=True)
class PlayedCopies:
    """Notes what is asked of it.

    Attributes:
        said: Shared with the engine.
        refuses: The word that fails.
        sick: What `unwell` says.
    """

    said: list[str]
    refuses: str = ""
    sick: list[str] = field(default_factory=list)
    endpoint: str = "unix:///x"
    root: str = "/data"

    def _note(self, word: str, changes: Iterable[Change]) -> None:
        self.said.append(" ".join([word, *(change.service for change in changes)]))
        if word == self.refuses:
            raise CommandError("no room", "", Exit.RESOURCE)

    def save(self, change: Change) -> str:
        self._note("save", [change])
        return "/saved"

    def bring_back(self, change: Change) -> str:
        self._note("bring back", [change])
        return "/failed"

    def start(self, changes: Iterable[Change]) -> None:
        self._note("start", changes)

    def unwell(self, _: Iterable[Change]) -> list[str]:
        return self.sick


@dataclass(frozen=True, kw_only=True)
class PlayedEngine(Engine):
    """Says what was deployed before, and fails as often as it is told.

    Attributes:
        said: What was done, in order.
        before: The outputs of each stack.
        failures: What each next `up` comes to; None: it works.
    """

    said: list[str] = field(default_factory=list)
    before: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: list[BaseException | None] = field(default_factory=list)

    def outputs(self, stack: str) -> dict[str, Any]:
        return self.before[stack]

    def facts(self, _: str) -> HostFacts:
        return HostFacts(docker="unix:///x", data="/data", installation="kitestacks")

    def preview(self, stack: str) -> None:
        self.said.append(f"preview {stack}")

    def up(self, _: Console, stack: str, lifted: Iterable[str] = ()) -> None:
        self.said.append(" ".join([f"up {stack}", *lifted]))
        failure = self.failures.pop(0) if self.failures else None
        if failure:
            raise failure


@pytest.fixture
def engine(files: StackFiles) -> PlayedEngine:
    """Both hosts as deployed; then monk's Portainer gets another image."""
    before = {}
    for stack in ("kscloud1", "monk"):
        fleet = files.fleet(stack)
        before[stack] = {deployed.OUTPUT: deployed.output(fleet), guards.OUTPUT: guards.Kept.of(fleet).output()}
    files.edit("monk", "services.portainer.image", NEWER)
    return PlayedEngine(files=files.folder, before=before)


@pytest.fixture
def copies(engine: PlayedEngine, monkeypatch: pytest.MonkeyPatch) -> PlayedCopies:
    played = PlayedCopies(said=engine.said)
    monkeypatch.setattr(Copies, "on", lambda *_, **__: played)
    monkeypatch.setattr(visitors, "silent", lambda *_: [])
    return played


@dataclass(frozen=True, kw_only=True)
class PlayedFollower(Held):
    """Notes what is asked of it."""

    said: list[str]
    follower: Follower = field(
        default_factory=lambda: Follower(host="kscloud1", container="bookstack-db", hold=(), let_go=())
    )
    of: str = "monk"
    machine: Machine = field(default_factory=lambda: Machine("unix:///nowhere.sock"))
    refuses: str = ""

    def hold(self) -> None:
        self._note("hold")

    def let_go(self) -> None:
        self._note("let go")

    def _note(self, word: str) -> None:
        self.said.append(f"{word} {self.follower.host}")
        if word == self.refuses:
            raise CommandError("kscloud1 does not answer", "docker restart bookstack-db on kscloud1", Exit.RESOURCE)


@pytest.fixture
def followed(engine: PlayedEngine, copies: PlayedCopies, monkeypatch: pytest.MonkeyPatch) -> PlayedCopies:
    """monk's wiki gets another image as well, and kscloud1's database follows it."""
    engine.files.joinpath("Pulumi.monk.yaml").write_text(
        (engine.files / "Pulumi.monk.yaml").read_text().replace(NEWER, "portainer/portainer-ce:2.39.6-alpine")
    )
    StackFiles(engine.files).edit("monk", "services.bookstack.image", WIKI)
    monkeypatch.setattr(host_module, "followers", lambda fleet, _: _followers(engine, fleet.here))
    return copies


def _followers(engine: PlayedEngine, host: str, refuses: str = "") -> list[PlayedFollower]:
    return [PlayedFollower(said=engine.said, refuses=refuses)] if host == "monk" else []


def roll(engine: PlayedEngine, *stacks: str, agree: bool = True) -> bool:
    fleet_of = partial(fleet_of_files, engine.files)
    return deploy(list(stacks or ("kscloud1", "monk")), fleet_of, engine, Console(io.StringIO()), asked=lambda _: agree)


def test_foundation_first_and_data_saved_before_its_host_is_touched(engine: PlayedEngine, copies: PlayedCopies) -> None:
    assert roll(engine)

    assert copies.said == ["up kscloud1", "save portainer", "up monk"]


@pytest.mark.usefixtures("copies")
def test_declined_host_is_not_touched(engine: PlayedEngine) -> None:
    assert not roll(engine, agree=False)

    assert engine.said == []


@pytest.mark.usefixtures("copies")
def test_host_after_one_that_does_not_hold_stays_as_it_was(engine: PlayedEngine) -> None:
    engine.failures[:] = [CommandError("the lock is taken")]

    with pytest.raises(CommandError, match="the lock is taken"):
        roll(engine)

    assert engine.said == ["up kscloud1"]


@pytest.mark.usefixtures("copies")
def test_sites_that_stay_silent_hold_the_next_host_back(engine: PlayedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "silent", lambda *_: ["www.kitestacks.com"])

    with pytest.raises(CommandError, match=r"no answer within 60 s: www\.kitestacks\.com"):
        roll(engine)

    assert engine.said == ["up kscloud1"]


def test_version_that_fails_goes_back_with_its_data(engine: PlayedEngine, copies: PlayedCopies) -> None:
    engine.failures[:] = [CommandError("never healthy"), None]

    with pytest.raises(CommandError) as raised:
        roll(engine, "monk")

    back = "up monk services.portainer.image"
    assert copies.said == ["save portainer", "up monk", "bring back portainer", back]
    assert NEWER not in engine.file("monk").read_text()
    assert raised.value.exit_code == Exit.RESOURCE
    assert raised.value.message.splitlines() == [
        "the new version on monk did not hold: never healthy",
        "monk runs what it ran before:",
        "  the data of portainer is that of before; what the new version left: /failed",
        "  services.portainer.image is portainer/portainer-ce:2.39.6-alpine again, in Pulumi.monk.yaml",
    ]


def test_other_side_gets_nothing_of_a_version_before_it_holds(engine: PlayedEngine, followed: PlayedCopies) -> None:
    assert roll(engine, "monk")

    assert followed.said == ["hold kscloud1", "save bookstack", "up monk", "let go kscloud1"]


def test_other_side_goes_on_from_the_data_of_before(engine: PlayedEngine, followed: PlayedCopies) -> None:
    engine.failures[:] = [CommandError("never healthy"), None]

    with pytest.raises(CommandError, match="did not hold"):
        roll(engine, "monk")

    back = "up monk services.bookstack.image"
    assert followed.said == [
        *("hold kscloud1", "save bookstack", "up monk"),
        *("bring back bookstack", back, "let go kscloud1"),
    ]


def test_other_side_that_can_not_be_held_stops_it_before_anything_is_changed(
    engine: PlayedEngine, followed: PlayedCopies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_module, "followers", lambda fleet, _: _followers(engine, fleet.here, "hold"))

    with pytest.raises(CommandError, match="kscloud1 does not answer"):
        roll(engine, "monk")

    assert followed.said == ["hold kscloud1"]


def test_other_side_goes_on_where_the_data_can_not_be_saved(engine: PlayedEngine, followed: PlayedCopies) -> None:
    followed.refuses = "save"

    with pytest.raises(CommandError, match="no room"):
        roll(engine, "monk")

    assert followed.said[-1] == "let go kscloud1"


def test_interrupted_update_says_which_side_does_not_follow(engine: PlayedEngine, followed: PlayedCopies) -> None:
    engine.failures[:] = [KeyboardInterrupt()]

    with pytest.raises(CommandError, match="kscloud1 does not follow monk until docker restart bookstack-db there"):
        roll(engine, "monk")

    assert "let go kscloud1" not in followed.said


def test_container_that_gets_sick_after_the_update_goes_back_too(engine: PlayedEngine, copies: PlayedCopies) -> None:
    copies.sick.append("portainer: Restarting (1)")

    with pytest.raises(CommandError, match=r"not healthy: portainer: Restarting \(1\)"):
        roll(engine, "monk")

    assert "bring back portainer" in copies.said


def test_data_that_can_t_be_saved_stops_before_anything_is_changed(engine: PlayedEngine, copies: PlayedCopies) -> None:
    copies.refuses = "save"

    with pytest.raises(CommandError, match="no room"):
        roll(engine, "monk")

    assert "up monk" not in copies.said
    assert NEWER in engine.file("monk").read_text()


def test_way_back_that_fails_too_says_so_and_starts_what_is_there(engine: PlayedEngine, copies: PlayedCopies) -> None:
    engine.failures[:] = [CommandError("never healthy"), CommandError("no daemon")]

    with pytest.raises(CommandError, match="monk could not be put back by itself: no daemon"):
        roll(engine, "monk")

    assert copies.said[-1] == "start portainer"


@pytest.mark.usefixtures("copies")
def test_interrupted_update_says_where_the_data_of_before_lies(engine: PlayedEngine) -> None:
    engine.failures[:] = [KeyboardInterrupt()]

    with pytest.raises(CommandError, match=r"/data/\.before-upgrade/portainer") as raised:
        roll(engine, "monk")

    assert raised.value.exit_code == Exit.CANCELLED
    assert "pulumi cancel -s monk --yes" in raised.value.way_out


@pytest.mark.usefixtures("copies")
def test_what_will_be_done_is_said_with_the_seconds_that_visitors_may_notice(engine: PlayedEngine) -> None:
    deployment = HostDeployment.of("monk", fleet_of_files(engine.files, "monk"), engine, Console(io.StringIO()))

    (line,) = deployment.lines()

    assert line.startswith(f"portainer: portainer/portainer-ce:2.39.6-alpine -> {NEWER}; its data is saved first")
    assert "then at most 180 s, and 180 s more if it has to go back" in line


@pytest.fixture
def typed(engine: PlayedEngine, copies: PlayedCopies, monkeypatch: pytest.MonkeyPatch) -> PlayedEngine:
    """The command itself, on that engine."""
    del copies
    monkeypatch.setattr(command, "Engine", lambda: engine)
    return engine


def _type(*arguments: str) -> int:
    return command.run(parser_of("deploy").parse_args(list(arguments)))


def test_command_shows_each_plan_before_it_deploys(typed: PlayedEngine) -> None:
    assert _type("--yes") == Exit.OK

    assert typed.said == ["preview kscloud1", "up kscloud1", "preview monk", "save portainer", "up monk"]


def test_command_without_anybody_to_ask_does_nothing(typed: PlayedEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())

    with pytest.raises(CommandError, match="nobody is there to be asked"):
        _type()

    assert typed.said == []


def test_command_knows_its_hosts(typed: PlayedEngine) -> None:
    with pytest.raises(CommandError, match="there is no host 'attic'"):
        _type("--yes", "-s", "attic")

    assert typed.said == []


def test_engine_on_path_is_asked_for_what_it_has(tmp_path: Path) -> None:
    program = tmp_path / "pulumi"
    program.write_text(
        "#!/bin/sh\ncase $2 in\n"
        'config) echo \'{"kitestacks:host": {"value": "{\\\\"docker\\\\": \\\\"unix:///x\\\\", '
        '\\\\"data\\\\": \\\\"/d\\\\"}"}}\';;\n'
        "stack) echo 'error: no stack named' >&2; exit 6;;\nesac\n"
    )
    program.chmod(0o755)
    engine = Engine(program=str(program), files=tmp_path)

    assert engine.facts("monk") == HostFacts(docker="unix:///x", data="/d", installation="kitestacks")
    with pytest.raises(CommandError, match="no stack named") as raised:
        engine.outputs("monk")
    assert raised.value.exit_code == Exit.NO_SUCH_STACK
