"""Fleets from stack files, without Pulumi: what the policy is derived from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from components.fleet import Fleet
from components.settings import StackFile
from components.tailnet.plan import Plan, plan_of
from tests.stack_files import PREFIX, ROOT

if TYPE_CHECKING:
    from pathlib import Path


def fleet_in(folder: Path = ROOT, here: str = "kscloud1") -> Fleet:
    """The fleet that the stack files of a folder declare, seen from one host."""
    stacks = {}
    for path in sorted(folder.glob("Pulumi.*.yaml")):
        config = yaml.safe_load(path.read_text())["config"]
        values = {key.removeprefix(PREFIX): value for key, value in config.items()}
        stacks[path.name.removeprefix("Pulumi.").removesuffix(".yaml")] = StackFile.model_validate(values)
    return Fleet(here=here, stacks={here: stacks[here]} | stacks)


def plan_in(folder: Path = ROOT, here: str = "kscloud1") -> Plan:
    """What those files ask for; they must have the section."""
    plan = plan_of(fleet_in(folder, here))
    assert plan is not None
    return plan
