"""Drills: what is measured from answers, what is held against which promise, what is put back, what is written down."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from components.sites import site_reports
from kitestacks.__main__ import parser_of
from kitestacks.exits import CommandError
from rehearsal.drill import command as drill_command
from rehearsal.drill import data, faults, measure, report
from rehearsal.drill.data.drill import BrokenError, DataResult, Notes, wait_for
from rehearsal.drill.pages import Kept, Writer
from rehearsal.drill.promised import UNTOUCHED, promised
from rehearsal.drill.scene import Scene
from rehearsal.sites import Answer
from tests.stack_files import ROOT, StackFiles

if TYPE_CHECKING:
    from pathlib import Path

    from rehearsal.drill.data.drill import DataDrill
    from rehearsal.drill.probe import Probe, Probes

from rehearsal.drill import probe as probe_module

GOOD, BAD = Answer(200, by="monk"), Answer(530, fault="1033")
SCENE = cast("Scene", None)
"""These tests' faults do nothing to any container."""


def _probe(*answers: tuple[float, Answer], hostname: str = "www.kitestacks.com") -> Probe:
    return probe_module.Probe(twin=cast("Any", None), hostname=hostname, began=0.0, answers=list(answers))


def _answers(gap: tuple[float, float], until: float = 6.0) -> Probe:
    """Ten questions a second, without a good answer inside the gap."""
    moments = [index / 10 for index in range(int(until * 10))]
    return _probe(*((at, BAD if gap[0] <= at < gap[1] else GOOD) for at in moments))


def test_longest_silence_is_measured_between_good_answers() -> None:
    probe = _answers((2.0, 3.5))

    assert probe.silence(1.0, 5.9) == pytest.approx(1.6)
    assert probe.silence(4.0, 5.9) == 0.0
    assert probe.failed(1.0, 5.9) == 15
    assert probe.answered_by(1.0, 5.9) == ["monk"]
    assert probe.faults(1.0, 5.9) == ["1033"]


def test_site_that_never_answers_is_silent_from_beginning_to_end() -> None:
    assert _answers((0.0, 6.0)).silence(1.0, 5.0) == pytest.approx(4.0)


class FakeProbes:
    """Probes whose answers are known beforehand."""

    def __init__(self, *probes: Probe) -> None:
        self.by_site = {probe.hostname: probe for probe in probes}
        self.second = 1.0

    def now(self) -> float:
        return self.second

    def wait_until_good(self, hostnames: object, limit: float) -> bool:
        assert hostnames
        assert limit > 0
        self.second = 5.9
        return True


def _fault(**changes: Any) -> faults.Fault:  # noqa: ANN401
    fault = faults.Fault(
        name="none",
        title="nothing goes wrong",
        promises=("monk gone",),
        strike=lambda _: None,
        mend=lambda _: None,
        back="nothing",
        lasts=0.0,
    )
    return replace(fault, **changes)


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "BEFORE", 0.0)
    monkeypatch.setattr(measure, "AFTER", 0.0)


def _play(gap: tuple[float, float], allowed: float | None) -> measure.Result:
    played = FakeProbes(_answers(gap))
    fault = _fault(strike=lambda _: setattr(played, "second", 2.5))
    return measure.play(fault, SCENE, cast("Probes", played), {"www.kitestacks.com": allowed})


@pytest.mark.parametrize(
    ("gap", "allowed", "kept"),
    [((2.0, 3.0), 5.0, True), ((2.0, 3.0), 0.5, False), ((0.0, 0.0), 1.0, True), ((2.0, 3.0), None, True)],
    ids=["inside the promise", "above the promise", "nothing missed", "nothing promised"],
)
def test_measured_seconds_are_held_against_the_promise(
    gap: tuple[float, float], allowed: float | None, *, kept: bool
) -> None:
    assert _play(gap, allowed).kept is kept


def test_site_that_does_not_come_back_breaks_any_promise() -> None:
    assert not _play((2.0, 6.0), None).kept


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_interrupted_fault_is_put_back(error: type[BaseException]) -> None:
    done: list[str] = []

    def strike(_: Scene) -> None:
        done.append("struck")
        raise error

    fault = _fault(strike=strike, mend=lambda _: done.append("put back"))
    with pytest.raises(error):
        measure.play(fault, SCENE, cast("Probes", FakeProbes(_answers((0, 0)))), {})

    assert done == ["struck", "put back"]


def test_every_fault_is_held_against_promises_that_the_contract_makes() -> None:
    reports = site_reports(StackFiles(ROOT).fleet("monk"))
    made = {promise.fault for site in reports for promise in site.promises}

    for fault in faults.known().values():
        assert set(fault.promises) <= made, fault.name
        assert fault.promises or fault.all_down, fault.name


@pytest.mark.parametrize(
    ("name", "hostname", "allowed"),
    [
        ("monk-gone", "grafana.kitestacks.com", None),
        ("kscloud1-gone", "grafana.kitestacks.com", UNTOUCHED),
        ("app-sick", "grafana.kitestacks.com", UNTOUCHED),
        ("restart", "www.kitestacks.com", None),
    ],
)
def test_each_site_is_allowed_what_the_deployed_contract_says(
    name: str, hostname: str, allowed: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {site.hostname: site.output() for site in site_reports(StackFiles(ROOT).fleet("monk"))}
    monkeypatch.setattr("rehearsal.engine.run", lambda *_, **__: json.dumps(told))
    twin = cast("Any", SimpleNamespace(project=ROOT))
    scene = Scene(twin=twin, daemon=cast("Any", None), tools=cast("Any", None), console=cast("Any", None))

    assert promised(faults.known()[name], scene)[hostname] == allowed


def test_report_is_dated_and_shows_who_answered_when(tmp_path: Path) -> None:
    result = _play((2.0, 3.0), 0.5)
    page = report.write(tmp_path, result, datetime(2026, 11, 27, 14, 0, tzinfo=UTC))

    assert page.name == "2026-11-27T14-00-00-none.md"
    text = page.read_text()
    assert "| www.kitestacks.com | 1.1 s | 0.5 s | 10 | monk | 1033 | BROKEN |" in text
    assert "A promise was BROKEN" in text
    picture = ET.parse(page.with_suffix(".svg")).getroot()  # noqa: S314 - written a line above
    bars = [bar for bar in picture.iter("{http://www.w3.org/2000/svg}rect") if bar.find("{*}title") is not None]
    assert [bar.get("fill") == "#d33" for bar in bars] == [False, True, False]
    assert page.with_suffix(".json").exists()


@pytest.mark.parametrize(
    ("pages", "kept"),
    [
        (None, True),
        (Kept(saved=9, lost=[], authors={"monk": 9}, pause=0.4, applied=True), True),
        (Kept(saved=9, lost=[4], authors={"monk": 8}, pause=0.4, applied=True), False),
        (Kept(saved=9, lost=[], authors={"monk": 9}, pause=0.4, applied=False), False),
        (Kept(saved=0, lost=[], authors={}, pause=0.0, applied=True), False),
    ],
    ids=["played data", "all there", "one lost", "databases differ", "nobody could write"],
)
def test_promise_is_broken_by_a_page_that_is_missing(pages: Kept | None, *, kept: bool) -> None:
    assert replace(_play((2.0, 2.2), 5.0), pages=pages).kept is kept


def test_drill_of_data_that_breaks_is_written_down_with_its_reason(tmp_path: Path) -> None:
    notes = Notes(say=lambda _: None)
    notes.add("saved")
    with pytest.raises(BrokenError, match="broken: all is back"):
        notes.require(False, "all is back")
    result = DataResult(fault="restore", title="all is wrecked", lines=notes.lines, broken="broken: all is back")

    page = report.write_data(tmp_path, result, datetime(2026, 11, 29, 16, 0, tzinfo=UTC))

    assert page.name == "2026-11-29T16-00-00-restore.md"
    assert "`make drill FAULT=restore`: BROKEN" in page.read_text()
    assert "broken: all is back" in page.read_text()
    assert json.loads(page.with_suffix(".json").read_text())["kept"] is False


def test_condition_that_never_comes_true_is_named() -> None:
    with pytest.raises(BrokenError, match="waited 0 s in vain: the databases agree"):
        wait_for(lambda: False, "the databases agree", limit=0)


def test_data_is_not_drilled_where_it_is_played(monkeypatch: pytest.MonkeyPatch) -> None:
    twin = cast("Any", SimpleNamespace(real_data=False, project=ROOT))
    scene = Scene(twin=twin, daemon=cast("Any", None), tools=cast("Any", None), console=cast("Any", None))
    monkeypatch.setattr(drill_command, "_scene", lambda: scene)

    with pytest.raises(CommandError, match="promotion needs a rehearsal with real data") as refused:
        drill_command.run(parser_of("drill").parse_args(["promotion"]))
    assert "make rehearsal DATA=real" in refused.value.way_out


def test_drill_that_the_stack_files_leave_nothing_for_says_what_it_wants(
    monkeypatch: pytest.MonkeyPatch, files: StackFiles
) -> None:
    for host in ("monk", "kscloud1"):
        files.edit(host, "services.bookstack.data", "manual")
    twin = cast("Any", SimpleNamespace(real_data=True, project=files.folder))
    scene = Scene(twin=twin, daemon=cast("Any", None), tools=cast("Any", None), console=cast("Any", None))
    monkeypatch.setattr(drill_command, "_scene", lambda: scene)

    with pytest.raises(CommandError, match="bad-upgrade needs the wiki on two hosts with `data: ring`"):
        drill_command.run(parser_of("drill").parse_args(["bad-upgrade"]))
    assert Writer.of(scene) is None, "nobody could go on writing, and nothing would be compared"


@pytest.mark.parametrize("drill", data.known().values(), ids=lambda drill: drill.name)
def test_projects_own_stack_files_have_what_each_drill_of_data_wants(drill: DataDrill) -> None:
    assert drill.fits(StackFiles(ROOT).fleet("kscloud1"))


def test_fault_that_nobody_knows_is_answered_with_all_that_there_are() -> None:
    with pytest.raises(CommandError, match="there is no fault 'flood'") as refused:
        drill_command.run(parser_of("drill").parse_args(["flood"]))
    assert "monk-gone" in refused.value.way_out
    assert "burned-house" in refused.value.way_out
