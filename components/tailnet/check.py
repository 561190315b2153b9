"""What must hold of the policy before anything is sent, in the words and paths of the stack files."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from components.tailnet.invariants import check_invariants
from components.tailnet.known import known_tailnet
from components.tailnet.own_way import cut_off
from components.tailnet.plan import plan_of, unknown_names
from components.tailnet.run_tests import run_tests
from components.tailnet.validate import validate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.errors import Problem
    from components.fleet import Fleet
    from components.tailnet.plan import Plan
    from components.tailnet.policy import Policy

_PLACE = re.compile(r"(?P<section>grants|ssh|tests|sshTests)\.(?P<number>\d+)(\.(?P<key>src|dst)\b)?")
_KEYS = {"src": ".from", "dst": ".to"}


def policy_problems(fleet: Fleet) -> Iterator[Problem]:
    """Every fault of the section, of the document that comes of it, and of what that document opens or cuts."""
    words = list(unknown_names(fleet))
    yield from words
    plan = None if words else plan_of(fleet)
    if plan is None:
        return
    policy, tailnet = plan.policy, known_tailnet(fleet, plan.policy)
    # A document with faults can't be asked anything.
    problems = validate(policy)
    if not problems:
        problems = [
            *run_tests(policy, tailnet),
            *check_invariants(policy, tailnet, plan.declared, wildcards_allowed=plan.settings.wildcards),
            *cut_off(plan, tailnet),
        ]
    yield from dict.fromkeys(_in_stack_file(problem, plan, policy) for problem in problems)


def _in_stack_file(problem: Problem, plan: Plan, policy: Policy) -> Problem:
    """The same problem, where its owner can mend it: at the rule's declaration instead of in the document."""
    section, _, rest = problem.path.partition(".")
    match section:
        case "grants" | "ssh" | "tests" | "sshTests":
            return replace(problem, path=_declaration(problem.path, plan, policy))
        case "groups" | "hosts":
            return replace(problem, path=f"{plan.at}tailnet.{section}.{rest.removeprefix('group:')}")
        case "tagOwners":
            return replace(problem, path=f"{plan.at}tailnet.tags.{rest.removeprefix('tag:')}")
    return problem


def _declaration(path: str, plan: Plan, policy: Policy) -> str:
    """Where the flow or the SSH access was declared from which a rule or a test of the document comes."""
    place = _PLACE.match(path)
    assert place is not None  # noqa: S101 - the sections of which a derived policy's paths speak
    number = int(place["number"])
    key = _KEYS.get(place["key"] or "", "")
    if place["section"] in {"ssh", "sshTests"}:
        rule = policy.ssh[number] if place["section"] == "ssh" else policy.ssh_tests[number]
        source = rule.src if isinstance(rule.src, str) else rule.src[0]
        return next(
            access.path + key
            for access in plan.rules.ssh
            if (access.source, access.destination) == (source, rule.dst[0])
        )
    if place["section"] == "tests":
        test = policy.tests[number]
        ends = (test.src, test.accept[0])
        return next(
            flow.path + key
            for flow in (*plan.needed, *plan.allowed)
            if (flow.source, f"{flow.destination}:{flow.port}") == ends
        )
    grant = (policy.grants or ())[number]
    return next(
        flow.path + key
        for flow in (*plan.allowed, *plan.needed)
        if ((flow.source,), (flow.destination,), (f"{flow.protocol}:{flow.port}",)) == (grant.src, grant.dst, grant.ip)
    )
