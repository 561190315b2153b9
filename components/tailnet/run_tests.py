"""Runs the policy's own `tests` and `sshTests` before the API would: one that fails makes it refuse the policy."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from components.errors import Problem
from components.tailnet import ports
from components.tailnet.evaluate import SSH_PORT, Evaluator, Login

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.tailnet.parties import Tailnet
    from components.tailnet.policy import Policy, PolicyTest, SshTest


def run_tests(policy: Policy, tailnet: Tailnet) -> list[Problem]:
    """One problem for each expectation that does not hold.

    A selector in a test means every device that it selects: all of them must get through where the test says accept,
    none where it says deny. An SSH login that must work also needs the network access to port 22.
    """
    evaluator = Evaluator(policy, tailnet)
    problems: list[Problem] = []
    for number, test in enumerate(policy.tests):
        problems += _network(evaluator, test, f"tests.{number}")
    for number, ssh_test in enumerate(policy.ssh_tests):
        problems += _ssh(evaluator, ssh_test, f"sshTests.{number}")
    return problems


def _network(evaluator: Evaluator, test: PolicyTest, path: str) -> Iterator[Problem]:
    protocols = sorted(ports.read_protocol(test.proto)) if test.proto else [ports.TCP]
    named = ports.protocol_name(protocols[0])
    for key, wanted, targets in (("accept", True, test.accept), ("deny", False, test.deny)):
        for number, target in enumerate(targets):
            selector, port = ports.split_destination(target)
            first = ports.read_ports(port)[0].first
            for source, destination in product(evaluator.parties(test.src), evaluator.parties(selector)):
                verdict = evaluator.reach(source, destination, first, protocols[0])
                if verdict.allowed is wanted:
                    continue
                must = "must reach" if wanted else "must not reach"
                why = "no rule lets it" if wanted else f"{verdict.rule} lets it"
                yield Problem(
                    path=f"{path}.{key}.{number}",
                    rule=f"{source.name} {must} {destination.name} on {named} {port}, and {why}",
                    way_out="add the rule or drop the test" if wanted else "narrow the rule or drop the test",
                )


def _ssh(evaluator: Evaluator, test: SshTest, path: str) -> Iterator[Problem]:
    expected = ((Login.ACCEPT, test.accept), (Login.CHECK, test.check), (Login.DENY, test.deny))
    for target, (wanted, users) in product(test.dst, expected):
        for source, destination in product(evaluator.parties(test.src), evaluator.parties(target)):
            for user in users:
                found = evaluator.login(source, destination, user)
                if found is not wanted:
                    yield Problem(
                        path=f"{path}.{wanted}",
                        rule=f"{source.name} to {destination.name} as {user} must end in {wanted}, got {found}",
                        way_out="change the ssh rule or the test",
                    )
            if wanted is not Login.DENY and users and not evaluator.reach(source, destination, SSH_PORT).allowed:
                yield Problem(
                    path=f"{path}.{wanted}",
                    rule=f"{source.name} must reach {destination.name} on tcp {SSH_PORT}, and no rule lets it",
                    way_out="an ssh rule needs a grant beside it, for example ip: [tcp:22]",
                )
