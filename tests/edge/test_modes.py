"""What is registered for shared sites in both failover modes, and in which order copies answer on which host."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from components.edge.copies import copy_hostname
from components.model import StateClass
from components.services.portal import Portal
from tests.recorder import Run, foundation_outputs, load_balanced, run_program, stack_config

if TYPE_CHECKING:
    from tests.stack_files import StackFiles

FOUNDATION = {"kscloud1": foundation_outputs("monk", "kscloud1")}
WWW = "www.kitestacks.com"
VISITORS = {"hostname": WWW, "service": "http://site-proxy:8080"}


def rules(run: Run, tunnel: str) -> list[dict[str, Any]]:
    config = run.recorder.of_type("ZeroTrustTunnelCloudflaredConfig")[f"{tunnel}-ingress"].inputs["config"]
    found: list[dict[str, Any]] = config["ingresses"]
    return found


def copy_rule(host: str) -> dict[str, Any]:
    changed = {"httpHostHeader": WWW}
    return {
        "hostname": f"www-{host}.kitestacks.com",
        "service": "http://site-proxy:8082",
        "originRequest": changed,
    }


def records(run: Run) -> dict[str, str]:
    return {known.inputs["name"]: known.inputs["content"] for known in run.recorder.of_type("DnsRecord").values()}


def proxy_config(run: Run) -> dict[str, Any]:
    (upload,) = run.containers()["site-proxy"].inputs["uploads"]
    config: dict[str, Any] = json.loads(upload["content"])
    return config


def upstreams(run: Run) -> list[str]:
    (route, _) = proxy_config(run)["apps"]["http"]["servers"]["visitors"]["routes"]
    return [upstream["dial"] for upstream in route["handle"][0]["upstreams"]]


@pytest.fixture
def monk(portal_files: StackFiles) -> Run:
    return run_program("monk", portal_files.folder, references=FOUNDATION)


@pytest.fixture
def kscloud1(portal_files: StackFiles) -> Run:
    return run_program("kscloud1", portal_files.folder)


@pytest.fixture
def balanced(portal_files: StackFiles) -> Run:
    return run_program(
        "kscloud1", portal_files.folder, config=load_balanced(stack_config("kscloud1", portal_files.folder))
    )


def test_every_tunnel_is_ready_for_either_mode(monk: Run, kscloud1: Run, balanced: Run) -> None:
    assert rules(monk, "monk")[:-1] == [VISITORS, copy_rule("monk")]
    for run in (kscloud1, balanced):
        assert rules(run, "shared")[:-1] == [VISITORS]
        assert rules(run, "kscloud1")[:-1] == [VISITORS, copy_rule("kscloud1")]


def test_every_copy_has_a_name_of_its_own_made_by_its_own_host(monk: Run, kscloud1: Run) -> None:
    assert records(monk) == {"www-monk.kitestacks.com": "monk-uuid.cfargotunnel.com"}
    assert records(kscloud1) == {
        WWW: "shared-tunnel-id.cfargotunnel.com",
        "www-kscloud1.kitestacks.com": "kscloud1-tunnel-id.cfargotunnel.com",
    }


def test_load_balancer_comes_above_the_record_that_stays(balanced: Run, kscloud1: Run) -> None:
    assert records(balanced) == records(kscloud1)
    (monitor,) = balanced.recorder.of_type("LoadBalancerMonitor").values()
    assert monitor.inputs["header"] == {"Host": [WWW]}
    assert (monitor.inputs["type"], monitor.inputs["path"], monitor.inputs["expectedCodes"]) == (
        "https",
        "/healthz",
        "2xx",
    )
    assert (monitor.inputs["interval"], monitor.inputs["timeout"], monitor.inputs["retries"]) == (60, 5, 2)
    pools = balanced.recorder.of_type("LoadBalancerPool")
    assert {name: pool.inputs["origins"][0]["address"] for name, pool in pools.items()} == {
        f"{WWW}-{host}-pool": f"{host}-tunnel-id.cfargotunnel.com" for host in ("monk", "kscloud1")
    }
    for pool in pools.values():
        assert pool.inputs["origins"][0]["header"] == {"hosts": [WWW]}
        assert pool.inputs["monitor"] == f"{WWW}-monitor-id"
    (balancer,) = balanced.recorder.of_type("LoadBalancer").values()
    assert balancer.inputs["defaultPools"] == [f"{WWW}-monk-pool-id", f"{WWW}-kscloud1-pool-id"]
    assert balancer.inputs["fallbackPool"] == f"{WWW}-kscloud1-pool-id", "what takes over"
    assert (balancer.inputs["steeringPolicy"], balancer.inputs["sessionAffinity"]) == ("off", "none")
    assert not kscloud1.recorder.of_type("LoadBalancer")


def test_owners_wishes_reach_the_load_balancer(portal_files: StackFiles) -> None:
    wishes = {
        "plan": "enterprise",
        "steering": "random",
        "session-affinity": "cookie",
        "interval": "10s",
        "retries": 1,
        "regions": ["WEU", "ENAM"],
        "notify": "owner@example.com",
    }
    portal_files.edit("kscloud1", "edge.failover", "load-balancer").edit("kscloud1", "edge.load-balancer", wishes)
    portal_files.edit("monk", "services.portal.site.primary", "kscloud1")

    run = run_program("kscloud1", portal_files.folder)

    (balancer,) = run.recorder.of_type("LoadBalancer").values()
    assert (balancer.inputs["steeringPolicy"], balancer.inputs["sessionAffinity"]) == ("random", "cookie")
    assert balancer.inputs["defaultPools"] == [f"{WWW}-kscloud1-pool-id", f"{WWW}-monk-pool-id"]
    pool = run.recorder.of_type("LoadBalancerPool")[f"{WWW}-monk-pool"]
    assert (pool.inputs["notificationEmail"], pool.inputs["checkRegions"]) == ("owner@example.com", ["WEU", "ENAM"])


def test_any_copy_will_do_so_the_nearest_is_first(monk: Run, kscloud1: Run) -> None:
    assert upstreams(monk) == ["portal:80", "100.64.0.2:8081", "127.0.0.1:9001"]
    assert upstreams(kscloud1) == ["portal:80", "100.64.0.1:8081", "127.0.0.1:9001"]


def test_one_writer_at_a_time_so_all_hosts_agree_on_the_order(
    portal_files: StackFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Portal, "state", StateClass.PRIMARY_STANDBY)
    portal_files.edit("monk", "services.portal.data", "manual").edit("monk", "services.portal.site.primary", "monk")

    assert upstreams(run_program("monk", portal_files.folder, references=FOUNDATION))[0] == "portal:80"
    assert upstreams(run_program("kscloud1", portal_files.folder)) == ["100.64.0.1:8081", "127.0.0.1:9001", "portal:80"]


def test_door_for_other_hosts_is_published_on_the_private_address(monk: Run) -> None:
    container = monk.containers()["site-proxy"]

    assert container.inputs["ports"] == [{"internal": 8081, "external": 8081, "ip": "100.64.0.1", "protocol": "tcp"}]
    assert "uploads" in {path.partition("[")[0] for path in container.secrets}, "its configuration holds a key"


def test_both_proxies_know_the_same_key(monk: Run, kscloud1: Run) -> None:
    def key(run: Run) -> str:
        (route, _) = proxy_config(run)["apps"]["http"]["servers"]["tunnel"]["routes"]
        (found,) = route["match"][0]["header"]["X-Site-Proxy-Key"]
        return str(found)

    assert key(kscloud1).startswith("made-"), "the foundation makes it"
    assert key(monk) == "shared-site-proxy.key"


@pytest.mark.parametrize(
    ("hostname", "name"),
    [
        ("wiki.kitestacks.com", "wiki-monk.kitestacks.com"),
        ("a.b.kitestacks.com", "a-monk.b.kitestacks.com"),
        ("kitestacks.com", "monk.kitestacks.com"),
    ],
)
def test_name_of_a_copy(hostname: str, name: str) -> None:
    assert copy_hostname(hostname, "monk", "kitestacks.com") == name
