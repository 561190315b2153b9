"""The step that applies a blueprint, against a fake of Authentik's command."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest

from components.machine import Done, Machine, StepError
from components.services.authentik import apply_blueprint
from components.step_program import Given

if TYPE_CHECKING:
    from collections.abc import Sequence

SECRET = "geheim"  # noqa: S105
GIVEN = Given(
    facts={"container": "authentik-worker", "blueprint": "custom/kitestacks/login.yaml", "digest": "0"},
    secrets={"wiki.client-secret": SECRET},
)
DONE = Done(code=0, out="", err="")


def refused(*lines: str) -> Done:
    """How the command ends when it does not take a blueprint (`management/commands/apply_blueprint.py`)."""
    return Done(code=1, out="", err="\n".join(("Blueprint invalid", *lines, "")))


@dataclass
class Worker:
    """Answers like `ak` in the worker: one answer after the other, the last one for ever."""

    answers: list[Done]
    asked: list[Sequence[str]] = field(default_factory=list)

    def execute(self, container: str, command: Sequence[str], **_: Any) -> Done:  # noqa: ANN401
        assert container == "authentik-worker"
        self.asked.append(command)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def apply(worker: Worker) -> str:
    return apply_blueprint.run(GIVEN, cast("Machine", worker))


@pytest.fixture(autouse=True)
def _short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply_blueprint, "LIMIT", 0.3)


def test_applies_the_file_that_the_worker_has() -> None:
    worker = Worker([DONE])

    assert apply(worker) == "the blueprint custom/kitestacks/login.yaml is applied"
    assert worker.asked == [("ak", "apply_blueprint", "custom/kitestacks/login.yaml")]


def test_waits_for_a_first_start_that_has_not_found_its_own_blueprints_yet() -> None:
    worker = Worker([refused("Required blueprint does not exist"), refused("No such table"), DONE])

    assert apply(worker).endswith("is applied")
    assert len(worker.asked) == 3


def test_a_blueprint_that_is_refused_for_good_fails_in_authentiks_own_words() -> None:
    with pytest.raises(StepError) as failed:
        apply(Worker([refused(f"authentik.blueprints: Entry invalid: client_secret {SECRET}: too long")]))

    assert "authentik-worker refuses the blueprint custom/kitestacks/login.yaml" in str(failed.value)
    assert "Entry invalid: client_secret ...: too long" in str(failed.value)
    assert SECRET not in str(failed.value)


def test_a_worker_that_says_nothing_is_quoted_so() -> None:
    with pytest.raises(StepError, match="it ended with 137 and said nothing"):
        apply(Worker([Done(code=137, out="", err="")]))


def test_twice_is_the_same_command_which_changes_nothing_the_second_time() -> None:
    worker = Worker([DONE])

    assert apply(worker) == apply(worker)
    assert worker.asked[0] == worker.asked[1]
