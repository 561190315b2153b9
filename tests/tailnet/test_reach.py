"""The reachability change, and what must hold whatever the settings say."""

from __future__ import annotations

import pytest

from components.tailnet.flows import Flow
from components.tailnet.invariants import check_invariants
from components.tailnet.parties import Device, Tailnet
from components.tailnet.reach import reachability_change
from tests.tailnet.world import policy

HOSTS = Tailnet(
    devices=(
        Device(name="monk", tags=("tag:monk",), addresses=("100.64.0.1",)),
        Device(name="kscloud1", tags=("tag:kscloud1",), addresses=("100.64.0.2",)),
        Device(name="laptop", user="ada@example.com", addresses=("100.64.0.11",)),
    )
)
DATABASE = Flow(source="tag:monk", destination="tag:kscloud1", port=5432, reason="Authentik's database")
EXPORTER = Flow(source="tag:monk", destination="tag:kscloud1", port=9100, reason="metrics")
OWNER = Flow(source="ada@example.com", destination="tag:monk", port=22, reason="the owner's way in")
FLOWS = (DATABASE, EXPORTER, OWNER)
TIGHT = """{"src": ["tag:monk"], "dst": ["tag:kscloud1"], "ip": ["tcp:5432", "tcp:9100"]},
    {"src": ["ada@example.com"], "dst": ["tag:monk"], "ip": ["tcp:22"]}"""


def grants(*rules: str) -> str:
    return f'"grants": [{", ".join(rules)}]'


def change(before: str, after: str) -> list[str]:
    return reachability_change(policy(before), policy(after), HOSTS)


def test_nothing_changes() -> None:
    assert change(grants(TIGHT), grants(TIGHT)) == []


def test_what_opens_and_what_closes() -> None:
    before = grants(TIGHT)
    after = grants(
        '{"src": ["tag:monk"], "dst": ["tag:kscloud1"], "ip": ["tcp:9100", "udp:53"]}',
        '{"src": ["ada@example.com"], "dst": ["tag:monk"], "ip": ["tcp:20-30"]}',
    )
    assert change(before, after) == [
        "+ laptop -> monk: tcp 20-21",
        "+ laptop -> monk: tcp 23-30",
        "+ monk -> kscloud1: udp 53",
        "- monk -> kscloud1: tcp 5432",
    ]


def test_the_first_rule_between_two_also_opens_ping() -> None:
    opened = grants('{"src": ["tag:kscloud1"], "dst": ["tag:monk"], "ip": ["gre:*"]}')
    assert change('"grants": []', opened) == ["+ kscloud1 -> monk: gre all ports", "+ kscloud1 -> monk: ping"]


def test_the_same_reach_in_other_words_is_no_change() -> None:
    acls = """"acls": [{"action": "accept", "proto": "tcp", "src": ["100.64.0.1"], "dst": ["cloud:5432,9100"]},
        {"action": "accept", "proto": "tcp", "src": ["group:family"], "dst": ["tag:monk:22"]}]"""
    assert change(grants(TIGHT), acls) == []


def test_hosts_outside_and_the_internet_count() -> None:
    after = grants(
        '{"src": ["ada@example.com"], "dst": ["printer"], "ip": ["tcp:631"]}',
        '{"src": ["tag:monk"], "dst": ["autogroup:internet"], "ip": ["tcp:443"]}',
    )
    assert change('"grants": []', after) == [
        "+ laptop -> 192.168.1.9/32: ping",
        "+ laptop -> 192.168.1.9/32: tcp 631",
        "+ monk -> the internet: ping",
        "+ monk -> the internet: tcp 443",
    ]


def test_logins_count() -> None:
    rule = '{{"action": "{0}", "src": ["tag:monk"], "dst": ["tag:kscloud1"], "users": ["{1}"]}}'
    before = f'"grants": [], "ssh": [{rule.format("accept", "kite")}]'
    after = f'"grants": [], "ssh": [{rule.format("check", "kite")}, {rule.format("accept", "root")}]'
    assert change(before, after) == [
        "+ monk -> kscloud1: ssh as kite (check)",
        "+ monk -> kscloud1: ssh as root (accept)",
        "- monk -> kscloud1: ssh as kite (accept)",
    ]
    everybody = f'"grants": [], "ssh": [{rule.format("accept", "autogroup:nonroot")}]'
    assert change(before, everybody) == ["+ monk -> kscloud1: ssh as any other user (accept)"]


def breaches(rules: str, *flows: Flow, wildcards_allowed: bool = False) -> list[str]:
    problems = check_invariants(policy(rules), HOSTS, flows, wildcards_allowed=wildcards_allowed)
    return [f"{problem.path}: {problem.rule}" for problem in problems]


def test_the_declared_flows_break_nothing() -> None:
    assert breaches(grants(TIGHT), *FLOWS) == []


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        (
            '{"src": ["ada@example.com"], "dst": ["tag:kscloud1"], "ip": ["tcp:5000-6000"]}',
            ["grants.2: must not let laptop reach PostgreSQL on kscloud1:5432: no flow declares it"],
        ),
        (
            '{"src": ["tag:kscloud1"], "dst": ["tag:monk"], "ip": ["tcp:6379"]}',
            [
                "grants.2: must not let kscloud1 reach Redis on monk:6379: no flow declares it",
                "grants.2: must not let kscloud1 reach monk by ping: no flow declares it",
            ],
        ),
        (
            '{"src": ["tag:kscloud1"], "dst": ["tag:monk"], "ip": ["tcp:22", "udp:60000-61000"]}',
            [
                "grants.2: must not let kscloud1 reach monk by ping: no flow declares it",
                "grants.2: must not let kscloud1 reach monk on tcp 22: no flow declares it",
                "grants.2: must not let kscloud1 reach monk on udp 60000-61000: no flow declares it",
            ],
        ),
        (
            '{"src": ["100.64.0.1"], "dst": ["cloud"], "ip": ["tcp:9100-9101"]}',
            ["grants.2: must not let monk reach kscloud1 on tcp 9101: no flow declares it"],
        ),
        ('{"src": ["ada@example.com"], "dst": ["tag:kscloud1"], "ip": ["tcp:9443"]}', []),
    ],
)
def test_what_no_flow_declares_is_refused(extra: str, expected: list[str]) -> None:
    assert breaches(grants(TIGHT, extra), *FLOWS) == expected


def test_a_flow_that_is_taken_away_leaves_a_breach() -> None:
    for gone, port in ((DATABASE, "PostgreSQL on kscloud1:5432"), (EXPORTER, "kscloud1 on tcp 9100")):
        left = [flow for flow in FLOWS if flow is not gone]
        assert breaches(grants(TIGHT), *left) == [f"grants.0: must not let monk reach {port}: no flow declares it"]


@pytest.mark.parametrize(
    ("rules", "place"),
    [
        ('"grants": [{"src": ["*"], "dst": ["printer"], "ip": ["tcp:631"]}]', "grants.0.src.0"),
        ('"grants": [{"src": ["tag:monk"], "dst": ["printer", "*"], "ip": ["gre:*"]}]', "grants.0.dst.1"),
        ('"grants": [{"src": ["autogroup:danger-all"], "dst": ["printer"], "ip": ["tcp:1"]}]', "grants.0.src.0"),
        ('"grants": [{"src": ["0.0.0.0/0"], "dst": ["printer"], "ip": ["tcp:1"]}]', "grants.0.src.0"),
        ('"grants": [{"src": ["0.0.0.0/1"], "dst": ["printer"], "ip": ["tcp:1"]}]', "grants.0.src.0"),
        ('"grants": [{"src": ["100.64.0.0/10"], "dst": ["printer"], "ip": ["tcp:1"]}]', "grants.0.src.0"),
        ('"acls": [{"action": "accept", "src": ["printer"], "dst": ["*:1"]}]', "acls.0.dst.0"),
        (
            (
                '"ipsets": {"ipset:all": ["0.0.0.0/0"]},'
                ' "grants": [{"src": ["ipset:all"], "dst": ["printer"], "ip": ["1"]}]'
            ),
            "grants.0.src.0",
        ),
        ('"disableIPv4": true', "policy"),
    ],
)
def test_a_wildcard_must_be_said_out_loud(rules: str, place: str) -> None:
    def found(*, allowed: bool) -> list[str]:
        return [line for line in breaches(rules, wildcards_allowed=allowed) if "no flow" not in line]

    assert [line.partition(":")[0] for line in found(allowed=False)] == [place]
    assert found(allowed=True) == []
