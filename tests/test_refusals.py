"""Every broken stack file stops the program with the words of the table, and before anything is registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from components.errors import ProgramError
from components.model import StateClass
from components.services.portal import Portal
from tests.recorder import ACCOUNT, foundation_outputs, run_program, stack_config
from tests.refusals import REFUSALS, Refusal

if TYPE_CHECKING:
    from tests.stack_files import StackFiles

FOUNDATION = {"kscloud1": foundation_outputs("monk", "kscloud1")}


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.id)
def test_broken_stack_file_is_refused_in_words(refusal: Refusal, files: StackFiles) -> None:
    refusal.apply(files)

    with pytest.raises(ProgramError) as caught:
        run_program(refusal.stack, files.folder, references=FOUNDATION)

    message = str(caught.value)
    for words in refusal.says:
        assert words in message
    assert "nothing was changed" in message
    assert all(problem.path for problem in caught.value.problems)


@pytest.mark.parametrize(("stack", "more"), sorted({(refusal.stack, refusal.hosts) for refusal in REFUSALS}))
def test_each_fault_is_alone_in_its_file(stack: str, more: tuple[str, ...], files: StackFiles) -> None:
    """The table would prove nothing if the unbroken files were refused too."""
    for host in more:
        files.add_host(host)

    hosts = ("monk", "kscloud1", *more)
    assert run_program(stack, files.folder, references={"kscloud1": foundation_outputs(*hosts)}).containers()


@pytest.mark.parametrize(
    ("stack", "key", "command"),
    [
        ("kscloud1", "cloudflare:apiToken", "pulumi config set --secret cloudflare:apiToken -s kscloud1"),
        ("monk", "cloudflare:apiToken", "pulumi config set --secret cloudflare:apiToken -s monk"),
        ("kscloud1", "kitestacks:cloudflare-account-id", "pulumi config set cloudflare-account-id <id> -s kscloud1"),
        ("kscloud1", "kitestacks:cloudflare-zone-id", "pulumi config set cloudflare-zone-id <id> -s kscloud1"),
    ],
)
def test_missing_account_setting_says_which_command_sets_it(
    stack: str, key: str, command: str, files: StackFiles
) -> None:
    config = stack_config(stack, files.folder)
    del config[key]

    with pytest.raises(ProgramError) as caught:
        run_program(stack, files.folder, config=config, references=FOUNDATION)

    assert key.removeprefix("kitestacks:") + ": must be set" in str(caught.value)
    assert command in str(caught.value)


def test_token_in_the_environment_is_enough(files: StackFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    config = stack_config("monk", files.folder)
    del config["cloudflare:apiToken"]
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "from-the-environment")

    assert run_program("monk", files.folder, config=config, references=FOUNDATION).containers()


def test_another_host_before_the_foundation_is_told_what_to_run_first(files: StackFiles) -> None:
    with pytest.raises(
        ProgramError, match=r"stack monk needs kscloud1, which has not been deployed.*run `pulumi up -s kscloud1` first"
    ):
        run_program("monk", files.folder)


def test_value_of_an_unknown_key_stays_unsaid(files: StackFiles) -> None:
    """It may be a secret whose key was misspelled."""
    files.edit("monk", "cloudflare-api-token", "very-secret")

    with pytest.raises(ProgramError) as caught:
        run_program("monk", files.folder, references=FOUNDATION)

    assert "cloudflare-api-token: is an unknown key" in str(caught.value)
    assert "very-secret" not in str(caught.value)


def test_encrypted_values_of_other_files_are_not_read(files: StackFiles) -> None:
    files.edit("kscloud1", "cloudflare-zone-id", {"secure": "v1:abc"})

    assert run_program("monk", files.folder, references=FOUNDATION).containers()


def test_file_that_is_no_yaml_is_named_with_its_line(files: StackFiles) -> None:
    (files.folder / "Pulumi.attic.yaml").write_text("config:\n  kitestacks:host: {docker: [\n")

    with pytest.raises(ProgramError, match=r"Pulumi.attic.yaml: must be YAML, and is not at line \d"):
        run_program("monk", files.folder, references=FOUNDATION)


def test_host_may_not_be_called_like_the_shared_tunnel(files: StackFiles) -> None:
    files.add_host("shared")

    with pytest.raises(ProgramError, match=r"Pulumi.shared.yaml: must have another name: 'shared' is the tunnel"):
        run_program("kscloud1", files.folder)


def test_file_of_another_project_is_left_alone(files: StackFiles) -> None:
    (files.folder / "Pulumi.dev.yaml").write_text("config:\n  other:thing: 1\n")

    assert run_program("monk", files.folder, references=FOUNDATION).containers()


def test_single_writer_on_two_hosts_is_refused(files: StackFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Portal, "state", StateClass.SINGLE_WRITER)

    with pytest.raises(
        ProgramError, match=r"services.portal: must stand on one host, got it on monk and kscloud1: it is single-writer"
    ):
        run_program("monk", files.folder, references=FOUNDATION)


def test_account_values_of_the_test_are_valid() -> None:
    ids = {"kitestacks:cloudflare-account-id", "kitestacks:cloudflare-zone-id"}
    assert set(ACCOUNT) == {*ids, "cloudflare:apiToken", "tailscale:apiKey"}
