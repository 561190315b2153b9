"""The two real stack files under mocks: what they register, in full, and what they put out."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from components.settings import StackFile
from tests.recorder import Run, foundation_outputs, run_program
from tests.stack_files import ROOT

if TYPE_CHECKING:
    from tests.golden_files import Golden

REFERENCES = {"kscloud1": foundation_outputs("monk", "kscloud1")}


def _run(stack: str) -> Run:
    return run_program(stack, references=REFERENCES if stack == "monk" else None)


@pytest.mark.parametrize("stack", ["kscloud1", "monk"])
def test_stack_registers_exactly_the_golden_resources(stack: str, golden: Golden) -> None:
    urns = [urn.partition("::kitestacks::")[2] for urn in _run(stack).urns]

    golden.check(f"{stack}.txt", "\n".join(urns) + "\n")


@pytest.mark.parametrize("stack", ["kscloud1", "monk"])
def test_containers_match_their_golden_file(stack: str, golden: Golden) -> None:
    containers = {name: _readable(container.inputs) for name, container in sorted(_run(stack).containers().items())}

    golden.check(f"{stack}.containers.json", json.dumps(containers, indent=2, sort_keys=True) + "\n")


def test_foundation_puts_out_what_other_hosts_read_and_keeps_the_tokens_secret() -> None:
    outputs = _run("kscloud1").outputs

    assert set(outputs) == {"foundation", "images", "kept", "passwords", "sites", "tailnet"}
    assert isinstance(outputs["foundation"], pulumi.Output)
    assert outputs["sites"]["www.kitestacks.com"]["hosts"] == ["monk", "kscloud1"]


def test_another_host_puts_out_no_foundation() -> None:
    assert set(_run("monk").outputs) == {"images", "kept", "passwords", "sites"}


def _readable(inputs: dict[str, Any]) -> dict[str, Any]:
    """A container's inputs without the text of its files, which have tests of their own."""
    files = {upload["file"]: [upload["permissions"], upload.get("owner")] for upload in inputs.get("uploads", [])}
    return {key: value for key, value in inputs.items() if key != "uploads"} | {"uploads": _unhashed(files)}


def _unhashed(files: dict[str, Any]) -> dict[str, Any]:
    """Without the content hashes in the names of the portal's assets."""
    return {
        ".".join(part for part in path.split(".") if len(part) < 8 or "/" in part): mode for path, mode in files.items()
    }


def test_services_keep_the_order_in_which_the_owner_wrote_them() -> None:
    host = {"docker": "unix:///x", "data": "/x", "tailscale-address": "100.64.0.1"}
    blocks = {name: {"image": "x:1"} for name in ("portal", "cloudflared", "node-exporter")}

    for order in (list(blocks), sorted(blocks)):
        written = {name: blocks[name] for name in order}
        assert list(StackFile.model_validate({"host": host, "services": written}).service_settings) == order


def test_program_needs_no_command_of_the_project() -> None:
    """A rehearsal, and a kit's folder, run it with its components alone; programs of steps are no part of it."""
    told = "print([each for each in sys.modules if each.startswith('kitestacks')])"
    alone = f"import sys; import components.settings; {told}"
    done = subprocess.run([sys.executable, "-c", alone], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.stdout.strip(), done.stderr) == ("[]", "")
