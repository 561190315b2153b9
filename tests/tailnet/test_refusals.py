"""Every broken `tailnet` section stops the program with the exact lines of the table, before anything is registered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from components.errors import ProgramError
from components.tailnet.derive import derive
from components.tailnet.policy import dump
from tests.recorder import foundation_outputs, run_program, stack_config
from tests.tailnet.fleets import plan_in
from tests.tailnet.refusals import BROKEN, OWNER, SECTION, SSH, Broken, rule, with_

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stack_files import StackFiles

FOUNDATION = {"kscloud1": foundation_outputs("monk", "kscloud1")}


def lines(caught: pytest.ExceptionInfo[ProgramError]) -> tuple[str, ...]:
    return tuple(str(problem) for problem in caught.value.problems)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.id)
def test_broken_section_is_refused_in_exactly_these_words(broken: Broken, lean: StackFiles) -> None:
    lean.edit("kscloud1", "tailnet", broken.section)

    with pytest.raises(ProgramError) as caught:
        run_program("kscloud1", lean.folder)

    assert lines(caught) == broken.says
    assert "nothing was changed" in str(caught.value)


def test_the_table_is_long_enough_and_says_each_thing_once() -> None:
    assert len(BROKEN) >= 20
    assert len({broken.id for broken in BROKEN}) == len(BROKEN)


@pytest.mark.parametrize(
    "section",
    [
        SECTION,
        rule(from_=["owner"], ports=[8000, 9100]),
        rule(from_=["*"], to=["192.168.1.9"], ports=[80]) | {"wildcards": True},
        with_(access=[], **{"cut-own-way": True}),
        with_(ssh=[{"from": ["owner"], "users": ["kite"]}]),
        with_(tags={"store": ["owner"]}, hosts={"nas": "100.64.0.7"}),
        rule(from_=["monk"], to=["tag:store"], ports=[8443]) | {"tags": {"store": ["owner"]}},
        rule(from_=["tag:store"], to=["monk"], ports=[8443]) | {"tags": {"store": ["owner"]}},
    ],
)
def test_section_without_a_fault_is_accepted(section: dict[str, Any], lean: StackFiles) -> None:
    """The table would prove nothing if everything were refused."""
    lean.edit("kscloud1", "tailnet", section)

    assert run_program("kscloud1", lean.folder).recorder.of_type("Acl")


def test_a_plan_for_another_host_refuses_it_too_and_names_the_file(lean: StackFiles) -> None:
    lean.edit("kscloud1", "tailnet", rule(from_=["ownr"], ports=[80])).edit("kscloud1", "host.docker", "ssh://a@b:22")

    with pytest.raises(ProgramError) as caught:
        run_program("monk", lean.folder, references=FOUNDATION)

    assert [line.partition(": must")[0] for line in lines(caught)] == ["Pulumi.kscloud1.yaml: tailnet.access.1.from.0"]


def test_section_in_another_file_than_the_foundations_is_refused(lean: StackFiles) -> None:
    lean.edit("monk", "tailnet", SECTION)

    with pytest.raises(ProgramError) as caught:
        run_program("kscloud1", lean.folder)

    assert lines(caught) == (
        (
            "Pulumi.monk.yaml: tailnet: must stand in the foundation's file: a tailnet has one policy, and one stack"
            " writes it (move it to the file that has the `edge` section)"
        ),
    )


def test_host_whose_name_can_be_no_tag_is_refused(lean: StackFiles) -> None:
    lean.add_host("1attic")

    with pytest.raises(ProgramError) as caught:
        run_program("kscloud1", lean.folder)

    assert "tailnet.tags.1attic: must be the name of a tag, got 'tag:1attic' (as tag:example)" in lines(caught)


CREDENTIALS = [
    {"tailscale:apiKey": "k"},
    {"tailscale:oauthClientId": "i", "tailscale:oauthClientSecret": "s"},
    {"tailscale:oauthClientId": "i", "tailscale:identityToken": "t"},
    {"TAILSCALE_API_KEY": "k"},
    {"TAILSCALE_OAUTH_CLIENT_ID": "i", "TAILSCALE_OAUTH_CLIENT_SECRET": "s"},
]


@pytest.mark.parametrize("given", CREDENTIALS, ids=" ".join)
def test_each_way_to_prove_oneself_to_tailscale_is_enough(
    given: dict[str, str], lean: StackFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = stack_config("kscloud1", lean.folder)
    del config["tailscale:apiKey"]
    for key, value in given.items():
        if key.startswith("TAILSCALE_"):
            monkeypatch.setenv(key, value)
        else:
            config[key] = value

    assert run_program("kscloud1", lean.folder, config=config).recorder.of_type("Acl")


@pytest.mark.parametrize("half", [{}, {"tailscale:oauthClientId": "i"}, {"tailscale:oauthClientSecret": "s"}])
def test_missing_credentials_are_refused_with_the_command(half: dict[str, str], lean: StackFiles) -> None:
    config = stack_config("kscloud1", lean.folder) | half
    del config["tailscale:apiKey"]

    with pytest.raises(ProgramError) as caught:
        run_program("kscloud1", lean.folder, config=config)

    assert lines(caught) == (
        (
            "tailscale:apiKey: must be set, encrypted (type: pulumi config set --secret tailscale:apiKey -s kscloud1;"
            " the admin console's Keys page makes one; an OAuth client will do too: oauthClientId, oauthClientSecret)"
        ),
    )


def accepted_before(folder: Path, *owners: str) -> dict[str, Any]:
    """The outputs of a foundation whose last accepted policy had these owners."""
    plan = plan_in(folder)
    rules = plan.rules
    before = derive((*plan.needed, *plan.allowed), type(rules)(groups={"group:owner": owners}))
    return {"kscloud1": foundation_outputs("monk", "kscloud1") | {"tailnet": dump(before)}}


def test_owner_who_has_a_way_in_today_can_not_lose_it_unsaid(lean: StackFiles) -> None:
    references = accepted_before(lean.folder, OWNER, "kite@old.example.com")
    with pytest.raises(ProgramError) as caught:
        run_program("kscloud1", lean.folder, references=references)

    assert lines(caught) == tuple(
        f"tailnet.groups.owner: must keep kite@old.example.com, who reaches {host} on tcp 22 today and would not any"
        " more (put the login back, or say it out loud: `cut-own-way: true`)"
        for host in ("kscloud1", "monk")
    )

    lean.edit("kscloud1", "tailnet.cut-own-way", True)
    assert run_program("kscloud1", lean.folder, references=references).recorder.of_type("Acl")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the program tells its reader."""
    told: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", told.append)
    return told


def test_change_is_told_in_words_and_silence_means_none(lean: StackFiles, said: list[str]) -> None:
    references = accepted_before(lean.folder, OWNER)
    run_program("kscloud1", lean.folder, references=references)
    assert said == []

    lean.edit("kscloud1", "tailnet", with_(access=[SSH, {"from": ["owner"], "to": ["monk"], "ports": [8000]}]))
    run_program("kscloud1", lean.folder, references=references)

    heading = "Who reaches whom on the tailnet changes (+ newly, - no longer):"
    assert said == [f"{heading}\n  + {OWNER} -> monk: tcp 8000"]


def test_first_policy_is_told_in_full(lean: StackFiles, said: list[str]) -> None:
    run_program("kscloud1", lean.folder)

    (text,) = said
    assert "first policy from here" in text
    assert {line.strip() for line in text.splitlines() if "tcp" in line} == {
        f"+ {OWNER} -> kscloud1: tcp 22",
        f"+ {OWNER} -> monk: tcp 22",
        "+ monk -> kscloud1: tcp 22",
    }


def test_the_policy_that_is_put_out_is_the_one_that_was_sent(lean: StackFiles) -> None:
    sent = run_program("kscloud1", lean.folder).recorder.of_type("Acl")["tailnet-policy"].inputs["acl"]

    assert json.loads(sent)["groups"] == {"group:owner": [OWNER]}
    assert sent == dump(plan_in(lean.folder).policy)
