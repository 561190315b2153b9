"""Simulated load balancing: what it takes, and what a plan or a missing part makes it refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.cloud.cloudflare import CLOUDFLARE
from rehearsal.cloud.cloudflare.load_balancer import LoadBalancer, Monitor, Pool
from tests.rehearsal.cloud_world import ACCOUNT, DOMAIN, ZONE, Client, Refused, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MONITOR, POOL, BALANCER = Monitor.type_name, Pool.type_name, LoadBalancer.type_name
WWW = f"www.{DOMAIN}"
TUNNEL = "5d5f0b5e-0000-4000-8000-000000000000.cfargotunnel.com"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Client]:
    with world(tmp_path, CLOUDFLARE) as client:
        client.store.seed(None, {}, None, "pro")
        yield client


def without_none(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def monitor_inputs(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    given = {
        "accountId": ACCOUNT,
        "type": "https",
        "path": "/healthz",
        "expectedCodes": "2xx",
        "header": {"Host": [WWW]},
        "interval": 60,
        "timeout": 5,
        "retries": 2,
    }
    return without_none({**given, **changes})


def origin(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"name": "monk", "address": TUNNEL, "enabled": True, "weight": 1, "header": {"hosts": [WWW]}, **changes}


def pool_inputs(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    given = {
        "accountId": ACCOUNT,
        "name": "monk",
        "origins": [origin()],
        "checkRegions": ["WEU"],
        "minimumOrigins": 1,
    }
    return without_none({**given, **changes})


def balancer_inputs(*pools: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    given = {"zoneId": ZONE, "name": WWW, "defaultPools": list(pools), "fallbackPool": pools[-1], "proxied": True}
    return without_none({**given, **changes})


def test_all_three_are_written_down_and_read_back(cloud: Client) -> None:
    monitor, _ = cloud.create(MONITOR, monitor_inputs())
    pool, _ = cloud.create(POOL, pool_inputs(monitor=monitor))
    inputs = balancer_inputs(pool, steeringPolicy="off", sessionAffinity="none")
    balancer, made = cloud.create(BALANCER, inputs)

    assert cloud.read(BALANCER, balancer, inputs, made) == (balancer, inputs, {**inputs, **made})
    assert cloud.read(MONITOR, monitor, monitor_inputs(), {})[1] == monitor_inputs()
    assert cloud.read(POOL, pool, pool_inputs(monitor=monitor), {})[1] == pool_inputs(monitor=monitor)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"interval": 30}, "interval must be from 60 to 3600 on the pro plan, not 30"),
        ({"interval": 7200}, "not 7200"),
        ({"timeout": 60}, "below the interval"),
        ({"retries": 6}, "retries must be from 0 to 5"),
        ({"path": "healthz"}, "path must begin with /"),
        ({"expectedCodes": None}, "expected_codes must name codes or a range"),
        ({"expectedCodes": "fine"}, "expected_codes must name"),
        ({"header": {"Host": [WWW, DOMAIN]}}, "exactly one Host"),
        ({"accountId": "f" * 32}, "403 Forbidden"),
    ],
)
def test_monitor_is_refused(changes: dict[str, Any], words: str, cloud: Client) -> None:
    with pytest.raises(Refused, match=words):
        cloud.create(MONITOR, monitor_inputs(**changes))
    assert not cloud.store.view()["cloudflare"]["monitors"]


@pytest.mark.parametrize(("plan", "least"), [("business", 15), ("enterprise", 10)])
def test_a_larger_plan_may_check_more_often(plan: str, least: int, cloud: Client) -> None:
    cloud.store.seed(None, {}, None, plan)
    cloud.create(MONITOR, monitor_inputs(interval=least))
    with pytest.raises(Refused, match=f"from {least} to 3600 on the {plan} plan"):
        cloud.create(MONITOR, monitor_inputs(interval=least - 1, timeout=1))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"origins": []}, "origins: at least one is required"),
        ({"origins": [origin(), origin(name="again")]}, "the same address must not appear twice"),
        ({"origins": [origin(address="http://x")]}, "an address must be a host name"),
        ({"origins": [origin(header={"hosts": [WWW, DOMAIN]})]}, "exactly one Host header"),
        ({"name": "with blanks"}, "only alphanumeric characters"),
        ({"minimumOrigins": 2}, "minimum_origins must be from 1 to the number of origins"),
        ({"monitor": "none-such"}, "monitor none-such does not exist"),
        ({"checkRegions": None}, "check_regions must name regions on the pro plan"),
    ],
)
def test_pool_is_refused(changes: dict[str, Any], words: str, cloud: Client) -> None:
    with pytest.raises(Refused, match=words):
        cloud.create(POOL, pool_inputs(**changes))


def test_two_pools_of_one_name_are_refused(cloud: Client) -> None:
    cloud.create(POOL, pool_inputs())
    with pytest.raises(Refused, match="there is a pool of this name already"):
        cloud.create(POOL, pool_inputs())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"defaultPools": []}, "default_pools: at least one is required"),
        ({"defaultPools": ["none-such"]}, "default_pools: there is no pool none-such"),
        ({"fallbackPool": "none-such"}, "fallback_pool: there is no pool none-such"),
        ({"name": "www.example.org"}, f"www.example.org is not in the zone {DOMAIN}"),
        ({"ttl": 30}, "ttl must not be set on a proxied load balancer"),
        ({"zoneId": "f" * 32}, "403 Forbidden"),
    ],
)
def test_load_balancer_is_refused(changes: dict[str, Any], words: str, cloud: Client) -> None:
    pool, _ = cloud.create(POOL, pool_inputs())
    with pytest.raises(Refused, match=words):
        cloud.create(BALANCER, balancer_inputs(pool, **changes))


def test_second_load_balancer_of_a_name_is_refused(cloud: Client) -> None:
    pool, _ = cloud.create(POOL, pool_inputs())
    cloud.create(BALANCER, balancer_inputs(pool))
    with pytest.raises(Refused, match="there is a load balancer of this name already"):
        cloud.create(BALANCER, balancer_inputs(pool))


def test_what_is_in_use_cannot_be_deleted(cloud: Client) -> None:
    monitor, _ = cloud.create(MONITOR, monitor_inputs())
    pool, _ = cloud.create(POOL, pool_inputs(monitor=monitor))
    balancer, _ = cloud.create(BALANCER, balancer_inputs(pool))

    with pytest.raises(Refused, match=f"it is in use by load balancer {WWW}"):
        cloud.delete(POOL, pool, pool_inputs())
    with pytest.raises(Refused, match="it is in use by pool monk"):
        cloud.delete(MONITOR, monitor, monitor_inputs())
    for kind, known in ((BALANCER, balancer), (POOL, pool), (MONITOR, monitor)):
        cloud.delete(kind, known, {})
    assert not cloud.store.view()["cloudflare"]["load_balancers"]


def test_a_word_that_the_type_does_not_know_is_found_at_preview(cloud: Client) -> None:
    assert "steeringPolicy" in cloud.check(BALANCER, balancer_inputs("a", steeringPolicy="best"))
    assert "type" in cloud.check(MONITOR, monitor_inputs(type="smoke-signals"))


def test_a_changed_monitor_is_changed_in_place(cloud: Client) -> None:
    monitor, _ = cloud.create(MONITOR, monitor_inputs())
    cloud.update(MONITOR, monitor, monitor_inputs(), monitor_inputs(interval=120))
    assert cloud.read(MONITOR, monitor, monitor_inputs(), {})[1]["interval"] == 120
    assert cloud.diff(MONITOR, monitor_inputs(), monitor_inputs(interval=120)) == (["interval"], [])
