"""The runbook is fresh, follows the stack files, and tells when each fault was last rehearsed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from components.fleet_files import fleet_of_files
from components.runbook import command, rehearsed, runbook_text
from components.runbook.facts import drilled_pages
from components.runbook.rehearsed import Rehearsal
from kitestacks.__main__ import parser_of
from kitestacks.exits import CommandError
from rehearsal.drill import data, faults
from tests.runbook_page import PAGE, pages
from tests.runbook_page import commands as typed_on
from tests.stack_files import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stack_files import StackFiles


def _titles(text: str) -> list[str]:
    return re.findall(r"^## (.+)$", text, flags=re.MULTILINE)


def test_page_is_fresh() -> None:
    assert PAGE.read_text() == runbook_text(fleet_of_files(ROOT), rehearsed.read(command.DATES)), "make runbook"


def test_every_date_belongs_to_a_page_and_stands_on_it() -> None:
    dates = rehearsed.read(command.DATES)

    assert set(dates) <= set(pages())
    for title, last in dates.items():
        assert f"**Last rehearsed:** {last.date}, {last.by}." in pages()[title]


def test_every_drill_with_a_page_names_one_that_is_there() -> None:
    drilled = drilled_pages(fleet_of_files(ROOT))

    assert set(drilled.values()) <= set(pages())
    assert set(drilled) <= {*faults.known(), *data.known()}


def test_sites_and_seconds_are_those_of_the_contract(files: StackFiles) -> None:
    files.edit("monk", "services.site-proxy.check-interval", "9s")
    files.edit("kscloud1", "services.site-proxy.check-interval", "9s")

    text = runbook_text(files.fleet("kscloud1"), {})

    assert "wiki.kitestacks.com (within 14 s)" in text
    assert "wiki.kitestacks.com (within 14 s)" not in PAGE.read_text()


def test_service_that_no_file_lists_has_no_page(files: StackFiles) -> None:
    files.edit("monk", "services.portainer", None)

    text = runbook_text(files.fleet("kscloud1"), {})

    assert "Portainer locked" in _titles(PAGE.read_text())
    assert "portainer" not in text.lower()


def test_each_host_has_a_page(files: StackFiles) -> None:
    files.add_host("attic")

    text = runbook_text(files.fleet("kscloud1"), {})

    assert _titles(text)[:3] == ["attic is gone", "monk is gone", "kscloud1 is gone"]
    assert "pulumi up -s attic" in text


def test_page_says_when_it_was_last_rehearsed_or_never(files: StackFiles) -> None:
    known = {"Tunnel down": Rehearsal(date="2026-11-02", by="by hand")}

    text = runbook_text(files.fleet("kscloud1"), known)

    assert text.count("**Last rehearsed:** never.") == len(_titles(text)) - 1
    assert "**Last rehearsed:** 2026-11-02, by hand." in text


def test_make_lines_of_the_page_come_to_commands_that_accept_them() -> None:
    """Each command has tests of its own; between them and the page stands the Makefile alone."""
    if shutil.which("make") is None:
        pytest.skip("no make here: apt-get install make")
    lines = {line for text in pages().values() for line in typed_on(text) if line.startswith("make ")}
    assert {"make doctor", "make deploy", "make drill FAULT=connector-gone"} <= lines

    for line in lines:
        dry = subprocess.run([*line.split(), "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=True)
        ours = re.findall(r"-m kitestacks ([^&\n]+)", dry.stdout)
        assert ours, line
        for name, *arguments in map(str.split, ours):
            parser_of(name).parse_args(arguments)


def test_new_passphrase_of_the_page_is_its_owners_alone(tmp_path: Path) -> None:
    (line,) = re.findall(r"^ +(\(umask 077; .*)$", pages()["Lost state or passphrase"], flags=re.MULTILINE)

    subprocess.run(["bash", "-c", line], env=os.environ | {"HOME": str(tmp_path)}, check=True)

    made = tmp_path / ".kitestacks-passphrase"
    assert made.stat().st_mode & 0o077 == 0
    assert len(made.read_text().strip()) >= 40


def _report(folder: Path, day: str, fault: str, *, kept: bool) -> None:
    (folder / f"{day}T10-00-00-{fault}.json").write_text(json.dumps({"fault": fault, "kept": kept}))


def test_newer_drills_that_kept_their_promises_are_taken_over(tmp_path: Path) -> None:
    _report(tmp_path, "2026-11-03", "monk-gone", kept=True)
    _report(tmp_path, "2026-11-04", "monk-gone", kept=False)
    _report(tmp_path, "2026-11-01", "connector-gone", kept=True)
    _report(tmp_path, "2026-11-04", "restart", kept=True)
    before = {"Tunnel down": Rehearsal(date="2026-11-02", by="by hand")}

    found = rehearsed.with_drills(before, tmp_path, {"monk-gone": "monk is gone", "connector-gone": "Tunnel down"})

    assert found == before | {"monk is gone": Rehearsal(date="2026-11-03", by="`make drill FAULT=monk-gone`")}


def test_of_two_drills_on_one_day_the_later_counts(tmp_path: Path) -> None:
    for fault in ("a-upgrade", "b-bad-upgrade"):
        _report(tmp_path, "2026-11-03", fault, kept=True)
    page = "A container never gets healthy"

    found = rehearsed.with_drills({}, tmp_path, {"a-upgrade": page, "b-bad-upgrade": page})

    assert found[page].by == "`make drill FAULT=b-bad-upgrade`"


def test_dates_are_written_and_read(tmp_path: Path) -> None:
    known = {"Disk full": Rehearsal(date="2026-11-02", by="by hand")}

    rehearsed.write(tmp_path / "rehearsed.json", known)

    assert rehearsed.read(tmp_path / "rehearsed.json") == known


def test_date_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        Rehearsal(date="yesterday", by="by hand")


def test_command_writes_what_its_check_accepts(files: StackFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = files.folder
    (folder / "docs").mkdir()
    (folder / "docs/rehearsed.json").write_text("{}")
    (folder / "RUNBOOK.md").write_text("old")
    for name, path in {"ROOT": "", "PAGE": "RUNBOOK.md", "DATES": "docs/rehearsed.json", "REPORTS": "drills"}.items():
        monkeypatch.setattr(command, name, folder / path)

    with pytest.raises(CommandError, match="not what the stack files say"):
        command.run(parser_of("runbook").parse_args(["--check"]))
    assert command.run(parser_of("runbook").parse_args([])) == 0
    assert command.run(parser_of("runbook").parse_args(["--check"])) == 0
