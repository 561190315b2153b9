"""The simulated Tailscale: policy and auth keys."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.cloud.store import DEVICES
from rehearsal.cloud.tailscale import TAILSCALE, Acl, TailnetKey
from rehearsal.cloud.wire import UNKNOWN, plain, secret_keys
from tests.rehearsal.cloud_world import Client, Refused, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACL, KEY = Acl.type_name, TailnetKey.type_name
GRANTS = [{"src": ["tag:monk"], "dst": ["tag:kscloud1"], "ip": ["tcp:5432"]}]
OWNERS = {"tag:monk": ["autogroup:admin"], "tag:kscloud1": ["tag:monk"]}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Client]:
    with world(tmp_path, TAILSCALE) as client:
        yield client


def policy(**sections: object) -> dict[str, Any]:
    return {"acl": json.dumps({"tagOwners": OWNERS, "grants": GRANTS, **sections})}


def test_credentials_are_needed(cloud: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET", "IDENTITY_TOKEN"):
        monkeypatch.delenv(f"TAILSCALE_{name}", raising=False)
    for config in ({}, {"oauthClientId": "only"}, {"oauthClientSecret": "only"}):
        with pytest.raises(Refused, match="tailscale provider credentials are empty"):
            cloud.configure(config)
    cloud.configure({"apiKey": "k"})
    cloud.configure({"oauthClientId": "i", "oauthClientSecret": "s"})
    monkeypatch.setenv("TAILSCALE_API_KEY", "k")
    cloud.configure({})


def test_a_policy_is_written_and_read_as_it_was_written(cloud: Client) -> None:
    made, state = cloud.create(ACL, policy())
    assert made == "acl"
    assert json.loads(cloud.store.view()["tailscale"]["policy"])["grants"] == GRANTS
    with cloud.store.change() as data:  # the same meaning in other letters is no drift
        data["tailscale"]["policy"] = json.dumps(json.loads(state["acl"]), indent=4)
    assert cloud.read(ACL, made, policy(), state) == ("acl", policy(), state)
    with cloud.store.change() as data:
        data["tailscale"]["policy"] = '{"grants": []}'
    assert cloud.read(ACL, made, policy(), state)[1] == {"acl": '{"grants": []}'}
    cloud.update(ACL, made, state, policy())
    assert json.loads(cloud.store.view()["tailscale"]["policy"])["grants"] == GRANTS


@pytest.mark.parametrize("text", ["{", "{'a': 1}", "{a: 1}", '{"a": 1} /*', '{"a": 1,, }', "[]", '"acls"'])
def test_a_policy_that_is_not_hujson_is_refused_at_preview(cloud: Client, text: str) -> None:
    assert cloud.check(ACL, {"acl": text})["acl"].startswith("Invalid ACL: ")


def test_comments_and_trailing_commas_are_hujson_and_strings_stay_as_they_are(cloud: Client) -> None:
    text = """{ // the house
        "hosts": {"nas": "100.64.0.7", /* two
        lines */ }, "tagOwners": {"tag:monk": ["a//b@example.com", ], },
        "grants": [ ], // no more
    }"""
    made, state = cloud.create(ACL, {"acl": text})
    assert cloud.store.view()["tailscale"]["policy"] == text
    same = json.dumps({"hosts": {"nas": "100.64.0.7"}, "tagOwners": {"tag:monk": ["a//b@example.com"]}, "grants": []})
    with cloud.store.change() as data:  # the same meaning in other letters is no drift
        data["tailscale"]["policy"] = same
    assert cloud.read(ACL, made, {"acl": text}, state) == ("acl", {"acl": text}, state)


TESTS = [
    ("accept", "tag:kscloud1:22", "must reach kscloud1 on tcp 22, and no rule lets it"),
    ("deny", "tag:kscloud1:5432", "must not reach kscloud1 on tcp 5432, and grants.0 lets it"),
]


@pytest.mark.parametrize(("expected", "target", "words"), TESTS)
def test_a_policy_whose_own_test_fails_is_refused(cloud: Client, expected: str, target: str, words: str) -> None:
    (cloud.store.folder / DEVICES).write_text(json.dumps({"kscloud1": {"address": "127.1.0.2"}}))
    test = {"src": "tag:monk", "proto": "tcp", expected: [target]}

    with pytest.raises(Refused, match=rf"test\(s\) failed \(400\): tests.0.{expected}.0: .*{re.escape(words)}"):
        cloud.create(ACL, policy(tests=[test]))

    other = {"accept": "deny", "deny": "accept"}[expected]
    cloud.create(ACL, policy(tests=[{"src": "tag:monk", "proto": "tcp", other: [target]}]))


def test_a_policy_whose_ssh_test_fails_is_refused(cloud: Client) -> None:
    tests = [{"src": "tag:monk", "dst": ["tag:kscloud1"], "accept": ["kite"]}]

    with pytest.raises(Refused, match=r"test\(s\) failed \(400\): sshTests.0.accept: .*must end in accept, got deny"):
        cloud.create(ACL, policy(sshTests=tests))


def test_every_fault_of_a_policy_is_told_at_once(cloud: Client) -> None:
    grants = [{"src": ["nobody"], "dst": ["tag:monk"], "ip": ["tcp:0"]}]

    with pytest.raises(Refused) as refused:
        cloud.create(ACL, policy(grants=grants))

    assert "grants.0.src.0: must stand in hosts" in str(refused.value)
    assert "grants.0.ip.0: must be ports from 1 to 65535" in str(refused.value)
    assert cloud.store.view()["tailscale"]["policy"] is None


def test_sections_that_let_nothing_through_are_taken_as_they_are_in_any_case(cloud: Client) -> None:
    cloud.create(ACL, {"acl": json.dumps({"derpMap": {"Regions": {}}, "GRANTS": [], "TagOwners": OWNERS})})


def test_a_policy_that_is_not_known_yet_passes(cloud: Client) -> None:
    assert cloud.check(ACL, {"acl": UNKNOWN}) == {}


def test_an_unknown_section_is_refused(cloud: Client) -> None:
    with pytest.raises(Refused, match=r'Failed to set ACL: json: unknown field "grantz" \(400\)'):
        cloud.create(ACL, policy(grantz=[]))
    assert cloud.store.view()["tailscale"]["policy"] is None


@pytest.mark.parametrize(
    ("section", "content"),
    [
        ("acls", [{"action": "accept", "src": ["*"], "dst": ["tag:nobody:22"]}]),
        ("grants", [{"src": ["tag:nobody"], "dst": ["*"], "ip": ["*"]}]),
        ("ssh", [{"action": "accept", "src": ["autogroup:member"], "dst": ["tag:nobody"], "users": ["root"]}]),
        ("tagOwners", {"tag:monk": ["tag:nobody"]}),
    ],
)
def test_a_tag_without_an_owner_is_refused(cloud: Client, section: str, content: object) -> None:
    sections = {"grants": [], section: content}
    with pytest.raises(Refused, match=rf'Failed to set ACL: {section}: tag not found: "tag:nobody".*\(400\)'):
        cloud.create(ACL, policy(**sections))


def test_a_policy_of_somebody_else_is_not_overwritten_unasked(cloud: Client) -> None:
    made, state = cloud.create(ACL, policy())
    cloud.delete(ACL, made, state)
    with pytest.raises(Refused, match=r"trying to overwrite a non-default policy\. Please import the ACL first"):
        cloud.create(ACL, policy())
    cloud.create(ACL, {**policy(), "overwriteExistingContent": True})
    found, inputs, _ = cloud.read(ACL, "acl", {}, {})  # the way that the refusal names
    assert (found, inputs) == ("acl", policy())


def test_a_policy_is_reset_when_asked_for(cloud: Client) -> None:
    made, state = cloud.create(ACL, {**policy(), "resetAclOnDestroy": True})
    cloud.delete(ACL, made, state)
    assert cloud.store.view()["tailscale"]["policy"] is None
    assert cloud.read(ACL, made, policy(), state) == ("", {}, {})


def key_inputs(**changes: object) -> dict[str, Any]:
    return {"tags": ["tag:monk"], "reusable": True, "expiry": 3600, **changes}


def test_a_key_is_told_once_and_is_secret(cloud: Client) -> None:
    cloud.create(ACL, policy())
    made, properties = cloud.create_raw(KEY, key_inputs())
    outputs = plain(properties)
    assert secret_keys(properties) == {"key"}
    assert outputs["key"].startswith(f"tskey-auth-{made}-")
    assert outputs["key"] not in (cloud.store.folder / "cloud.json").read_text(encoding="utf-8")
    found = cloud.read_raw(KEY, made, key_inputs(), outputs)
    assert plain(found.properties) == outputs
    assert secret_keys(found.properties) == {"key"}


def test_a_key_needs_tags_with_owners(cloud: Client) -> None:
    with pytest.raises(Refused, match=r"requested tags \[tag:monk\] are invalid or not permitted \(400\)"):
        cloud.create(KEY, key_inputs())
    cloud.create(ACL, policy())
    cloud.create(KEY, key_inputs())
    cloud.create(KEY, {})


@pytest.mark.parametrize("seconds", [0, -1, 90 * 86400 + 1])
def test_a_key_lives_ninety_days_at_most(cloud: Client, seconds: int) -> None:
    with pytest.raises(Refused, match=rf"from 1 to 7776000 \(90 days\), not {seconds} "):
        cloud.create(KEY, {"expiry": seconds})
    cloud.create(KEY, {"expiry": 90 * 86400})


@pytest.mark.parametrize(
    ("inputs", "gone"),
    [
        ({"reusable": True}, True),
        ({"reusable": False}, False),  # a one-off key vanishes when it is used
        ({"reusable": False, "recreateIfInvalid": "always"}, True),
        ({"reusable": True, "recreateIfInvalid": "never"}, False),
    ],
)
def test_when_a_lost_key_counts_as_gone(cloud: Client, inputs: dict[str, Any], gone: bool) -> None:
    made, state = cloud.create(KEY, inputs)
    with cloud.store.change() as data:
        data["tailscale"]["keys"].clear()
    assert (cloud.read(KEY, made, inputs, state)[0] == "") is gone


def test_a_key_cannot_be_changed_only_made_again(cloud: Client) -> None:
    changed = key_inputs(expiry=60, recreateIfInvalid="always")
    assert cloud.diff(KEY, key_inputs(), changed) == (["expiry", "recreateIfInvalid"], ["expiry"])
    two = {"tags": ["tag:a", "tag:b"]}
    assert cloud.diff(KEY, two, {"tags": ["tag:b", "tag:a"]}) == ([], [])
    made, state = cloud.create(KEY, {"reusable": True})
    outputs = cloud.update(KEY, made, state, {"reusable": True, "recreateIfInvalid": "never"})
    assert outputs == {**state, "recreateIfInvalid": "never"}
    cloud.delete(KEY, made, state)
    assert cloud.store.view()["tailscale"]["keys"] == {}
