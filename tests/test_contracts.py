"""What holds for every component and every container of both stacks, whichever service made it."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

import components
from components.services import KNOWN_SERVICES
from components.types import check_image, duration_seconds, go_duration
from tests.recorder import ROOT, Recorded, Run, foundation_outputs, load_balanced, run_program, stack_config

REFERENCES = {"kscloud1": foundation_outputs("monk", "kscloud1")}
RUNS = {stack: run_program(stack, references=REFERENCES) for stack in ("kscloud1", "monk")}
BALANCED = run_program("kscloud1", config=load_balanced(stack_config("kscloud1", ROOT)))
"""The foundation's stack in the other failover mode."""
CONTAINERS = [
    pytest.param(stack, container, id=f"{stack}-{name}")
    for stack, run in RUNS.items()
    for name, container in run.containers().items()
]
PRIVATE = {"kscloud1": "100.64.0.2", "monk": "100.64.0.1"}
DATA = {"kscloud1": "/opt/kitestacks/docker", "monk": "/home/kite/kitestacks-live/docker"}
NEEDED_CAPABILITIES = {
    "backup": ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER"],
    "bookstack": ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"],
    "karakeep": ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER"],
    "kavita": ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID"],
    "portal": ["CAP_NET_BIND_SERVICE"],
    "site-proxy": ["CAP_NET_BIND_SERVICE"],
    "uptime-kuma": ["CAP_NET_RAW"],
}
"""What may be added back, by container; everything else runs without any."""


def _components() -> list[type[pulumi.ComponentResource]]:
    found = []
    for module in pkgutil.walk_packages(components.__path__, "components."):
        for _, each in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if issubclass(each, pulumi.ComponentResource) and each.__module__ == module.name:
                found.append(each)
    return found


@pytest.mark.parametrize("component", _components(), ids=lambda component: component.__name__)
def test_component_says_what_it_is_for_what_it_creates_and_what_it_leaves_out(component: type) -> None:
    text = component.__doc__ or ""
    assert text
    assert "Creates" in text
    assert "Leaves out" in text


def test_component_tokens_are_of_one_pattern_and_each_class_has_its_own() -> None:
    names = {component.__name__ for component in _components()} - {
        "Service",
        "HostSetup",
    }  # a base, and one that is off
    runs = (*RUNS.values(), BALANCED)
    tokens = {known.type for run in runs for known in run.recorder.resources if "kitestacks" in known.type}

    assert tokens == {f"kitestacks:index:{name}" for name in names}


@pytest.mark.parametrize("stack", RUNS)
def test_every_resource_hangs_below_a_component(stack: str) -> None:
    for known in RUNS[stack].recorder.resources:
        is_component = known.type.startswith("kitestacks:")
        assert known.parent, known.name
        assert is_component or "kitestacks:index:" in known.parent, known.name


@pytest.mark.parametrize("stack", RUNS)
def test_child_names_begin_with_their_parents(stack: str) -> None:
    for known in RUNS[stack].recorder.resources:
        parent = known.parent.rpartition("::")[2]
        assert known.type.startswith("kitestacks:") or known.name.startswith(parent), known.name


@pytest.mark.parametrize(("stack", "container"), CONTAINERS)
class TestEveryContainer:
    def test_is_pinned_and_pulled_by_the_same_reference(self, stack: str, container: Recorded) -> None:
        image = container.inputs["image"]
        assert check_image(image) == image
        assert image in {known.inputs["name"] for known in RUNS[stack].recorder.of_type("RemoteImage").values()}

    def test_waits_for_a_health_check_that_settles(self, stack: str, container: Recorded) -> None:
        health = container.inputs["healthcheck"]
        assert stack
        assert health["tests"][0] == "CMD"
        assert len(health["tests"]) > 1
        assert container.inputs["wait"] is True
        assert container.inputs["waitTimeout"] >= 60
        for key in ("interval", "timeout"):
            assert health[key] == go_duration(duration_seconds(health[key])), "any other spelling never settles"
        assert duration_seconds(health["interval"]) >= 10, "faster checks load the host"
        assert "healthcheck" in container.replace_on_changes

    def test_is_limited_in_memory_and_logs(self, stack: str, container: Recorded) -> None:
        assert stack
        assert 0 < container.inputs["memory"] == container.inputs["memorySwap"]
        assert container.inputs["logDriver"] == "json-file"
        assert set(container.inputs["logOpts"]) == {"max-size", "max-file"}

    def test_has_the_least_capabilities(self, stack: str, container: Recorded) -> None:
        assert stack
        assert container.inputs["capabilities"]["drops"] == ["ALL"]
        assert container.inputs["capabilities"]["adds"] == NEEDED_CAPABILITIES.get(container.inputs["name"], [])
        assert "no-new-privileges:true" in container.inputs["securityOpts"]
        assert not container.inputs.get("privileged")

    def test_is_marked_as_ours(self, stack: str, container: Recorded) -> None:
        labels = _labels(container)
        assert labels["kitestacks.host"] == stack
        assert labels["kitestacks.installation"] == "kitestacks"
        assert labels["kitestacks.service"] in KNOWN_SERVICES

    def test_says_which_files_were_put_into_it(self, stack: str, container: Recorded) -> None:
        """A backup has to find them, to start it elsewhere."""
        assert stack
        put = sorted(each["file"] for each in container.inputs.get("uploads", []))
        assert json.loads(_labels(container).get("kitestacks.files", "[]")) == put

    def test_publishes_ports_on_the_private_address_alone(self, stack: str, container: Recorded) -> None:
        assert {port["ip"] for port in container.inputs.get("ports", [])} <= {PRIVATE[stack]}
        assert not container.inputs.get("publishAllPorts")

    def test_reads_and_writes_only_the_folders_that_its_service_declares(self, stack: str, container: Recorded) -> None:
        service = KNOWN_SERVICES[_labels(container)["kitestacks.service"]]
        declared = {f"{DATA[stack]}/{folder.path}" for folder in service.folders}
        if service is KNOWN_SERVICES["backup"]:
            declared.add(DATA[stack])  # it saves and brings back them all
        below_data = {m["source"] for m in container.inputs.get("mounts", []) if m["source"].startswith(DATA[stack])}
        assert below_data <= declared, "an undeclared folder would be made by Docker, as root's"
        assert not container.inputs.get("volumes"), "a volume is not where the data lives"

    def test_comes_back_and_goes_gently(self, stack: str, container: Recorded) -> None:
        assert stack
        assert container.inputs["restart"] == "unless-stopped"
        assert container.inputs["mustRun"] is True
        assert container.inputs["destroyGraceSeconds"] >= 10
        assert container.inputs["removeVolumes"] is False
        assert container.delete_before_replace
        assert container.error_hooks

    def test_shows_no_secret_to_docker_inspect(self, stack: str, container: Recorded) -> None:
        assert stack
        shown = {path.partition("[")[0].partition(".")[0] for path in container.secrets}
        assert shown <= {"uploads"}, "a secret belongs in a file"
        for upload in container.inputs.get("uploads", []):
            assert upload["permissions"] in ("0440", "0444")
            private = any(path.startswith("uploads") for path in container.secrets) and upload["permissions"] == "0440"
            assert not private or container.inputs["groupAdds"] == ["0"], "its program could not read it"


@pytest.mark.parametrize("name", KNOWN_SERVICES)
def test_every_service_says_what_of_it_is_kept(name: str) -> None:
    service = KNOWN_SERVICES[name]
    kept = service.backup
    folders = {folder.path for folder in service.folders}

    assert bool(kept.disposable) != bool(kept.dumps or kept.folders), "kept, or disposable and why"
    assert set(kept.folders) <= folders
    containers = {each for run in RUNS.values() for each in run.containers()}
    assert {dump.container for dump in kept.dumps} <= containers


@pytest.mark.parametrize("name", [name for name, service in KNOWN_SERVICES.items() if service.port])
def test_every_service_with_a_site_has_a_tile_a_health_path_and_a_way_in(name: str) -> None:
    service = KNOWN_SERVICES[name]
    public = {site for run in RUNS.values() for site in _public_services(run)}

    assert service.tile is not None
    assert service.health_path.startswith("/")
    assert service.login is not None or name in public


def _public_services(run: Run) -> set[str]:
    values = yaml.safe_load((Path(components.__path__[0]).parent / f"Pulumi.{run.stack}.yaml").read_text())["config"]
    blocks = values["kitestacks:services"]
    return {name for name, block in blocks.items() if block.get("site", {}).get("public")}


def test_a_token_is_a_file_that_only_the_connector_may_read() -> None:
    for run in RUNS.values():
        for name in ("cloudflared", "cloudflared-shared"):
            container = run.containers()[name]
            (upload,) = container.inputs["uploads"]
            assert "uploads" in {path.partition("[")[0] for path in container.secrets}
            assert (upload["permissions"], container.inputs["groupAdds"]) == ("0440", ["0"])
            assert f"TUNNEL_TOKEN_FILE={upload['file']}" in container.inputs["envs"]


def test_tokens_go_to_the_right_connectors() -> None:
    tokens = {
        (stack, name): run.containers()[name].inputs["uploads"][0]["content"]
        for stack, run in RUNS.items()
        for name in ("cloudflared", "cloudflared-shared")
    }

    assert tokens["monk", "cloudflared"] == "token-of-monk"
    assert tokens["monk", "cloudflared-shared"] == "token-of-shared"
    assert tokens["kscloud1", "cloudflared"] != tokens["kscloud1", "cloudflared-shared"]


def test_ingress_dns_and_sites_agree() -> None:
    run = RUNS["kscloud1"]
    ingress = run.recorder.of_type("ZeroTrustTunnelCloudflaredConfig")["shared-ingress"].inputs["config"]["ingresses"]
    record = run.recorder.of_type("DnsRecord")["www.kitestacks.com-record"]

    assert {"hostname": "www.kitestacks.com", "service": "http://site-proxy:8080"} in ingress
    assert ingress[-1] == {"service": "http_status:404"}
    assert record.inputs["name"] == "www.kitestacks.com"
    assert record.inputs["content"] == "shared-tunnel-id.cfargotunnel.com"
    assert (record.inputs["proxied"], record.inputs["ttl"], record.inputs["type"]) == (True, 1, "CNAME")
    elsewhere = RUNS["monk"].recorder.of_type("DnsRecord")
    assert "www.kitestacks.com-record" not in elsewhere, "a shared site's record belongs to the foundation"


def test_only_the_connectors_and_sites_are_on_the_edge_network() -> None:
    for stack, run in RUNS.items():
        networks = {
            name: c.inputs["networksAdvanced"] for name, c in run.containers().items() if "networksAdvanced" in c.inputs
        }
        on_edge = {
            name for name, each in networks.items() if "kitestacks-edge" in [network["name"] for network in each]
        }
        fronts = {service.front or name for name, service in KNOWN_SERVICES.items() if service.port}
        measured = {each.container for service in KNOWN_SERVICES.values() for each in service.metrics}
        expected = {"cloudflared", "cloudflared-shared", "site-proxy"} | fronts | measured
        assert on_edge == expected & set(networks), stack
        assert all(network["aliases"] == [name] for name, each in networks.items() for network in each), stack


def test_node_exporter_listens_on_the_private_address_alone() -> None:
    container = RUNS["monk"].containers()["node-exporter"]

    assert container.inputs["networkMode"] == "host"
    assert "--web.listen-address=100.64.0.1:9100" in container.inputs["command"]
    assert container.inputs["mounts"][0] == {
        "type": "bind",
        "source": "/",
        "target": "/host",
        "readOnly": True,
        "bindOptions": {"propagation": "rslave"},
    }
    assert all(mount["readOnly"] for mount in container.inputs["mounts"])


def test_program_is_a_table_of_contents() -> None:
    program = Path(components.__path__[0]).parent / "__main__.py"
    assert len(program.read_text().splitlines()) < 60


def _labels(container: Recorded) -> dict[str, Any]:
    return {label["label"]: label["value"] for label in container.inputs["labels"]}
