"""Secrets: who makes which, where they are found, how they are made anew, and that they stay secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pytest

from components.errors import ProgramError
from components.secrets import Secret
from components.services import KNOWN_SERVICES
from components.settings import service_class
from tests.recorder import Run, foundation_outputs, run_program, stack_config

if TYPE_CHECKING:
    from tests.recorder import Recorded
    from tests.stack_files import StackFiles

SECRETS = {
    "local": Secret(purpose="a host's own", length=24, typed=True),
    "both": Secret(purpose="the same on all hosts", prefix="sk-", shared=True),
    "key": Secret(purpose="encrypts", key=True, fixed=True),
}


@pytest.fixture
def portal_with_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The portal, which stands on both hosts, with one secret of each kind."""
    assert service_class("portal") is KNOWN_SERVICES["portal"]
    monkeypatch.setattr(KNOWN_SERVICES["portal"], "secrets", SECRETS)


def _run(files: StackFiles, stack: str, config: dict[str, str] | None = None) -> Run:
    given = stack_config(stack, files.folder) | (config or {})
    references = {"kscloud1": foundation_outputs("monk", "kscloud1")} if stack == "monk" else None
    return run_program(stack, files.folder, config=given, references=references)


def _made(run: Run) -> dict[str, Recorded]:
    found = run.recorder.of_type("RandomPassword") | run.recorder.of_type("RandomBytes")
    return {name: made for name, made in found.items() if "portal" in name}


@pytest.mark.usefixtures("portal_with_secrets")
def test_the_foundation_makes_what_all_share_and_each_host_its_own(files: StackFiles) -> None:
    assert set(_made(_run(files, "kscloud1"))) == {"vault-portal-local", "vault-portal-both", "vault-portal-key"}
    assert set(_made(_run(files, "monk"))) == {"vault-portal-local", "vault-portal-key"}


@pytest.mark.usefixtures("portal_with_secrets")
def test_secrets_have_their_alphabet_and_length(files: StackFiles) -> None:
    made = _made(_run(files, "monk"))

    assert made["vault-portal-local"].inputs["length"] == 24
    assert made["vault-portal-local"].inputs["special"] is False
    assert made["vault-portal-key"].type == "random:index/randomBytes:RandomBytes"
    assert made["vault-portal-key"].inputs["length"] == 32


@pytest.mark.usefixtures("portal_with_secrets")
def test_another_rotation_makes_that_secret_anew_and_no_other(files: StackFiles) -> None:
    before = _made(_run(files, "monk"))
    files.edit("monk", "services.portal.rotate", {"local": 2})
    after = _made(_run(files, "monk"))

    changed = {name for name in before if before[name].inputs.get("keepers") != after[name].inputs.get("keepers")}
    assert changed == {"vault-portal-local"}


@pytest.mark.usefixtures("portal_with_secrets")
def test_a_given_secret_is_taken_instead_of_a_made_one(files: StackFiles) -> None:
    made = _made(_run(files, "monk", {"secret:portal.local": "from-before"}))

    assert set(made) == {"vault-portal-key"}


@pytest.mark.usefixtures("portal_with_secrets")
def test_passwords_that_people_type_are_a_secret_output(files: StackFiles) -> None:
    passwords = _run(files, "monk").outputs["passwords"]

    assert isinstance(passwords, pulumi.Output)


@pytest.mark.usefixtures("portal_with_secrets")
@pytest.mark.parametrize(
    ("edits", "says"),
    [
        ({"monk": {"locla": 1}}, "services.portal.rotate.locla: is no secret of this service"),
        ({"monk": {"key": 1}}, "services.portal.rotate.key: can't be made anew: what it encrypted is lost"),
        (
            {"monk": {"both": 1}, "kscloud1": {"both": 2}},
            "services.portal.rotate.both: must be the same in every file, got 1 and 2",
        ),
        ({"monk": {"local": "soon"}}, "services.portal.rotate.local: must be a count or a day, got 'soon'"),
    ],
)
def test_a_rotation_that_means_nothing_is_refused(
    edits: dict[str, dict[str, object]], says: str, files: StackFiles
) -> None:
    for stack, rotate in edits.items():
        files.edit(stack, "services.portal.rotate", rotate)

    with pytest.raises(ProgramError) as refused:
        _run(files, "monk")

    assert says in str(refused.value)


@pytest.mark.usefixtures("portal_with_secrets")
def test_a_foundation_without_a_shared_secret_has_to_go_first(files: StackFiles) -> None:
    outputs = foundation_outputs("monk", "kscloud1")
    outputs["foundation"]["secrets"].pop("portal.both", None)

    with pytest.raises(ProgramError, match=r"knows no secret portal\.both yet .run `pulumi up -s kscloud1` first"):
        run_program("monk", files.folder, references={"kscloud1": outputs})
