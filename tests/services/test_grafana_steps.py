"""Grafana's step against a fake of its login and of its own program."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from components.machine import Done, StepError
from components.services.grafana import admin_password
from components.step_program import Given
from tests.services.http_machine import Answer, Asked, HttpMachine

if TYPE_CHECKING:
    from collections.abc import Sequence

GIVEN = Given(facts={"container": "grafana", "port": 3000}, secrets={"password": "new-one"})


@dataclass
class FakeGrafana:
    """Knows the administrator's password; its program sets another."""

    password: str
    program_works: bool = True
    not_ready: int = 0
    locked: bool = False
    log: list[str] = field(default_factory=list)

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/api/health":
            self.not_ready -= 1
            return (200, {"database": "ok"}) if self.not_ready < 0 else (503, {})
        given = base64.b64decode(asked.headers["Authorization"].removeprefix("Basic ")).decode()
        if self.locked:
            return 429, {}
        return (200, {"id": 1}) if given == f"admin:{self.password}" else (401, {})

    def command(self, command: Sequence[str], stdin: str) -> Done:
        assert stdin not in " ".join(command)
        if not self.program_works:
            return Done(code=1, out="", err=f"database is locked, wanted {stdin.strip()}")
        self.password = stdin.strip()
        return Done(code=0, out="Admin password changed successfully", err="")

    def machine(self) -> HttpMachine:
        return HttpMachine(self.answer, self.command)


def test_a_password_that_is_right_is_left_alone() -> None:
    machine = FakeGrafana("new-one").machine()

    assert admin_password.run(GIVEN, machine) == "the password of admin is as it should be"
    assert machine.commands == []


def test_another_password_is_replaced_by_grafanas_own_program_and_then_left_alone() -> None:
    grafana = FakeGrafana("old-one")
    first, second = grafana.machine(), grafana.machine()

    assert admin_password.run(GIVEN, first) == "the password of admin is changed"
    assert admin_password.run(GIVEN, second) == "the password of admin is as it should be"
    assert [command[:2] for command in first.commands] == [("grafana", "cli")]
    assert "--password-from-stdin" in first.commands[0]
    assert second.commands == []


def test_a_service_that_is_still_starting_is_waited_for() -> None:
    assert admin_password.run(GIVEN, FakeGrafana("new-one", not_ready=2).machine())


def test_a_program_that_fails_is_said_without_the_password() -> None:
    with pytest.raises(StepError, match="could not be changed: database is locked") as refused:
        admin_password.run(GIVEN, FakeGrafana("old-one", program_works=False).machine())

    assert "new-one" not in str(refused.value)


def test_a_locked_login_is_not_taken_for_a_wrong_password() -> None:
    machine = FakeGrafana("new-one", locked=True).machine()

    with pytest.raises(StepError, match="status 429"):
        admin_password.run(GIVEN, machine)
    assert machine.commands == []
