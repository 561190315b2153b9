"""The policy that the declared flows give, and the one spelling of a policy."""

from __future__ import annotations

import json

from components.tailnet.derive import OwnerRules, derive
from components.tailnet.flows import Flow, SshAccess
from components.tailnet.invariants import check_invariants
from components.tailnet.policy import dump, parse
from components.tailnet.run_tests import run_tests
from components.tailnet.validate import validate
from tests.tailnet.world import TAILNET

ADA = "ada@example.com"
FLOWS = [
    Flow(source="tag:monk", destination="tag:kscloud1", port=5432, reason="Authentik's database"),
    Flow(source="tag:monk", destination="tag:kscloud1", port=22, reason="care for the host"),
    Flow(source="tag:kscloud1", destination="tag:store", port=8443, reason="backups"),
    Flow(source=ADA, destination="tag:monk", port=22, reason="the owner's way in"),
    Flow(source="autogroup:member", destination="tag:monk", port=53, protocol="udp", reason="names"),
]
RULES = OwnerRules(
    tag_owners={"tag:store": (ADA,)},
    groups={"group:family": (ADA, "bob@example.com")},
    hosts={"printer": "192.168.1.9"},
    ssh=(
        SshAccess(source="tag:monk", destination="tag:kscloud1", users=("kite",)),
        SshAccess(source=ADA, destination="tag:monk", users=("root", "autogroup:nonroot"), check=True),
    ),
)


def test_the_derived_policy() -> None:
    assert json.loads(dump(derive(FLOWS, RULES))) == {
        "groups": {"group:family": [ADA, "bob@example.com"]},
        "hosts": {"printer": "192.168.1.9"},
        "tagOwners": {
            "tag:kscloud1": ["autogroup:admin"],
            "tag:monk": ["autogroup:admin"],
            "tag:store": [ADA],
        },
        "grants": [
            {"src": [ADA], "dst": ["tag:monk"], "ip": ["tcp:22"]},
            {"src": ["autogroup:member"], "dst": ["tag:monk"], "ip": ["udp:53"]},
            {"src": ["tag:kscloud1"], "dst": ["tag:store"], "ip": ["tcp:8443"]},
            {"src": ["tag:monk"], "dst": ["tag:kscloud1"], "ip": ["tcp:22"]},
            {"src": ["tag:monk"], "dst": ["tag:kscloud1"], "ip": ["tcp:5432"]},
        ],
        "ssh": [
            {"action": "accept", "src": ["tag:monk"], "dst": ["tag:kscloud1"], "users": ["kite"]},
            {"action": "check", "src": [ADA], "dst": ["tag:monk"], "users": ["autogroup:nonroot", "root"]},
        ],
        "tests": [
            {"src": ADA, "proto": "tcp", "accept": ["tag:monk:22"]},
            {"src": "tag:kscloud1", "proto": "tcp", "accept": ["tag:store:8443"]},
            {"src": "tag:monk", "proto": "tcp", "accept": ["tag:kscloud1:22"]},
            {"src": "tag:monk", "proto": "tcp", "accept": ["tag:kscloud1:5432"]},
        ],
        "sshTests": [
            {"src": ADA, "dst": ["tag:monk"], "check": ["root"]},
            {"src": "tag:monk", "dst": ["tag:kscloud1"], "accept": ["kite"]},
        ],
    }


def test_it_is_valid_passes_its_own_tests_and_opens_nothing_else() -> None:
    policy = derive(FLOWS, RULES)
    assert validate(policy) == []
    assert run_tests(policy, TAILNET) == []
    assert check_invariants(policy, TAILNET, FLOWS) == []


def test_order_and_repetition_of_the_flows_change_nothing() -> None:
    assert dump(derive([*reversed(FLOWS), FLOWS[0]], RULES)) == dump(derive(FLOWS, RULES))


def test_a_flow_taken_away_takes_its_grant_and_its_test() -> None:
    whole = derive(FLOWS, RULES)
    for gone in FLOWS:
        left = derive([flow for flow in FLOWS if flow is not gone], RULES)
        grants = [grant for grant in whole.grants or () if grant not in (left.grants or ())]
        tests = [test for test in whole.tests if test not in left.tests]
        assert [(grant.src, grant.dst, grant.ip) for grant in grants] == [
            ((gone.source,), (gone.destination,), (f"{gone.protocol}:{gone.port}",))
        ]
        testable = not gone.source.startswith("autogroup:")
        assert [(test.src, test.accept) for test in tests] == (
            [(gone.source, (f"{gone.destination}:{gone.port}",))] if testable else []
        )
        assert len(left.grants or ()) == len(FLOWS) - 1


def test_nothing_declared_lets_nothing_through() -> None:
    assert dump(derive([], OwnerRules())) == '{\n\t"grants": []\n}\n'


def test_a_dump_is_sorted_and_keeps_what_is_read_in_order() -> None:
    text = """{
        // the house
        "ipsets": {"ipset:b": ["add 10.0.0.0/8", "remove 10.1.0.0/16"], "ipset:a": []},
        "hosts": {"src": "10.0.0.1", "app": "10.0.0.2",},
        "disableIPv4": true, /* six only */
        "grants": [{"dst": ["b@x.org", "a@x.org", "a@x.org"], "src": ["*"], "ip": ["2", "1"],}, ],
    }"""
    policy = parse(text)
    assert list(json.loads(dump(policy)).items()) == [
        ("hosts", {"app": "10.0.0.2", "src": "10.0.0.1"}),
        ("ipsets", {"ipset:a": [], "ipset:b": ["add 10.0.0.0/8", "remove 10.1.0.0/16"]}),
        ("grants", [{"src": ["*"], "dst": ["a@x.org", "b@x.org"], "ip": ["1", "2"]}]),
        ("disableIPv4", True),
    ]
    assert '\n\t\t"app": "10.0.0.2"' in dump(policy)
