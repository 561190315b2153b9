"""Who routes which site, for other fleets than the committed one: one host, three hosts, another installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.recorder import Run, foundation_outputs, run_program

if TYPE_CHECKING:
    from tests.stack_files import StackFiles


@pytest.fixture
def files(files: StackFiles) -> StackFiles:
    """The real stack files with as little as the edge needs."""
    return files.keep("cloudflared", "site-proxy", "portal", "node-exporter")


FOUNDATION = {"kscloud1": foundation_outputs("monk", "kscloud1", "attic")}
CATCH_ALL = {"service": "http_status:404"}


def ingress(run: Run, tunnel: str) -> list[dict[str, str]]:
    rules: list[dict[str, str]] = run.recorder.of_type("ZeroTrustTunnelCloudflaredConfig")[f"{tunnel}-ingress"].inputs[
        "config"
    ]["ingresses"]
    return rules


def tunnels(run: Run) -> set[str]:
    return {known.inputs["name"] for known in run.recorder.of_type("ZeroTrustTunnelCloudflared").values()}


def test_site_of_one_host_is_routed_by_that_host_through_its_own_tunnel(portal_files: StackFiles) -> None:
    portal_files.edit("kscloud1", "services.portal", None).edit("monk", "services.portal.site.shared", None)

    monk = run_program("monk", portal_files.folder, references=FOUNDATION)
    foundation = run_program("kscloud1", portal_files.folder)

    assert ingress(monk, "monk") == [{"hostname": "www.kitestacks.com", "service": "http://portal:80"}, CATCH_ALL]
    (record,) = monk.recorder.of_type("DnsRecord").values()
    assert record.inputs["content"] == "monk-uuid.cfargotunnel.com"
    assert record.inputs["zoneId"] == "b" * 32
    assert ingress(foundation, "shared") == ingress(foundation, "kscloud1") == [CATCH_ALL]
    assert not foundation.recorder.of_type("DnsRecord")
    assert "cloudflared-shared" not in monk.containers() | foundation.containers()


def test_host_writes_the_rules_of_its_own_tunnel_and_of_no_other(portal_files: StackFiles) -> None:
    monk = run_program("monk", portal_files.folder, references=FOUNDATION)
    foundation = run_program("kscloud1", portal_files.folder)

    assert set(monk.recorder.of_type("ZeroTrustTunnelCloudflaredConfig")) == {"monk-ingress"}
    assert set(foundation.recorder.of_type("ZeroTrustTunnelCloudflaredConfig")) == {
        "shared-ingress",
        "kscloud1-ingress",
    }
    assert not tunnels(monk), "a tunnel's identity belongs to the foundation"


def test_third_host_is_one_more_file(portal_files: StackFiles) -> None:
    portal_files.add_host("attic")
    portal = {"hostname": "www.kitestacks.com", "shared": True, "public": True}
    portal_files.edit("attic", "services.site-proxy", {"image": "caddy:2.11.4-alpine"})
    portal_files.edit("attic", "services.portal", {"image": "caddy:2.11.4-alpine", "site": portal})

    foundation = run_program("kscloud1", portal_files.folder)
    attic = run_program("attic", portal_files.folder, references=FOUNDATION)

    assert tunnels(foundation) == {f"kitestacks-{name}" for name in ("attic", "kscloud1", "monk", "shared")}
    assert foundation.outputs["sites"]["www.kitestacks.com"]["hosts"] == ["attic", "monk", "kscloud1"]
    assert {"cloudflared", "cloudflared-shared", "portal", "site-proxy"} == set(attic.containers())


def test_another_installation_keeps_apart_what_shares_a_machine_or_an_account(portal_files: StackFiles) -> None:
    for stack in ("monk", "kscloud1"):
        portal_files.edit(stack, "installation", "trial")

    foundation = run_program("kscloud1", portal_files.folder)

    assert tunnels(foundation) == {"trial-monk", "trial-kscloud1", "trial-shared"}
    assert "trial-kscloud1-portal" in foundation.containers()
    (network,) = foundation.recorder.of_type("Network").values()
    assert network.inputs["name"] == "trial-kscloud1-edge"
    comments = {record.inputs["comment"] for record in foundation.recorder.of_type("DnsRecord").values()}
    assert comments == {"managed by Pulumi for trial"}


def test_mirror_setting_swaps_what_is_pulled_and_what_runs(portal_files: StackFiles) -> None:
    portal_files.edit("monk", "images", {"cloudflare/": "mirror.local/cf/", "caddy:2.11.4-alpine": "own/caddy:1"})

    monk = run_program("monk", portal_files.folder, references=FOUNDATION)

    images = {name: container.inputs["image"] for name, container in monk.containers().items()}
    pulled = {known.inputs["name"] for known in monk.recorder.of_type("RemoteImage").values()}
    assert images["cloudflared"] == "mirror.local/cf/cloudflared:2026.8.2"
    assert images["portal"] == "own/caddy:1"
    assert images["node-exporter"] == "prom/node-exporter:v1.12.1"
    assert pulled == set(images.values())


def test_host_over_ssh_shares_one_connection_and_never_asks(portal_files: StackFiles) -> None:
    (provider,) = run_program("kscloud1", portal_files.folder).recorder.of_type("docker").values()

    options = provider.inputs["sshOpts"]
    assert "ControlMaster=auto" in str(options)
    assert "BatchMode=yes" in str(options)
    assert provider.inputs["host"] == "ssh://kite@kscloud1"
