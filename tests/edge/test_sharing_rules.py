"""Placements and edge settings that would be a split brain, or a way that leads nowhere: each refused in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from components.errors import ProgramError
from components.login import ProxyLogin
from components.model import StateClass
from components.services.portal import Portal
from tests.recorder import foundation_outputs, run_program

if TYPE_CHECKING:
    from tests.stack_files import StackFiles

FOUNDATION = {"kscloud1": foundation_outputs("monk", "kscloud1", "attic")}
SITE = {"hostname": "www.kitestacks.com", "shared": True, "public": True}
STANDBY = StateClass.PRIMARY_STANDBY
Edits = dict[str, Any]
MANUAL: Edits = {"monk services.portal.data": "manual"}
PRIMARY: Edits = {"monk services.portal.site.primary": "monk"}
BALANCER = "kscloud1 edge.load-balancer"
PAID: Edits = {"kscloud1 edge.failover": "load-balancer", BALANCER: {"plan": "pro"}}


def refused(portal_files: StackFiles, edits: Edits, stack: str = "monk") -> str:
    for place, value in edits.items():
        host, _, path = place.partition(" ")
        portal_files.edit(host, path, value)
    with pytest.raises(ProgramError) as caught:
        run_program(stack, portal_files.folder, references=FOUNDATION)
    return str(caught.value)


@pytest.mark.parametrize(
    ("edits", "says"),
    [
        pytest.param(
            PRIMARY,
            "services.portal.data: must say how its data gets from one host to the other: portal is primary-standby, "
            "on monk and kscloud1 (write `data: manual` if somebody carries it",
            id="no way for the data",
        ),
        pytest.param(
            PRIMARY | {"monk services.portal.data": "ring"},
            "services.portal.data: must be a way that portal has, got 'ring' (write `data: manual` if",
            id="a way that the service does not have",
        ),
        pytest.param(
            MANUAL,
            "services.portal.site.primary: must name the host whose copy of portal answers as long as it can, one of "
            "monk and kscloud1 (for example `primary: monk`)",
            id="no primary",
        ),
        pytest.param(
            MANUAL | PRIMARY | {"kscloud1 services.portal.site.primary": "kscloud1"},
            "must be the same in every file that has 'www.kitestacks.com', got kscloud1 and monk (two primaries are",
            id="two primaries",
        ),
        pytest.param(
            MANUAL | {"monk services.portal.site.primary": "attic"},
            "services.portal.site.primary: must be a host that has portal, got 'attic' (one of: kscloud1, monk)",
            id="primary elsewhere",
        ),
        pytest.param(
            MANUAL | PRIMARY | {"kscloud1 services.portal.site": None, "monk services.portal.site.shared": None},
            "Pulumi.kscloud1.yaml: services.portal.site: must be there: on monk and kscloud1 only a shared site sees "
            "to it that one copy of portal answers",
            id="standby without a site",
        ),
        pytest.param(
            MANUAL | PRIMARY | {"kscloud1 services.site-proxy": None},
            "Pulumi.kscloud1.yaml: services: must have site-proxy: on kscloud1 nothing leads visitors of "
            "www.kitestacks.com to the copy that may answer",
            id="standby without a proxy",
        ),
    ],
)
def test_standby_that_would_be_a_second_writer(
    edits: Edits, says: str, portal_files: StackFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Portal, "state", STANDBY)

    assert says in refused(portal_files, edits)


def test_standby_with_all_of_it_is_taken(portal_files: StackFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table above would prove nothing otherwise."""
    monkeypatch.setattr(Portal, "state", STANDBY)
    for place, value in (MANUAL | PRIMARY).items():
        host, _, path = place.partition(" ")
        portal_files.edit(host, path, value)

    assert "portal" in run_program("monk", portal_files.folder, references=FOUNDATION).containers()


@pytest.mark.parametrize(
    ("edits", "says"),
    [
        pytest.param(
            MANUAL,
            "services.portal.data: must be left out: portal is stateless, so no data has to get across",
            id="data of a stateless service",
        ),
        pytest.param(
            {"monk services.portal.site.primary": "attic"},
            "services.portal.site.primary: must be a host that has portal, got 'attic'",
            id="primary that is no host of it",
        ),
        pytest.param(
            {
                "kscloud1 services.portal": None,
                "monk services.portal.site": {**SITE, "shared": False, "primary": "monk"},
            },
            "services.portal.site.primary: must be left out: the site is not shared",
            id="primary of a site of one host",
        ),
        pytest.param(
            {"monk services.site-proxy": None},
            "services: must have site-proxy: on monk nothing leads visitors of www.kitestacks.com to the copy that may "
            "answer (add `site-proxy: {image: caddy:2.11.4-alpine}`)",
            id="shared site without a proxy",
        ),
        pytest.param(
            {f"{host} services.portal.site.hostname": f"{'w' * 60}.kitestacks.com" for host in ("monk", "kscloud1")},
            "services.portal.site.hostname: must be shorter: " + "w" * 60 + "-kscloud1.kitestacks.com",
            id="no room for the names of copies",
        ),
        pytest.param(
            {"kscloud1 edge.failover": "load-balancer"},
            "edge.load-balancer: must be there for `failover: load-balancer`: it is a paid add-on",
            id="paid mode without a plan",
        ),
        pytest.param(
            PAID | {BALANCER: {"plan": "free"}},
            "edge.load-balancer.plan: must be 'pro', 'business' or 'enterprise'",
            id="unknown plan",
        ),
        pytest.param(
            PAID | {BALANCER: {"plan": "pro", "interval": "30s"}},
            "edge.load-balancer.interval: must be from 60s to 3600s on the plan pro (as of 2026-08-22), got '30s' "
            "(for example 60s)",
            id="monitor faster than Pro",
        ),
        pytest.param(
            PAID | {BALANCER: {"plan": "business", "interval": "10s"}},
            "must be from 15s to 3600s on the plan business",
            id="monitor faster than Business",
        ),
        pytest.param(
            PAID | {BALANCER: {"plan": "enterprise", "interval": "9s"}},
            "must be from 10s to 3600s on the plan enterprise",
            id="monitor faster than Enterprise",
        ),
        pytest.param(
            PAID | {BALANCER: {"plan": "pro", "interval": "2h"}},
            "must be from 60s to 3600s on the plan pro (as of 2026-08-22), got '2h0m0s'",
            id="monitor slower than allowed",
        ),
        pytest.param(
            PAID | {BALANCER: {"plan": "business", "interval": "15s", "timeout": "20s"}},
            "edge.load-balancer.timeout: must be shorter than the interval of 15s, got '20s'",
            id="checks that overtake each other",
        ),
        pytest.param(
            PAID | {BALANCER: {"plan": "pro", "steering": "geo"}},
            "edge.load-balancer.steering: must be 'off' or 'random'",
            id="unknown steering",
        ),
        pytest.param(
            PAID | {BALANCER: {"plan": "pro", "retries": 9}},
            "edge.load-balancer.retries: ",
            id="too many retries",
        ),
        pytest.param(
            PAID | {BALANCER: {"plan": "pro", "notify": "me"}},
            "edge.load-balancer.notify: ",
            id="mail address that is none",
        ),
    ],
)
def test_setting_that_leads_nowhere(edits: Edits, says: str, portal_files: StackFiles) -> None:
    stack = "kscloud1" if any(place.startswith("kscloud1 edge") for place in edits) else "monk"

    assert says in refused(portal_files, edits, stack)


def test_name_of_a_copy_belongs_to_it_alone(portal_files: StackFiles) -> None:
    portal_files.add_host("attic")
    other = {"hostname": "www-monk.kitestacks.com", "public": True}

    message = refused(portal_files, {"attic services.portal": {"image": "caddy:2.11.4-alpine", "site": other}})

    assert (
        "must leave www-monk.kitestacks.com free: it is the name of the copy of www.kitestacks.com on monk" in message
    )


def test_site_all_behind_a_login_is_not_shared(portal_files: StackFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Portal, "login", ProxyLogin())

    message = refused(portal_files, {f"{host} services.portal.site.public": None for host in ("monk", "kscloud1")})

    assert (
        "services.portal.site.shared: must be false: all of portal lies behind a login, so no health check" in message
    )


def test_more_shared_sites_than_the_plan_has_room_for(portal_files: StackFiles) -> None:
    """Eleven hosts with the portal need eleven endpoints, two sites with it twenty-two."""
    for number in range(19):
        host = f"attic{number}"
        portal_files.add_host(host, address=f"100.64.1.{number + 1}")
        portal_files.edit(host, "services.site-proxy", {"image": "caddy:2.11.4-alpine"})
        portal_files.edit(host, "services.portal", {"image": "caddy:2.11.4-alpine", "site": SITE})

    message = refused(portal_files, PAID, "kscloud1")

    assert "edge.failover: must be replicas: the plan pro allows 20 endpoints (as of 2026-08-22)" in message
    assert "the shared sites need 21 (write `failover: replicas`, or share fewer sites)" in message
