"""What holds of every policy, tried on many made-up ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir

from components.tailnet.evaluate import Evaluator
from components.tailnet.policy import canonical, dump, parse, policy_of
from components.tailnet.reach import reachability_change
from components.tailnet.validate import validate
from tests.tailnet.world import ADDRESSES, NAMES, TAILNET, party

if TYPE_CHECKING:
    from components.tailnet.policy import Policy

set_hypothesis_home_dir(Path(__file__).parents[2] / ".kitestacks" / "hypothesis")

_BASE: dict[str, Any] = json.loads("{" + NAMES.strip().rstrip(",") + "}")
_PEOPLE = ["ada@example.com", "bob@example.com", "group:family", "autogroup:member", "autogroup:admin"]
_SELECTORS = [
    *_PEOPLE,
    "tag:monk",
    "tag:kscloud1",
    "tag:store",
    "autogroup:tagged",
    "printer",
    "lan",
    "100.64.0.0/29",
    "*",
]
_TRAFFIC = ["*", "22", "tcp:22", "tcp:80-443", "udp:53", "udp:*", "icmp:*", "gre:*", "5432-6379"]
_ASKED = [(22, 6), (80, 6), (5432, 6), (53, 17), (0, 47), (0, 1)]


def _some(values: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3)


_TRAFFICS = _some(_TRAFFIC)
_GRANTS = st.one_of(
    st.fixed_dictionaries({"src": _some(_SELECTORS), "dst": _some(_SELECTORS), "ip": _TRAFFICS}),
    st.fixed_dictionaries({"src": _some(_PEOPLE), "dst": st.just(["autogroup:self"]), "ip": _TRAFFICS}),
)
_ACLS = st.builds(
    lambda src, dst, ports: {"action": "accept", "src": src, "dst": [f"{one}:{ports}" for one in dst]},
    _some(_SELECTORS),
    _some(_SELECTORS),
    st.sampled_from(["*", "22", "22,80-443"]),
)
_LOGINS = st.fixed_dictionaries(
    {
        "action": st.sampled_from(["accept", "check"]),
        "src": _some(["tag:monk", "ada@example.com", "group:family"]),
        "dst": _some(["tag:monk", "tag:kscloud1"]),
        "users": _some(["root", "kite", "autogroup:nonroot"]),
    }
)
_DOCUMENTS = st.builds(
    lambda grants, acls, logins: _BASE | {"grants": grants, "acls": acls, "ssh": logins},
    st.lists(_GRANTS, max_size=4),
    st.lists(_ACLS, max_size=3),
    st.lists(_LOGINS, max_size=3),
)
_QUICK = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def _reached(policy: Policy) -> set[tuple[str, str, int, int]]:
    evaluator = Evaluator(policy, TAILNET)
    sources = [device.name for device in TAILNET.devices]
    return {
        (source, destination, port, protocol)
        for source in sources
        for destination in ADDRESSES
        if source != destination
        for port, protocol in _ASKED
        if evaluator.reach(party(source), party(destination), port, protocol).allowed
    }


@_QUICK
@given(_DOCUMENTS, _GRANTS)
def test_another_grant_never_takes_reach_away(document: dict[str, Any], grant: dict[str, Any]) -> None:
    before = policy_of(document)
    after = policy_of(document | {"grants": [grant, *document["grants"]]})
    assert _reached(before) <= _reached(after)
    assert [line for line in reachability_change(before, after, TAILNET) if line.startswith("-")] == []


@_QUICK
@given(_DOCUMENTS, st.randoms(use_true_random=False))
def test_order_changes_nothing(document: dict[str, Any], dice: Any) -> None:  # noqa: ANN401 - hypothesis' own Random
    other = _shuffled(document, dice)
    one, two = policy_of(document), policy_of(other)
    assert _reached(one) == _reached(two)
    assert reachability_change(one, two, TAILNET) == []
    assert dump(one) == dump(two)


@_QUICK
@given(_DOCUMENTS)
def test_what_is_dumped_is_read_back(document: dict[str, Any]) -> None:
    policy = policy_of(document)
    assert parse(dump(policy)) == canonical(policy)
    assert dump(parse(dump(policy))) == dump(policy)
    assert _reached(canonical(policy)) == _reached(policy)


@_QUICK
@given(_DOCUMENTS)
def test_a_valid_policy_whose_tag_loses_its_owners_is_refused(document: dict[str, Any]) -> None:
    assert validate(policy_of(document)) == []
    for tag in _BASE["tagOwners"]:
        nobody = policy_of(document | {"tagOwners": _BASE["tagOwners"] | {tag: []}})
        assert [problem.path for problem in validate(nobody)] == [f"tagOwners.{tag}"]


@_QUICK
@given(_DOCUMENTS)
def test_one_answer_and_the_whole_answer_agree(document: dict[str, Any]) -> None:
    evaluator = Evaluator(policy_of(document), TAILNET)
    for source, destination, port, protocol in _reached(evaluator.policy):
        open_ = evaluator.allowed(party(source), party(destination))
        assert any(port in part for part in open_[protocol])


@_QUICK
@given(_DOCUMENTS, _DOCUMENTS)
def test_a_change_and_its_way_back_mirror_each_other(one: dict[str, Any], two: dict[str, Any]) -> None:
    there = reachability_change(policy_of(one), policy_of(two), TAILNET)
    back = reachability_change(policy_of(two), policy_of(one), TAILNET)
    swapped = sorted(("-" if line[0] == "+" else "+") + line[1:] for line in back)
    assert there == swapped


def _shuffled(value: Any, dice: Any) -> Any:  # noqa: ANN401 - decoded JSON
    if isinstance(value, dict):
        keys = list(value)
        dice.shuffle(keys)
        return {key: _shuffled(value[key], dice) for key in keys}
    if isinstance(value, list):
        entries = [_shuffled(entry, dice) for entry in value]
        dice.shuffle(entries)
        return entries
    return value
