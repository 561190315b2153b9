"""A machine that took another's place: what was done to the old one once is done to it as well."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pulumi
import pytest

from components import container_logs
from components.container_logs import explain_failure
from tests.services.plans import plan_with

if TYPE_CHECKING:
    from tests.recorder import Run


def _steps(run: Run) -> dict[str, dict[str, Any]]:
    commands = run.recorder.of_type("Command")
    return {name: json.loads(each.inputs["environment"]["KITESTACKS_STEP"]) for name, each in commands.items()}


@pytest.mark.parametrize("host", ["monk", "kscloud1"])
def test_another_word_for_the_machine_differs_in_every_step_and_in_nothing_else(host: str) -> None:
    before, after = plan_with(host), plan_with(host, ("host.machine", "spring-2027"))

    steps = _steps(after)
    assert steps
    assert {name: {**facts, "machine": "spring-2027"} for name, facts in _steps(before).items()} == steps
    containers = [run.recorder.of_type("Container") for run in (before, after)]
    assert {name: each.inputs["name"] for name, each in containers[0].items()} == {
        name: each.inputs["name"] for name, each in containers[1].items()
    }
    for name, container in containers[0].items():
        if name != "backup-container":
            assert container.inputs["mounts"] == containers[1][name].inputs["mounts"]


def test_folder_that_is_not_there_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "error", said.append)
    monkeypatch.setattr(container_logs, "_last_lines", lambda *_: "It does not exist.")
    errors = ['invalid mount config for type "bind": bind source path does not exist: /data/portal']
    failed = SimpleNamespace(new_inputs={"name": "portal"}, name="portal", errors=errors, failed_operation="create")

    explain_failure("monk", "unix:///nowhere.sock")(cast("pulumi.ErrorHookArgs", failed))

    (line,) = said
    assert "another disk that is not mounted: mount it" in line.lower()
    assert "another word as host.machine into Pulumi.monk.yaml" in line
