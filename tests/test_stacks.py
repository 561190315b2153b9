"""The two real stack files under mocks: what they register, in full, and what they put out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest

from tests.recorder import Run, foundation_outputs, run_program

GOLDEN = Path(__file__).parent / "golden"
REFERENCES = {"kscloud1": foundation_outputs("monk", "kscloud1")}


def _run(stack: str) -> Run:
    return run_program(stack, references=REFERENCES if stack == "monk" else None)


@pytest.mark.parametrize("stack", ["kscloud1", "monk"])
def test_stack_registers_exactly_the_golden_resources(stack: str) -> None:
    golden = GOLDEN / f"{stack}.txt"

    urns = [urn.partition(f"::{'kitestacks'}::")[2] for urn in _run(stack).urns]

    assert urns == golden.read_text().splitlines(), f"if that is meant: write the new list to {golden.name}"


@pytest.mark.parametrize("stack", ["kscloud1", "monk"])
def test_containers_match_their_golden_file(stack: str) -> None:
    golden = GOLDEN / f"{stack}.containers.json"
    containers = {name: _readable(container.inputs) for name, container in sorted(_run(stack).containers().items())}

    assert json.loads(json.dumps(containers)) == json.loads(golden.read_text())


def test_foundation_puts_out_what_other_hosts_read_and_keeps_the_tokens_secret() -> None:
    outputs = _run("kscloud1").outputs

    assert set(outputs) == {"foundation", "sites"}
    assert isinstance(outputs["foundation"], pulumi.Output)
    assert outputs["sites"] == {"www.kitestacks.com": ["kscloud1", "monk"]}


def test_another_host_puts_out_no_foundation() -> None:
    assert set(_run("monk").outputs) == {"sites"}


def _readable(inputs: dict[str, Any]) -> dict[str, Any]:
    """A container's inputs without the text of its files, which have tests of their own."""
    files = {upload["file"]: [upload["permissions"], upload.get("owner")] for upload in inputs.get("uploads", [])}
    return {key: value for key, value in inputs.items() if key != "uploads"} | {"uploads": _unhashed(files)}


def _unhashed(files: dict[str, Any]) -> dict[str, Any]:
    """Without the content hashes in the names of the portal's assets."""
    return {
        ".".join(part for part in path.split(".") if len(part) < 8 or "/" in part): mode for path, mode in files.items()
    }
