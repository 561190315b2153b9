"""The policy of the real stack files: as a golden file, true to its own tests, and each flow accounted for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from components.needs import Need
from components.services.portal import Portal
from components.tailnet.check import policy_problems
from components.tailnet.derive import derive
from components.tailnet.invariants import check_invariants
from components.tailnet.known import known_tailnet
from components.tailnet.plan import ssh_port
from components.tailnet.policy import dump, parse
from components.tailnet.run_tests import run_tests
from components.tailnet.validate import validate
from tests.recorder import run_program
from tests.tailnet.fleets import fleet_in, plan_in
from tests.tailnet.refusals import SSH, with_

if TYPE_CHECKING:
    from components.tailnet.plan import Plan
    from tests.golden_files import Golden
    from tests.stack_files import StackFiles


@pytest.fixture
def exporter_needed(lean: StackFiles, monkeypatch: pytest.MonkeyPatch) -> StackFiles:
    """monk's portal needs an exporter that stands on kscloud1 alone."""
    need = Need(service="node-exporter", port=9100, reason="the host's figures")
    monkeypatch.setattr(Portal, "needs", classmethod(lambda _cls, _fleet: (need,)))
    return lean.edit("monk", "services", {"portal": {"image": "caddy:2.11.4-alpine"}})


def test_the_real_stacks_register_exactly_the_golden_policy(golden: Golden) -> None:
    acl = run_program("kscloud1").recorder.of_type("Acl")["tailnet-policy"].inputs

    golden.check("tailnet.policy.json", acl["acl"])
    assert (acl["overwriteExistingContent"], acl["resetAclOnDestroy"]) == (False, False)
    assert dump(parse(acl["acl"])) == acl["acl"], "canonical"


def test_the_golden_policy_is_valid_passes_its_own_tests_and_opens_nothing_undeclared() -> None:
    plan = plan_in()
    tailnet = known_tailnet(fleet_in(), plan.policy)

    assert plan.policy.tests
    assert validate(plan.policy) == []
    assert run_tests(plan.policy, tailnet) == []
    assert check_invariants(plan.policy, tailnet, plan.needed) == []


def _taken_away(plan: Plan) -> None:
    """Each flow carries exactly one grant and one test."""
    flows = (*plan.needed, *plan.allowed)
    assert len(plan.policy.grants or ()) == len(flows) == len(plan.policy.tests)
    for gone in flows:
        left = derive([flow for flow in flows if flow is not gone], plan.rules)
        (grant,) = [known for known in plan.policy.grants or () if known not in (left.grants or ())]
        (test,) = [known for known in plan.policy.tests if known not in left.tests]
        assert (grant.src, grant.dst, grant.ip) == ((gone.source,), (gone.destination,), (f"tcp:{gone.port}",))
        assert (test.src, test.accept, test.deny) == (gone.source, (f"{gone.destination}:{gone.port}",), ())
        assert left == plan.policy.model_copy(update={"grants": left.grants, "tests": left.tests})


def test_one_flow_taken_away_takes_exactly_its_grant_and_its_test() -> None:
    _taken_away(plan_in())


def test_a_need_of_a_service_is_one_flow_and_goes_with_it(exporter_needed: StackFiles) -> None:
    plan = plan_in(exporter_needed.folder)
    _taken_away(plan)
    (flow,) = [flow for flow in plan.needed if flow.port == 9100]
    assert (flow.source, flow.destination) == ("tag:monk", "tag:kscloud1")
    assert flow.reason == "the host's figures"

    exporter_needed.edit("monk", "services.portal", None)

    left = plan_in(exporter_needed.folder)
    assert [known for known in plan.needed if known not in left.needed] == [flow]


def test_a_need_that_is_met_on_the_same_host_opens_nothing(exporter_needed: StackFiles) -> None:
    exporter_needed.edit("monk", "services.node-exporter", {"image": "prom/node-exporter:v1.12.1"})

    assert 9100 not in {flow.port for flow in plan_in(exporter_needed.folder).needed}


@pytest.mark.parametrize(
    ("endpoint", "port"),
    [
        ("ssh://kite@kscloud1", 22),
        ("ssh://kscloud1:2222", 2222),
        ("ssh://kite@kscloud1:2222", 2222),
        ("unix:///var/run/docker.sock", 22),
    ],
)
def test_ssh_port_is_that_of_the_endpoint(endpoint: str, port: int) -> None:
    assert ssh_port(endpoint) == port


def test_another_ssh_port_moves_the_endpoints_flow_and_the_owners_way_in(lean: StackFiles) -> None:
    lean.edit("kscloud1", "host.docker", "ssh://kite@kscloud1:2222")

    problems = [str(problem) for problem in policy_problems(fleet_in(lean.folder))]

    assert [(flow.source, flow.destination, flow.port) for flow in plan_in(lean.folder).needed] == [
        ("tag:monk", "tag:kscloud1", 2222)
    ]
    assert len(problems) == 1
    assert "reach kscloud1 on tcp 2222" in problems[0]
    lean.edit("kscloud1", "tailnet", with_(access=[SSH, {"from": ["owner"], "to": ["kscloud1"], "ports": [2222]}]))
    assert list(policy_problems(fleet_in(lean.folder))) == []


def test_everything_that_a_section_may_say_comes_out_in_the_policy(lean: StackFiles) -> None:
    lean.edit(
        "kscloud1",
        "tailnet",
        {
            "groups": {"owner": ["kite@kitestacks.com"], "family": ["ada@example.com"]},
            "hosts": {"printer": "192.168.1.9"},
            "tags": {"store": ["owner", "autogroup:admin"], "pulumi": ["owner"], "monk": ["tag:pulumi"]},
            "access": [
                SSH,
                {"from": ["family", "ada@example.com"], "to": ["printer", "tag:store"], "ports": [631, 80]},
                {"from": ["autogroup:member"], "to": ["autogroup:self"], "ports": [53], "protocol": "udp"},
                {"from": ["*"], "to": ["printer"], "ports": [9]},
            ],
            "ssh": [{"from": ["owner"], "to": ["monk"], "users": ["kite", "autogroup:nonroot"], "check": True}],
            "wildcards": True,
        },
    )
    assert list(policy_problems(fleet_in(lean.folder))) == []
    policy = plan_in(lean.folder).policy

    grants = {(*grant.src, *grant.dst, *grant.ip) for grant in policy.grants or ()}
    assert {
        ("group:family", "printer", "tcp:631"),
        ("ada@example.com", "tag:store", "tcp:80"),
        ("autogroup:member", "autogroup:self", "udp:53"),
        ("*", "printer", "tcp:9"),
    } <= grants
    assert policy.tag_owners["tag:monk"] == ("tag:pulumi",)
    assert policy.tag_owners["tag:store"] == ("autogroup:admin", "group:owner")
    assert policy.hosts == {"printer": "192.168.1.9"}
    assert [(rule.action, rule.users) for rule in policy.ssh] == [("check", ("autogroup:nonroot", "kite"))]
    assert [test.check for test in policy.ssh_tests] == [("kite",)]


def test_a_third_host_has_its_tag_its_key_and_no_way_to_the_others(lean: StackFiles) -> None:
    lean.add_host("attic")

    run = run_program("kscloud1", lean.folder)

    keys = run.recorder.of_type("TailnetKey")
    assert {name: key.inputs["tags"] for name, key in keys.items()} == {
        f"tailnet-{host}-key": [f"tag:{host}"] for host in ("attic", "kscloud1", "monk")
    }
    policy = parse(run.recorder.of_type("Acl")["tailnet-policy"].inputs["acl"])
    assert "tag:attic" in policy.tag_owners
    assert {grant.src for grant in policy.grants or () if grant.dst == ("tag:attic",)} == {("group:owner",)}


def test_without_the_section_nothing_is_managed_and_no_credentials_are_asked_for(lean: StackFiles) -> None:
    lean.edit("kscloud1", "tailnet", None)

    run = run_program("kscloud1", lean.folder)

    assert not [known for known in run.recorder.resources if known.type.startswith("tailscale:")]
    assert "tailnet" not in run.outputs


def test_another_host_than_the_foundation_writes_no_policy(lean: StackFiles) -> None:
    assert replace(plan_in(lean.folder, here="monk"), at="") == plan_in(lean.folder)
