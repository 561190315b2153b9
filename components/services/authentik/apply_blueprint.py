"""The step that has Authentik's worker apply one of its blueprint files, all of it or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.machine import StepError
from components.step_program import wait_until

if TYPE_CHECKING:
    from components.machine import Done, Machine
    from components.step_program import Given

LIMIT = 300
"""Seconds: a first start fills the database, and then finds the flows that a blueprint builds on."""


def run(given: Given, machine: Machine) -> str:
    """Applies the blueprint until Authentik takes it; applying one twice changes nothing.

    The command ends with 1 if any entry is refused, and then keeps none of them
    (`authentik/blueprints/management/commands/apply_blueprint.py`).

    Raises:
        StepError: Authentik still refuses it at the end of the limit, with its own last words.
    """
    container, blueprint = given.facts["container"], given.facts["blueprint"]
    last: list[Done] = []

    def applied() -> bool:
        last[:] = [machine.execute(container, ("ak", "apply_blueprint", blueprint))]
        return last[0].code == 0

    try:
        wait_until(applied, f"container {container}", LIMIT)
    except StepError:
        raise StepError(f"{container} refuses the blueprint {blueprint}: {_last_words(last[0], given)}") from None
    return f"the blueprint {blueprint} is applied"


def _last_words(done: Done, given: Given) -> str:
    lines = [line for line in (done.err or done.out).splitlines() if line.strip()][-3:]
    words = " / ".join(lines) or f"it ended with {done.code} and said nothing"
    for secret in given.secrets.values():
        words = words.replace(secret, "...")
    return words
