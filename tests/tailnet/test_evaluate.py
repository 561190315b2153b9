"""Who may reach whom, by which rule; who may log in; and the policy's own tests."""

from __future__ import annotations

import pytest

from components.tailnet.evaluate import Evaluator, Login
from components.tailnet.policy import parse
from components.tailnet.ports import ANY_PORT, ICMP, WITH_PORTS
from components.tailnet.run_tests import run_tests
from components.tailnet.validate import validate
from tests.tailnet.table import TABLE
from tests.tailnet.world import TAILNET, Case, party, policy


def test_the_table_is_long_enough() -> None:
    assert len(TABLE) >= 150
    assert len(set(map(str, TABLE))) == len(TABLE)
    assert {bool(case.rule) for case in TABLE} == {True, False}


@pytest.mark.parametrize("case", TABLE, ids=str)
def test_table(case: Case) -> None:
    evaluator = Evaluator(policy(case.rules), TAILNET)
    source, destination = party(case.source), party(case.destination)
    verdict = evaluator.reach(source, destination, case.port, case.number)
    assert verdict.rule == case.rule
    assert verdict.allowed == bool(case.rule)
    open_ = evaluator.allowed(source, destination)
    port = case.port if case.number in WITH_PORTS else ANY_PORT.last
    assert any(port in part for part in open_.get(case.number, ())) == verdict.allowed


@pytest.mark.parametrize("rules", sorted({case.rules for case in TABLE if case.rules}))
def test_every_policy_of_the_table_is_valid(rules: str) -> None:
    assert validate(policy(rules)) == []


def test_a_pair_without_rules_has_nothing_open() -> None:
    evaluator = Evaluator(
        policy('"grants": [{"src": ["tag:monk"], "dst": ["printer"], "ip": ["22-80", "81"]}]'), TAILNET
    )
    assert evaluator.allowed(party("laptop"), party("printer")) == {}
    open_ = evaluator.allowed(party("monk"), party("printer"))
    assert {number: [str(part) for part in ranges] for number, ranges in open_.items()} == {
        ICMP: ["all ports"],
        6: ["22-81"],
        17: ["22-81"],
    }


SSH = """
    "ssh": [
        {"action": "accept", "src": ["tag:monk"], "dst": ["tag:kscloud1"], "users": ["kite"]},
        {"action": "check", "src": ["ada@example.com"], "dst": ["tag:monk", "tag:kscloud1"], "users": ["root"]},
        {"action": "accept", "src": ["group:family"], "dst": ["tag:monk"], "users": ["autogroup:nonroot", "root"]},
        {"action": "accept", "src": ["autogroup:member"], "dst": ["autogroup:self"],
         "users": ["localpart:*@example.com"]},
    ],
    "grants": [{"src": ["tag:monk", "autogroup:member"], "dst": ["tag:kscloud1"], "ip": ["tcp:22"]}],
"""
LOGINS = """
    monk    kscloud1  kite  accept
    nas     kscloud1  kite  accept
    monk    kscloud1  root  deny
    laptop  kscloud1  root  check
    laptop  kscloud1  kite  deny
    laptop  monk      root  check
    laptop  monk      ada   accept
    tablet  monk      root  accept
    tablet  monk      bob   accept
    tablet  kscloud1  bob   deny
    guest   monk      eve   deny
    laptop  phone     ada   accept
    laptop  phone     bob   deny
    laptop  tablet    ada   deny
    six     six       zoe   deny
    kscloud1  monk    kite  deny
"""


@pytest.mark.parametrize("line", LOGINS.strip().splitlines())
def test_logins(line: str) -> None:
    source, destination, user, expected = line.split()
    evaluator = Evaluator(policy(SSH), TAILNET)
    assert evaluator.login(party(source), party(destination), user) is Login(expected)


def test_the_ssh_rules_are_valid() -> None:
    assert validate(policy(SSH)) == []


def failures(rules: str) -> list[str]:
    return [str(problem) for problem in run_tests(policy(rules), TAILNET)]


RULES = '"grants": [{"src": ["tag:monk"], "dst": ["tag:kscloud1"], "ip": ["tcp:5432"]}],'


@pytest.mark.parametrize(
    "tests",
    [
        '{"src": "tag:monk", "accept": ["tag:kscloud1:5432"], "deny": ["tag:kscloud1:22", "tag:monk:5432"]}',
        '{"src": "100.64.0.1", "proto": "tcp", "accept": ["cloud:5432", "100.64.0.2:5432"]}',
        '{"src": "tag:monk", "proto": "icmp", "accept": ["tag:kscloud1:*"], "deny": ["printer:*"]}',
        '{"src": "tag:monk", "proto": "udp", "deny": ["tag:kscloud1:5432"]}',
        '{"src": "ada@example.com", "deny": ["tag:kscloud1:5432"]}',
        '{"src": "group:family", "deny": ["tag:kscloud1:5432"]}',
        '{"src": "stranger@example.com", "deny": ["tag:kscloud1:5432"]}',
        '{"src": "tag:store", "accept": ["tag:kscloud1:5432"]}',
    ],
)
def test_a_test_that_holds(tests: str) -> None:
    assert validate(policy(f'{RULES} "tests": [{tests}]')) == []
    assert failures(f'{RULES} "tests": [{tests}]') == []


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        (
            '{"src": "tag:monk", "accept": ["tag:kscloud1:22"]}',
            [f"tests.0.accept.0: {name} must reach kscloud1 on tcp 22, and no rule lets it"
             " (add the rule or drop the test)" for name in ("monk", "nas")],
        ),
        (
            '{"src": "100.64.0.1", "deny": ["printer:1", "cloud:5432"]}',
            [("tests.0.deny.1: monk must not reach kscloud1 on tcp 5432, and grants.0 lets it"
             " (narrow the rule or drop the test)")],
        ),
        (
            '{"src": "stranger@example.com", "accept": ["printer:80"]}',
            [("tests.0.accept.0: stranger@example.com must reach 192.168.1.9/32 on tcp 80, and no rule lets it"
             " (add the rule or drop the test)")],
        ),
        (
            '{"src": "100.64.0.1", "proto": "udp", "accept": ["cloud:5432"]}',
            [("tests.0.accept.0: monk must reach kscloud1 on udp 5432, and no rule lets it"
             " (add the rule or drop the test)")],
        ),
    ],
)  # fmt: skip
def test_a_test_that_fails_is_worded(tests: str, expected: list[str]) -> None:
    assert failures(f'{RULES} "tests": [{tests}]') == expected


def test_an_unknown_device_of_a_tag_counts() -> None:
    rules = """"tagOwners": {"tag:new": ["ada@example.com"]},
        "grants": [{"src": ["tag:new"], "dst": ["tag:new"], "ip": ["tcp:1"]}],
        "tests": [{"src": "tag:new", "accept": ["tag:new:1"], "deny": ["tag:new:2"]}]"""
    assert [str(problem) for problem in run_tests(parse("{" + rules + "}"), TAILNET)] == []


def test_ssh_tests_that_hold() -> None:
    tests = """"sshTests": [
        {"src": "tag:monk", "dst": ["tag:kscloud1"], "accept": ["kite"], "deny": ["root", "ada"]},
        {"src": "ada@example.com", "dst": ["tag:kscloud1"], "check": ["root"]},
        {"src": "eve@other.org", "dst": ["tag:monk", "tag:kscloud1"], "deny": ["root"]}]"""
    assert validate(policy(SSH + tests)) == []
    assert failures(SSH + tests) == []


def test_ssh_tests_that_fail_are_worded() -> None:
    tests = """"sshTests": [
        {"src": "100.64.0.1", "dst": ["tag:kscloud1"], "accept": ["root"], "check": ["kite"], "deny": ["kite"]},
        {"src": "100.64.0.13", "dst": ["100.64.0.1"], "accept": ["bob"]}]"""
    assert failures(SSH + tests) == [
        "sshTests.0.accept: monk to kscloud1 as root must end in accept, got deny (change the ssh rule or the test)",
        "sshTests.0.check: monk to kscloud1 as kite must end in check, got accept (change the ssh rule or the test)",
        "sshTests.0.deny: monk to kscloud1 as kite must end in deny, got accept (change the ssh rule or the test)",
        (
            "sshTests.1.accept: tablet must reach monk on tcp 22, and no rule lets it"
            " (an ssh rule needs a grant beside it, for example ip: [tcp:22])"
        ),
    ]
