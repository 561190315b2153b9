"""`sites`: the table of the README is fresh, what is printed is the contract, and a broken file is refused in words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from components import sites_command
from components.fleet_files import fleet_of_files
from components.sites import site_reports
from kitestacks.__main__ import parser_of
from kitestacks.exits import CommandError
from tests.stack_files import ROOT

if TYPE_CHECKING:
    from tests.stack_files import StackFiles


def _run(*arguments: str) -> int:
    return sites_command.run(parser_of("sites").parse_args(list(arguments)))


def test_table_of_the_readme_is_fresh() -> None:
    page = (ROOT / "README.md").read_text()

    assert page == sites_command.with_table(page, site_reports(fleet_of_files(ROOT))), "make sites"


def test_every_site_stands_in_what_is_printed_with_its_worst_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("--json") == 0
    told = {site["hostname"]: site for site in json.loads(capsys.readouterr().out)}

    assert told["wiki.kitestacks.com"]["primary"] == "monk"
    assert any(
        promise["fault"] == "monk gone" and promise["seconds"] for promise in told["www.kitestacks.com"]["promises"]
    )
    assert set(told) == {site.hostname for site in fleet_of_files(ROOT).sites}


def test_formulas_and_what_to_type_are_shown_on_demand(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    assert _run("--why") == 0
    printed = capsys.readouterr().out

    assert "docker restart cloudflared" in printed
    assert "connector time-out 5 s" in printed


def test_broken_stack_file_is_refused_in_words(files: StackFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    files.edit("monk", "services.portal.site.hostname", "www.elsewhere.org")
    monkeypatch.setattr(sites_command, "ROOT", files.folder)

    with pytest.raises(CommandError, match=r"must lie in the zone kitestacks\.com"):
        _run()


def test_page_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="the page has no"):
        sites_command.with_table("a page", [])
