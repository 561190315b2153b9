"""One golden file per service: what its containers are given, to be read by people in a diff."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from components.services import KNOWN_SERVICES
from tests.services.plans import STACKS, containers_of, environment

if TYPE_CHECKING:
    from tests.golden_files import Golden
    from tests.recorder import Recorded

SHOWN = ("image", "command", "entrypoints", "user", "memory", "mounts", "ports", "hosts", "tmpfs", "shmSize", "init")
"""What is shown as it is, where a container has it."""
LONGEST = 4000
"""Longer files have tests of their own; here stands that they are there."""


@pytest.mark.parametrize("service", KNOWN_SERVICES)
def test_service_is_given_what_its_golden_file_says(service: str, golden: Golden) -> None:
    given = {stack: {name: _shown(each) for name, each in containers_of(service, stack).items()} for stack in STACKS}
    placed = {stack: containers for stack, containers in given.items() if containers}

    assert placed, f"{service} stands in no stack file: its golden file would show nothing"
    golden.check(f"services/{service}.json", json.dumps(placed, indent=2, sort_keys=True) + "\n")


def _shown(container: Recorded) -> dict[str, Any]:
    inputs = container.inputs
    shown = {key: inputs[key] for key in SHOWN if inputs.get(key)}
    return shown | {
        "environment": environment(container),
        "health": inputs["healthcheck"]["tests"],
        "capabilities": inputs["capabilities"]["adds"],
        "networks": [network["name"] for network in inputs.get("networksAdvanced") or []],
        "files": {upload["file"]: _file(upload) for upload in inputs.get("uploads", [])},
    }


def _file(upload: dict[str, Any]) -> str | list[str]:
    if upload["permissions"] != "0444":
        return "private"
    text = str(upload["content"])
    return text.splitlines() if len(text) <= LONGEST else "long"
