"""Uptime Kuma's step against a Kuma that is played over real socket.io."""

from __future__ import annotations

import contextlib
import copy
import re
from queue import SimpleQueue
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import socketio

from components import step_program
from components.machine import Done, StepError
from components.services.uptime_kuma import setup
from components.services.uptime_kuma.client import Kuma
from components.step_program import Given
from tests.ports import free_port
from tests.services.fake_kuma import FROM_THE_FORM, FakeKuma
from tests.services.machines import PlayedMachine, hurry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PASSWORD = "ours-and-long"  # noqa: S105 - of a test
USER = {"username": "admin", "password": PASSWORD}


def site(name: str, group: str = "Start", interval: int = 60) -> dict[str, Any]:
    url = f"https://{name}/healthz"
    return {"name": name, "url": url, "interval": interval, "description": f"{name} on monk", "group": group}


WWW, WIKI = site("www.kitestacks.com"), site("wiki.kitestacks.com", "Knowledge")


def given(*sites: dict[str, Any], login_off: bool = True) -> Given:
    facts = {
        "container": "uptime-kuma",
        "port": 3001,
        "user": "admin",
        "url": "https://status.kitestacks.com",
        "login_off": login_off,
        "page": {"slug": "kitestacks", "title": "kitestacks.com"},
        "monitors": list(sites),
    }
    return Given(facts=facts, secrets={"admin-password": PASSWORD})


class World:
    """A Kuma, and the machine on which it runs with its own program for passwords."""

    def __init__(self, kuma: FakeKuma, address: str) -> None:
        self.kuma = kuma
        self.machine = PlayedMachine(address=address, answer=self._reset)
        self.reset_fails = False

    def run(self, *sites: dict[str, Any], login_off: bool = True) -> str:
        return setup.run(given(*sites, login_off=login_off), self.machine)

    def monitors(self) -> dict[str, dict[str, Any]]:
        return {each["name"]: each for each in self.kuma.monitors.values()}

    def page(self) -> dict[str, list[str]]:
        names = {number: each["name"] for number, each in self.kuma.monitors.items()}
        return {group["name"]: [names[each["id"]] for each in group["monitorList"]] for group in self.kuma.groups}

    def _reset(self, command: Sequence[str], stdin: str) -> Done:
        """`extra/reset-password.js`, which ends with 0 in any case."""
        assert command[:2] == ("sh", "-c")
        assert "exec node extra/reset-password.js" in command[2]
        if self.reset_fails:
            return Done(code=0, out="Connecting the database\n", err=f"Error: too weak: {stdin}")
        said = f"Connecting the database\nFound user: {self.kuma.user['username']}\n"
        if "--dry-run" not in command:
            self.kuma.set_password(stdin.removesuffix("\n"))
        return Done(code=0, out=f"{said}Password reset successfully.\nFinished.\n", err="")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    hurry(monkeypatch)
    kuma = FakeKuma()
    with kuma.running() as address:
        yield World(kuma, address)


def test_first_run_makes_everything(world: World) -> None:
    said = world.run(WWW, WIKI)

    assert world.kuma.user == USER
    assert world.kuma.settings == {
        "keepDataPeriodDays": 180,
        "disableAuth": True,
        "primaryBaseURL": "https://status.kitestacks.com",
        "checkUpdate": False,
    }
    assert set(world.monitors()) == {"www.kitestacks.com", "wiki.kitestacks.com"}
    assert world.page() == {"Start": ["www.kitestacks.com"], "Knowledge": ["wiki.kitestacks.com"]}
    assert said == "user admin is made; the settings are set; monitors added: 2; the status page is set"


def test_monitor_asks_for_the_site_itself_and_tells_by_the_owners_default(world: World) -> None:
    world.run(WWW)

    monitor = world.monitors()["www.kitestacks.com"]
    assert (monitor["type"], monitor["url"], monitor["interval"]) == ("http", "https://www.kitestacks.com/healthz", 60)
    assert (monitor["maxredirects"], monitor["accepted_statuscodes"]) == (0, ["200-299"]), "a login page is no answer"
    assert monitor["timeout"] < monitor["interval"]
    assert monitor["notificationIDList"] == {"4": True}
    assert [mark["name"] for mark in monitor["tags"]] == ["kitestacks"]


def test_second_run_changes_nothing(world: World) -> None:
    world.run(WWW, WIKI)
    world.kuma.writes.clear()

    assert world.run(WWW, WIKI) == "2 monitors and the page are as they should be"
    assert world.kuma.writes == []


def test_monitor_follows_its_site_and_keeps_what_the_owner_set(world: World) -> None:
    world.run(WWW, WIKI)
    world.monitors()["www.kitestacks.com"]["notificationIDList"] = {"9": True}

    assert world.run(site("www.kitestacks.com", interval=120), WIKI) == "monitors changed: 1"
    monitor = world.monitors()["www.kitestacks.com"]
    assert (monitor["interval"], monitor["notificationIDList"]) == (120, {"9": True})


def test_site_that_is_gone_takes_its_monitor_along(world: World) -> None:
    world.run(WWW, WIKI)

    assert world.run(WWW) == "monitors removed: 1; the status page is set"
    assert set(world.monitors()) == {"www.kitestacks.com"}
    assert world.page() == {"Start": ["www.kitestacks.com"]}


def test_owners_own_monitors_are_never_touched(world: World) -> None:
    form: dict[str, Any] = {key: [] for key in FROM_THE_FORM}
    world.kuma.add_monitor(name="router", type="ping", **form)
    world.kuma.add_monitor(name="www.kitestacks.com", type="http", url="https://elsewhere.example", **form)
    own = copy.deepcopy(world.kuma.monitors)

    world.run(WWW)
    world.run()

    assert world.kuma.monitors == own


def test_monitor_that_an_earlier_run_could_not_mark_is_taken_up(world: World) -> None:
    world.kuma.refuses = "addMonitorTag"
    with pytest.raises(StepError, match="Uptime Kuma refused addMonitorTag: database is locked"):
        world.run(WWW)
    world.kuma.refuses = ""

    world.run(WWW)

    assert len(world.kuma.monitors) == 1
    assert world.monitors()["www.kitestacks.com"]["tags"]


def test_page_of_an_earlier_run_that_got_no_further_is_filled(world: World) -> None:
    world.kuma.refuses = "saveStatusPage"
    with pytest.raises(StepError, match="refused saveStatusPage"):
        world.run(WWW)
    world.kuma.refuses = ""

    assert world.run(WWW) == "the status page is set"
    assert world.page() == {"Start": ["www.kitestacks.com"]}


@pytest.mark.parametrize("off", [True, False])
def test_other_password_is_set_by_kumas_own_program(world: World, off: bool) -> None:
    world.run(WWW)
    world.kuma.settings["disableAuth"] = off
    world.kuma.user["password"] = "the old one"  # noqa: S105 - of a test

    assert "the password of admin is set" in world.run(WWW)
    assert world.kuma.user == USER
    assert not [word for command in world.machine.commands for word in command if PASSWORD in word]


def test_late_word_of_the_connection_that_kuma_ended_does_not_end_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    late: SimpleQueue[tuple[socketio.Client, str]] = SimpleQueue()
    hear, connect_anew = socketio.Client._handle_disconnect, Kuma.connect_anew

    def connect_and_hear(kuma: Kuma) -> None:
        connect_anew(kuma)
        hear(*late.get(timeout=60))

    world.run(WWW)
    world.kuma.user["password"] = "the old one"  # noqa: S105 - of a test
    monkeypatch.setattr(socketio.Client, "_handle_disconnect", lambda *heard: late.put(heard))
    monkeypatch.setattr(Kuma, "connect_anew", connect_and_hear)

    assert "the password of admin is set" in world.run(WWW)


def test_kuma_of_another_user_keeps_his_password(world: World) -> None:
    world.kuma.user = {"username": "kite", "password": "his own"}

    with pytest.raises(StepError, match=re.escape("its user is 'kite'; write `user: kite` into the block")):
        world.run(WWW)

    assert world.kuma.user == {"username": "kite", "password": "his own"}


def test_password_that_cannot_be_set_is_told_without_it(world: World) -> None:
    world.kuma.user = {"username": "admin", "password": "the old one"}
    world.reset_fails = True

    with pytest.raises(StepError, match=r"too weak: \.\.\.") as told:
        world.run(WWW)

    assert PASSWORD not in str(told.value)


def test_second_factor_is_told_with_the_way_out(world: World) -> None:
    world.kuma.user = dict(USER)
    world.kuma.second_factor = True

    with pytest.raises(StepError, match="docker exec -it uptime-kuma npm run remove-2fa"):
        world.run(WWW)


def test_login_stays_where_nobody_stands_in_front(world: World) -> None:
    world.run(WWW, login_off=False)

    assert not world.kuma.settings.get("disableAuth")


def test_waits_for_a_kuma_that_comes_up_later(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    kuma = FakeKuma()
    with contextlib.ExitStack() as later:
        slept: list[float] = []

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if len(slept) == 2:
                later.enter_context(kuma.running(port))

        clock = SimpleNamespace(monotonic=lambda: sum(slept), sleep=sleep)
        monkeypatch.setattr(step_program, "time", clock)

        setup.run(given(WWW), PlayedMachine(address=f"http://127.0.0.1:{port}"))

    assert kuma.user == USER
    assert len(slept) == 2


def test_gives_up_on_a_kuma_that_is_not_up(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)

    with pytest.raises(StepError, match="Uptime Kuma did not answer within 120 s"):
        setup.run(given(WWW), PlayedMachine(address="http://127.0.0.1:9"))
