"""The contract over what is registered: a healthy graph has no gap; what is taken out is named, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from components.graph import Registered, gaps
from tests.recorder import run_program, stack_config
from tests.services.plans import STACKS, plan
from tests.stack_files import ROOT, StackFiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from components.fleet import Fleet

FLEETS = {stack: StackFiles(ROOT).fleet(stack) for stack in STACKS}


def registered(stack: str) -> list[Registered]:
    """What the real stack registers."""
    known = plan(stack).recorder.resources
    return [Registered(kind=each.type.rpartition(":")[2], name=each.name, inputs=each.inputs) for each in known]


def said(fleet: Fleet, resources: list[Registered]) -> list[str]:
    return [f"{gap.path} {gap.rule}" for gap in gaps(fleet, resources)]


@pytest.mark.parametrize("stack", STACKS)
def test_real_stacks_have_no_gap(stack: str) -> None:
    assert said(FLEETS[stack], registered(stack)) == []


def _without(kind: str, name: str) -> Callable[[Registered], Registered | None]:
    return lambda each: None if (each.kind, each.name) == (kind, name) else each


def _changed(kind: str, name: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:  # noqa: ANN401
    def apply(each: Registered) -> Registered:
        return replace(each, inputs=change(dict(each.inputs))) if (each.kind, each.name) == (kind, name) else each

    return apply


def _without_rule(hostname: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def change(inputs: dict[str, Any]) -> dict[str, Any]:
        rules = [rule for rule in inputs["config"]["ingresses"] if rule.get("hostname") != hostname]
        return inputs | {"config": {"ingresses": rules}}

    return change


def _without_text(text: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def change(inputs: dict[str, Any]) -> dict[str, Any]:
        uploads = [upload | {"content": str(upload["content"]).replace(text, "")} for upload in inputs["uploads"]]
        return inputs | {"uploads": uploads}

    return change


def _without_monitor(hostname: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def change(inputs: dict[str, Any]) -> dict[str, Any]:
        told = inputs["environment"]["KITESTACKS_STEP"].replace(f'"name": "{hostname}"', '"name": "another"')
        return inputs | {"environment": {"KITESTACKS_STEP": told}}

    return change


RULES = "ZeroTrustTunnelCloudflaredConfig"
MUTATIONS = [
    pytest.param(
        "monk",
        _without("DnsRecord", "git.kitestacks.com-record"),
        ["services.forgejo.site must have a DNS record: none is registered for git.kitestacks.com"],
        id="a site's record",
    ),
    pytest.param(
        "kscloud1",
        _without("DnsRecord", "www.kitestacks.com-record"),
        ["services.portal.site must have a DNS record: none is registered for www.kitestacks.com"],
        id="a shared site's record",
    ),
    pytest.param(
        "monk",
        _without("DnsRecord", "wiki-monk.kitestacks.com-record"),
        [
            (
                "services.bookstack.site must have a DNS record of its copy on monk: "
                "none is registered for wiki-monk.kitestacks.com"
            )
        ],
        id="a copy's record",
    ),
    pytest.param(
        "monk",
        _changed(RULES, "monk-ingress", _without_rule("git.kitestacks.com")),
        ["services.forgejo.site must have an ingress rule on tunnel monk: none is registered for git.kitestacks.com"],
        id="a site's ingress rule",
    ),
    pytest.param(
        "kscloud1",
        _changed(RULES, "shared-ingress", _without_rule("wiki.kitestacks.com")),
        [
            (
                "services.bookstack.site must have an ingress rule on tunnel shared: "
                "none is registered for wiki.kitestacks.com"
            )
        ],
        id="a shared site's ingress rule",
    ),
    pytest.param(
        "monk",
        _changed(RULES, "monk-ingress", _without_rule("wiki-monk.kitestacks.com")),
        [
            (
                "services.bookstack.site must have an ingress rule on tunnel monk: "
                "none is registered for wiki-monk.kitestacks.com"
            )
        ],
        id="a copy's ingress rule",
    ),
    pytest.param(
        "monk",
        _without("Container", "grafana-container"),
        ["services.grafana.site must have the container grafana on monk: none is registered"],
        id="a container",
    ),
    pytest.param(
        "monk",
        _changed("Container", "grafana-container", lambda inputs: inputs | {"healthcheck": None}),
        [
            (
                "services.grafana.site must have a health check of grafana: "
                "the container has none, so nobody knows when it is well"
            )
        ],
        id="a health check",
    ),
    pytest.param(
        "monk",
        _changed("Container", "authentik-worker-container", _without_text("slug: grafana\n")),
        ["services.grafana.site must have a login: the blueprint on monk has no application grafana"],
        id="a login",
    ),
    pytest.param(
        "monk",
        _changed("Command", "uptime-kuma-setup", _without_monitor("git.kitestacks.com")),
        ["services.forgejo.site must have a monitor: Uptime Kuma is told nothing of git.kitestacks.com"],
        id="a monitor",
    ),
    pytest.param(
        "monk",
        _changed("Container", "portal-container", _without_text("https://git.kitestacks.com")),
        ["services.forgejo.site must have a tile: the portal on monk does not show git.kitestacks.com"],
        id="a tile",
    ),
]


@pytest.mark.parametrize(("stack", "mutation", "says"), MUTATIONS)
def test_what_is_taken_out_is_named_and_nothing_else(
    stack: str, mutation: Callable[[Registered], Registered | None], says: list[str]
) -> None:
    before = registered(stack)
    after = [changed for each in before if (changed := mutation(each)) is not None]

    assert after != before, "the mutation changed nothing"
    assert said(FLEETS[stack], after) == says


def test_missing_site_proxy_is_missed_by_every_shared_site() -> None:
    without = [each for each in registered("monk") if each.name != "site-proxy-container"]

    shared = [site.service for site in FLEETS["monk"].shared_sites]
    assert said(FLEETS["monk"], without) == [
        f"services.{service}.site must have the container site-proxy on monk: none is registered" for service in shared
    ]


def test_missing_load_balancer_is_missed_in_that_mode(files: StackFiles) -> None:
    files.edit("kscloud1", "edge.failover", "load-balancer").edit(
        "kscloud1", "edge.load-balancer", {"plan": "business"}
    )
    run = run_program("kscloud1", files.folder, config=stack_config("kscloud1", files.folder))
    known = [Registered(kind=r.type.rpartition(":")[2], name=r.name, inputs=r.inputs) for r in run.recorder.resources]
    without = [each for each in known if (each.kind, each.inputs.get("name")) != ("LoadBalancer", "www.kitestacks.com")]

    assert said(files.fleet("kscloud1"), known) == []
    assert said(files.fleet("kscloud1"), without) == [
        "services.portal.site must have a load balancer: none is registered for www.kitestacks.com"
    ]
