"""What is promised of each site: the figure of every fault follows the settings, and what a plan prints says it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from components.edge.promises import promises
from components.fleet import Fleet
from components.login import OidcClient, ProxyLogin
from components.model import StateClass
from components.needs import Need
from components.services.portal import Portal
from components.settings import StackFile
from components.sites import show, site_reports, table

SITE = {"hostname": "www.kitestacks.com", "public": True}
SHARED = SITE | {"shared": True}
EDGE = {"edge": {"domain": "kitestacks.com"}}
PAID = {"failover": "load-balancer", "load-balancer": {"plan": "business", "interval": "20s", "timeout": "4s"}}

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.stack_files import StackFiles


def stack(
    *,
    address: str,
    site: Mapping[str, Any] | None,
    more: Mapping[str, Any] | None = None,
    proxy: bool = True,
    connector: bool = True,
) -> StackFile:
    services: dict[str, Any] = {"cloudflared": {"image": "x:1"}} if connector else {}
    if proxy:
        services["site-proxy"] = {"image": "x:1"}
    if site:
        services["portal"] = {"image": "x:1", "site": site}
    host = {"docker": "unix:///x", "data": "/x", "tailscale-address": address}
    return StackFile.model_validate({"host": host, "services": services} | dict(more or {}))


def fleet(
    monk: Mapping[str, Any] | None = SHARED,
    kscloud1: Mapping[str, Any] | None = SHARED,
    *,
    edge: Mapping[str, Any] | None = None,
) -> Fleet:
    foundation = {"edge": {"domain": "kitestacks.com"} | dict(edge or {})}
    stacks = {
        "monk": stack(address="100.64.0.1", site=monk),
        "kscloud1": stack(address="100.64.0.2", site=kscloud1, more=foundation),
    }
    return Fleet(here="monk", stacks=stacks)


def seconds(of: Fleet) -> dict[str, int | None]:
    return {promise.fault: promise.seconds for promise in promises(of, of.sites[0])}


def test_any_copy_will_do_so_only_the_way_counts() -> None:
    assert seconds(fleet()) == {
        f"{what}": figure
        for host in ("monk", "kscloud1")
        for what, figure in ((f"{host} gone", 5), (f"connector of {host} gone", 5), (f"copy on {host} sick", 7))
    }


def test_load_balancer_is_as_slow_as_its_monitor() -> None:
    found = seconds(fleet(edge=PAID))

    assert found["monk gone"] == found["connector of monk gone"] == 20 + 4 * (2 + 1)
    assert found["copy on monk sick"] == 7, "the site proxy sees that, in either mode"
    (promise, *_) = promises(fleet(edge=PAID), fleet().sites[0])
    assert promise.formula == "monitor interval 20 s + time-out 4 s x (retries 2 + 1)"


def test_one_writer_at_a_time_is_missed_until_the_proxies_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Portal, "state", StateClass.PRIMARY_STANDBY)
    of = fleet(SHARED | {"primary": "monk"})

    assert seconds(of) == {
        "monk gone": 7,
        "connector of monk gone": 5,
        "copy on monk sick": 7,
        "kscloud1 gone": 5,
        "connector of kscloud1 gone": 5,
        "copy on kscloud1 sick": 0,
        "tailnet cut": 7,
        "tailnet cut and monk's tunnel gone": 7,
    }
    (*_, apart) = promises(of, of.sites[0])
    assert "each host's visitors get its own copy, and what is written on both must be merged by hand" in apart.formula


def test_wiki_whose_other_copy_takes_no_writes_is_promised_for_reading_where_the_primary_is_away(
    files: StackFiles,
) -> None:
    for host in ("monk", "kscloud1"):
        files.edit(host, "services.bookstack.data", "read-only")
    (report,) = [report for report in site_reports(files.fleet("monk")) if report.service == "bookstack"]

    assert report.worst_of_each() == ("7 s, for reading", "5 s", "7 s, for reading")
    said = {promise.fault: promise for promise in report.promises}
    assert said["monk gone"].formula.endswith("nobody writes until monk is back or another host is the primary")
    assert not said["kscloud1 gone"].limit
    assert said["tailnet cut and monk's tunnel gone"].formula.endswith("and only that of monk is written")
    assert table([report]).endswith(
        "  data: read-only, the other host has what was written up to seconds ago, for reading"
    )


def test_site_of_one_host_is_promised_nothing_but_what_to_type() -> None:
    of = fleet(SITE, None)

    assert set(seconds(of).values()) == {None}
    assert {promise.fault: promise.type for promise in promises(of, of.sites[0])} == {
        "monk gone": "",
        "connector of monk gone": "docker restart cloudflared",
        "copy on monk sick": "docker restart portal",
    }


def test_host_of_something_that_is_needed_and_stands_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Login servers on both hosts, with one database: without that they are shells."""
    need = Need(service="site-proxy", port=1, reason="for a test")
    monkeypatch.setattr(Portal, "needs", lambda _: (need,))
    of = fleet()
    stacks = dict(of.stacks) | {"monk": stack(address="100.64.0.1", site=SHARED, proxy=False)}

    found = promises(Fleet(here="monk", stacks=stacks), of.sites[0])

    (gone,) = [promise for promise in found if promise.fault == "kscloud1 gone"]
    assert gone.seconds is None
    assert gone.formula == (
        "portal needs site-proxy, which stands on kscloud1 alone; it answers again when kscloud1 is back"
    )
    assert next(promise.seconds for promise in found if promise.fault == "monk gone") is not None


def test_what_is_needed_on_the_same_host_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Portal, "needs", lambda _: (Need(service="cloudflared", port=1, reason="for a test"),))
    of = fleet(SITE, None)
    stacks = dict(of.stacks) | {"kscloud1": stack(address="100.64.0.2", site=None, more=EDGE, connector=False)}

    assert seconds(Fleet(here="monk", stacks=stacks)) == seconds(of)


def test_report_says_how_a_site_is_reached_let_in_watched_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    (shared,) = site_reports(fleet())
    (balanced,) = site_reports(fleet(edge=PAID))
    (single,) = site_reports(fleet(SITE, None))
    monkeypatch.setattr(Portal, "login", OidcClient(redirect_paths=("/x",)))
    (private,) = site_reports(fleet({"hostname": SITE["hostname"]}, None))
    monkeypatch.setattr(Portal, "login", ProxyLogin())
    (behind,) = site_reports(fleet({"hostname": SITE["hostname"]}, None))

    assert (shared.route, balanced.route, single.route) == (
        "shared tunnel",
        "load balancer, steering off",
        "tunnel of monk",
    )
    assert (shared.login, private.login, behind.login) == ("public", "single sign-on", "Authentik stands in front")
    assert shared.monitor == "site proxies, every 2s"
    assert balanced.monitor == "site proxies, every 2s; Cloudflare, every 20s"
    assert single.monitor == "Docker on monk, every 10s"
    assert shared.backup == "none: the page is made from the stack files"
    assert (shared.hosts, shared.primary, shared.health) == (("monk", "kscloud1"), "", "/healthz")


def test_data_that_somebody_carries_is_said_in_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Portal, "state", StateClass.PRIMARY_STANDBY)
    of = fleet(SHARED | {"primary": "monk"})
    carried = StackFile.model_validate(
        {
            "host": {"docker": "unix:///x", "data": "/x", "tailscale-address": "100.64.0.1"},
            "services": {
                "site-proxy": {"image": "x:1"},
                "portal": {"image": "x:1", "data": "manual", "site": SHARED | {"primary": "monk"}},
            },
        }
    )

    (report,) = site_reports(Fleet(here="monk", stacks=dict(of.stacks) | {"monk": carried}))

    assert report.primary == "monk"
    assert table([report]).endswith("  data: manual, the other hosts have what somebody last carried there")


def test_output_is_small_and_plain() -> None:
    (report,) = site_reports(fleet())

    assert json.loads(json.dumps(report.output())) == report.output()
    assert len(json.dumps(report.output())) < 600


@pytest.mark.parametrize("previewed", [True, False])
def test_a_plan_prints_a_line_for_each_site(previewed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: previewed)
    monkeypatch.setattr(pulumi.log, "info", said.append)

    show(site_reports(fleet(SITE, None)))

    assert [text.splitlines() for text in said] == (
        [
            [
                "the longest time without an answer, by what is gone",
                "site                hosts  host gone       connector gone  copy sick",
                "www.kitestacks.com  monk   down with monk  down            down",
            ]
        ]
        if previewed
        else []
    )
