"""The databases' steps in a simulated cloud: run where data is real, noted alone where it is played."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.cloud import data_steps
from rehearsal.cloud.command import LocalCommand
from rehearsal.cloud.resource import Refusal
from rehearsal.cloud.store import Store
from tests.stack_files import ROOT

if TYPE_CHECKING:
    from pathlib import Path

STEP = "python3 -m kitestacks step "
FACTS = {"endpoint": "unix:///nowhere.sock", "container": "none", "engine": "postgres", "user": "a", "database": "a"}
GIVEN = json.dumps({"facts": FACTS, "secrets": {"password": "never-to-be-seen"}})


def _step(program: str) -> dict[str, Any]:
    return {"create": STEP + program, "update": STEP + program, "stdin": GIVEN}


def test_every_step_that_is_run_exists() -> None:
    for program in data_steps.PROGRAMS:
        assert (ROOT / "components" / f"{program.replace('.', '/')}.py").is_file()


def test_step_of_an_app_is_noted_and_not_run(tmp_path: Path) -> None:
    assert data_steps.run(_step("services.grafana.admin_password")) == ""
    assert data_steps.run({"create": "touch /tmp/x"}) == ""
    store = Store(tmp_path, real_data=True)
    assert LocalCommand().create(store, _step("services.grafana.admin_password"))[1] == {"stdout": "", "stderr": ""}


def test_step_of_a_database_is_run_and_its_refusal_is_the_engines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    store = Store(tmp_path, real_data=True)

    with pytest.raises(Refusal, match="the program `docker` is needed") as refused:
        LocalCommand().create(store, _step("password_step"))
    assert "never-to-be-seen" not in str(refused.value)
    assert store.view()["command"]["commands"] == {}


def test_played_databases_have_no_step_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert LocalCommand().create(Store(tmp_path), _step("password_step"))[1]["stdout"] == ""
