"""The plans of both real stacks, made once: what each service's tests look at."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.recorder import Run, foundation_outputs, run_program
from tests.stack_files import StackFiles

if TYPE_CHECKING:
    from tests.recorder import Recorded

STACKS = ("kscloud1", "monk")


@cache
def plan(stack: str) -> Run:
    """The plan of a real stack."""
    references = {"kscloud1": foundation_outputs("monk", "kscloud1")} if stack != "kscloud1" else None
    return run_program(stack, references=references)


@cache
def plan_with(stack: str, *edits: tuple[str, str]) -> Run:
    """The plan of a real stack whose files say something else, all alike: dotted paths and values."""
    with tempfile.TemporaryDirectory() as folder:
        files = StackFiles.copied_to(Path(folder))
        for path, value in edits:
            for each in STACKS:
                files.edit(each, path, value)
        references = {"kscloud1": foundation_outputs("monk", "kscloud1")} if stack != "kscloud1" else None
        return run_program(stack, files.folder, references=references)


def containers_of(service: str, stack: str) -> dict[str, Recorded]:
    """The containers of a service, by name."""
    return containers_in(plan(stack), service)


def containers_in(run: Run, service: str) -> dict[str, Recorded]:
    """The containers of a service in a plan, by name."""
    return {
        name: container
        for name, container in run.containers().items()
        if {"label": "kitestacks.service", "value": service} in container.inputs["labels"]
    }


def environment(container: Recorded) -> dict[str, str]:
    """A container's environment as a mapping."""
    return dict(entry.split("=", 1) for entry in container.inputs["envs"])


def files(container: Recorded) -> dict[str, Any]:
    """A container's files: their text by path."""
    return {upload["file"]: upload["content"] for upload in container.inputs.get("uploads", [])}
