"""Our verdicts against those of an implementation that is not ours: headscale's rules in Tailscale's packet filter."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from components.tailnet.evaluate import Evaluator
from components.tailnet.policy import policy_of
from components.tailnet.validate import validate
from tests.tailnet import engine
from tests.tailnet.table import TABLE
from tests.tailnet.world import ADDRESSES, TAILNET, party, policy

if TYPE_CHECKING:
    from pathlib import Path

    from components.tailnet.policy import Policy

Question = tuple[str, str, int, int]

_DEVICES = [
    {
        "name": device.name,
        "user": device.user or "tagged-devices@example.com",
        "tags": list(device.tags),
        "address": device.addresses[0],
    }
    for device in TAILNET.devices
]
_SEED = 20240131
_POLICIES = 400
_SOURCES = [
    "tag:monk", "tag:kscloud1", "tag:store", "ada@example.com", "bob@example.com", "group:family", "group:empty",
    "autogroup:member", "autogroup:tagged", "printer", "cloud", "100.64.0.11", "100.64.0.0/28", "*",
    "nobody@example.com",
]  # fmt: skip
_DESTINATIONS = [*_SOURCES, "autogroup:self", "autogroup:internet", "lan", "192.168.1.0/24", "93.184.216.34"]
_OPENED = ["*", "22", "tcp:22", "tcp:80-90", "udp:53", "udp:*", "tcp:*", "5432", "80-443", "icmp:*", "gre:*", "sctp:80"]
_ASKED = [(22, 6), (80, 6), (90, 6), (91, 6), (443, 6), (5432, 6), (53, 17), (22, 17), (80, 132), (0, 47), (0, 1)]


@pytest.fixture(scope="module")
def program() -> Path:
    return engine.build()


def question(asked: Question) -> dict[str, Any]:
    source, destination, port, protocol = asked
    return {
        "source": ADDRESSES[source],
        "destination": ADDRESSES[destination],
        "port": port,
        "protocol": protocol,
    }


def verdicts(program: Path, asked: list[tuple[Policy, list[Question]]]) -> list[list[bool]]:
    """What the other implementation says."""
    cases = []
    for given, questions in asked:
        document = engine.as_acls(given)
        assert document is not None
        cases.append({"policy": document, "devices": _DEVICES, "questions": [question(one) for one in questions]})
    answers = engine.ask(program, cases)
    assert [answer["error"] for answer in answers if "error" in answer] == []
    return [answer["verdicts"] for answer in answers]


def differences(program: Path, asked: list[tuple[Policy, list[Question]]]) -> list[str]:
    found = []
    for (given, questions), theirs in zip(asked, verdicts(program, asked), strict=True):
        evaluator = Evaluator(given, TAILNET)
        for one, their in zip(questions, theirs, strict=True):
            source, destination, port, protocol = one
            ours = evaluator.reach(party(source), party(destination), port, protocol)
            if ours.allowed is not their:
                found.append(f"{given.model_dump_json(exclude_defaults=True)} {one}: ours {ours}, theirs {their}")
    return found


def test_the_table(program: Path) -> None:
    asked = [
        (policy(case.rules), [(case.source, case.destination, case.port, case.number)])
        for case in TABLE
        if engine.as_acls(policy(case.rules)) is not None
    ]
    assert len(asked) >= 150
    assert differences(program, asked) == []


def test_random_policies(program: Path) -> None:
    dice = random.Random(_SEED)  # noqa: S311 - the same policies each time
    asked = [(_random_policy(dice), _random_questions(dice)) for _ in range(_POLICIES)]
    assert [str(problem) for given, _ in asked for problem in validate(given)] == []
    assert differences(program, asked) == []
    allowed = [verdict for answers in verdicts(program, asked) for verdict in answers]
    assert 0.1 < sum(allowed) / len(allowed) < 0.9, "nearly all verdicts are the same: the questions show nothing"


def test_the_other_implementation_can_disagree(program: Path) -> None:
    """A harness that agrees with anything would prove nothing: the same questions to a changed policy must differ."""
    ours = policy('"grants": [{"src": ["tag:monk"], "dst": ["tag:kscloud1"], "ip": ["tcp:5432"]}]')
    theirs = policy('"grants": [{"src": ["tag:monk"], "dst": ["tag:kscloud1"], "ip": ["tcp:5433"]}]')
    asked: Question = ("monk", "kscloud1", 5432, 6)
    assert Evaluator(ours, TAILNET).reach(party("monk"), party("kscloud1"), 5432).allowed
    assert verdicts(program, [(theirs, [asked]), (ours, [asked])]) == [[False], [True]]


def _random_policy(dice: random.Random) -> Policy:
    base = policy('"acls": []').model_dump(mode="json", by_alias=True, exclude_defaults=True)
    grants, acls = [], []
    for _ in range(dice.randint(0, 5)):
        sources = dice.sample(_SOURCES, dice.randint(1, 3))
        destinations = dice.sample(_DESTINATIONS, dice.randint(1, 3))
        if "autogroup:self" in destinations:
            sources = dice.sample(["ada@example.com", "group:family", "autogroup:member"], dice.randint(1, 2))
        opened = dice.sample(_OPENED, dice.randint(1, 3))
        if dice.random() < 0.5:
            grants.append({"src": sources, "dst": destinations, "ip": opened})
        else:
            protocol, _, open_ports = opened[0].rpartition(":")
            targets = [f"{selector}:{open_ports}" for selector in destinations]
            acls.append({"action": "accept", "src": sources, "dst": targets, "proto": protocol})
    return policy_of(base | {"grants": grants, "acls": acls})


def _random_questions(dice: random.Random) -> list[Question]:
    inside = [device.name for device in TAILNET.devices if "." in device.addresses[0]]
    ends = [*inside, "printer", "camera", "office", "website"]
    found: list[Question] = []
    while len(found) < 40:
        source, destination = dice.choice(inside), dice.choice(ends)
        if source != destination:
            found.append((source, destination, *dice.choice(_ASKED)))
    return found
