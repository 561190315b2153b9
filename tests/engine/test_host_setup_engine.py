"""The real engine with a host that is set up: nothing is asked of Docker before, and nothing is replaced by it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.host_setup.asked import section

if TYPE_CHECKING:
    from tests.engine.lab import Lab

pytestmark = pytest.mark.engine
STACK = "kscloud1"


def test_setup_comes_first_on_a_fresh_host_and_then_changes_nothing(lab: Lab) -> None:
    lab.files.edit(STACK, "host.setup", section())
    lab.make_stack(STACK)
    lab.render()
    lab.make_stack(STACK)

    plan = lab.pulumi("preview", "-s", STACK)
    assert plan.status == 0, plan.output
    lab.up(STACK)

    resources = {each["urn"].rpartition("::")[2]: each for each in lab.resources(STACK)}
    setup = resources[f"{STACK}-setup-command"]
    assert setup["urn"] in resources[f"{STACK}-docker"]["dependencies"]
    assert [run["host"] for run in lab.cloud()["command"]["runs"] if run["id"] == setup["id"]] == ["203.0.113.7"]
    # The join key that Tailscale gave is what the command was handed, and it is encrypted in the state.
    key = next(each for name, each in resources.items() if name == f"tailnet-{STACK}-key")
    assert key["urn"] in setup["dependencies"]
    assert "ciphertext" in json.dumps(setup["inputs"]["stdin"])
    assert "ciphertext" in json.dumps(setup["inputs"]["connection"])

    again = lab.pulumi("preview", "--refresh", "--expect-no-changes", "-s", STACK)
    assert again.status == 0, again.output

    # What the join step says where a key is used up.
    renewed = steps(lab, "--replace", f"**tailnet-{STACK}-key")
    assert "replace" in renewed[f"tailnet-{STACK}-key"]

    lab.files.edit(STACK, "host.setup.docker-version", "28.5.2")
    lab.render()
    assert steps(lab) == {f"{STACK}-setup-command": "update"}


def test_section_that_is_added_later_replaces_no_container(lab: Lab) -> None:
    lab.restore()
    lab.up(STACK)
    lab.files.edit(STACK, "host.setup", section())
    lab.render()
    lab.make_stack(STACK)

    planned = steps(lab)

    assert planned.pop(f"{STACK}-setup") == "create"
    assert planned.pop(f"{STACK}-setup-command") == "create"
    assert not {name for name, step in planned.items() if step != "update"}


def steps(lab: Lab, *flags: str) -> dict[str, str]:
    """What a plan would do, by resource."""
    plan: dict[str, Any] = json.loads(_json(lab.pulumi("preview", "--json", "-s", STACK, *flags).output))
    changes = [each for each in plan["steps"] if each["op"] not in {"same", "refresh", "read"}]
    return {each["urn"].rpartition("::")[2]: each["op"] for each in changes}


def _json(output: str) -> str:
    return output[output.index("{") :]
