"""The plans of both real stacks, made once: what each service's tests look at."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from tests.recorder import Run, foundation_outputs, run_program

if TYPE_CHECKING:
    from tests.recorder import Recorded

STACKS = ("kscloud1", "monk")


@cache
def plan(stack: str) -> Run:
    """The plan of a real stack."""
    references = {"kscloud1": foundation_outputs("monk", "kscloud1")} if stack != "kscloud1" else None
    return run_program(stack, references=references)


def containers_of(service: str, stack: str) -> dict[str, Recorded]:
    """The containers of a service, by name."""
    return {
        name: container
        for name, container in plan(stack).containers().items()
        if {"label": "kitestacks.service", "value": service} in container.inputs["labels"]
    }


def environment(container: Recorded) -> dict[str, str]:
    """A container's environment as a mapping."""
    return dict(entry.split("=", 1) for entry in container.inputs["envs"])


def files(container: Recorded) -> dict[str, Any]:
    """A container's files: their text by path."""
    return {upload["file"]: upload["content"] for upload in container.inputs.get("uploads", [])}
