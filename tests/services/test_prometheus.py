"""Prometheus as the stack files declare it: whom it asks, with which key, and what it is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from components.services import KNOWN_SERVICES
from tests.recorder import foundation_outputs, run_program
from tests.services.plans import containers_of, files, plan

if TYPE_CHECKING:
    from tests.recorder import Recorded
    from tests.stack_files import StackFiles

CONFIG = "/etc/prometheus/prometheus.yml"


def prometheus() -> Recorded:
    return containers_of("prometheus", "monk")["prometheus"]


def jobs() -> dict[str, dict[str, Any]]:
    return {job["job_name"]: job for job in yaml.safe_load(files(prometheus())[CONFIG])["scrape_configs"]}


def addresses(job: str) -> dict[tuple[str, str], str]:
    return {
        (each["labels"]["host"], each["labels"]["container"]): each["targets"][0]
        for each in jobs()[job]["static_configs"]
    }


def test_it_runs_as_nobody_and_keeps_its_figures_in_its_own_folder() -> None:
    inputs = prometheus().inputs
    (mount,) = inputs["mounts"]

    assert inputs["user"] == "65534:65534"
    assert (mount["source"], mount["target"]) == ("/home/kite/kitestacks-live/docker/prometheus", "/prometheus")
    # A command of one's own replaces the image's arguments, so these two have to be said again.
    assert {f"--config.file={CONFIG}", "--storage.tsdb.path=/prometheus"} <= set(inputs["command"])
    assert "--web.external-url=https://prometheus.kitestacks.com" in inputs["command"]
    assert not [argument for argument in inputs["command"] if "lifecycle" in argument or "admin-api" in argument]
    assert inputs["healthcheck"]["tests"][1:4] == ["wget", "-q", "--spider"]


def test_retention_stands_in_the_file_because_its_flags_are_deprecated() -> None:
    config = yaml.safe_load(files(prometheus())[CONFIG])

    assert config["storage"]["tsdb"]["retention"]["time"] == "90d"
    assert config["global"]["scrape_interval"] == "15s"
    assert not [argument for argument in prometheus().inputs["command"] if "retention" in argument]


def test_every_host_is_asked_on_its_private_address() -> None:
    assert addresses("node") == {
        ("monk", "node-exporter"): "100.64.0.1:9100",
        ("kscloud1", "node-exporter"): "100.64.0.2:9100",
    }


def test_containers_of_its_own_host_are_asked_by_name_and_others_where_they_are_published() -> None:
    assert addresses("cloudflared") == {
        ("monk", "cloudflared"): "cloudflared:2000",
        ("monk", "cloudflared-shared"): "cloudflared-shared:2000",
        ("kscloud1", "cloudflared"): "100.64.0.2:2000",
        ("kscloud1", "cloudflared-shared"): "100.64.0.2:2001",
    }
    assert addresses("prometheus") == {("monk", "prometheus"): "prometheus:9090"}


def test_every_endpoint_of_the_fleet_that_can_be_reached_is_asked_and_by_a_name_that_exists() -> None:
    asked = {each["targets"][0] for job in jobs().values() for each in job["static_configs"]}
    for stack in ("monk", "kscloud1"):
        for service, known in KNOWN_SERVICES.items():
            for each in known.metrics if containers_of(service, stack) else ():
                if stack == "monk" and each.container:
                    assert each.container in containers_of(service, stack)
                    assert f"{each.container}:{each.port}" in asked
                elif each.outside is not None:
                    address = {"monk": "100.64.0.1", "kscloud1": "100.64.0.2"}[stack]
                    assert f"{address}:{each.outside}" in asked


def test_what_is_asked_on_the_other_host_is_published_there_and_nothing_else_is() -> None:
    asked = {each["targets"][0] for job in jobs().values() for each in job["static_configs"]}
    published = {
        f"{port['ip']}:{int(port['external'])}"
        for name in ("cloudflared", "cloudflared-shared")
        for port in plan("kscloud1").containers()[name].inputs["ports"]
    }

    assert published == {"100.64.0.2:2000", "100.64.0.2:2001"} <= asked
    assert not plan("monk").containers()["cloudflared"].inputs.get("ports")


def test_keys_are_private_files_and_stand_in_no_configuration() -> None:
    grafana, litellm = jobs()["grafana"], jobs()["litellm"]
    given = files(prometheus())
    permissions = {upload["file"]: upload["permissions"] for upload in prometheus().inputs["uploads"]}

    assert litellm["authorization"] == {"type": "Bearer", "credentials_file": "/run/secrets/litellm-metrics-key"}
    assert grafana["basic_auth"] == {
        "username": "prometheus",
        "password_file": "/run/secrets/grafana-metrics-password",
    }
    for path in ("/run/secrets/litellm-metrics-key", "/run/secrets/grafana-metrics-password"):
        assert permissions[path] == "0440"
        assert given[path] not in given[CONFIG]


def test_the_login_page_is_asked_as_a_visitor_sees_it() -> None:
    job = jobs()["login"]

    assert job["scheme"] == "https"
    assert job["static_configs"][0]["targets"] == ["auth.kitestacks.com"]
    assert job["metrics_path"] == KNOWN_SERVICES["authentik"].health_path
    assert job["fallback_scrape_protocol"], "an answer without figures has no content type of figures"


def test_a_host_that_serves_no_shared_site_has_no_shared_connector_to_ask(files: StackFiles) -> None:
    files.add_host("attic")
    run = run_program("monk", files.folder, references={"kscloud1": foundation_outputs("monk", "kscloud1", "attic")})
    uploads = run.containers()["prometheus"].inputs["uploads"]
    config = next(upload["content"] for upload in uploads if upload["file"] == CONFIG)

    assert "100.64.0.9:2000" in config
    assert "100.64.0.9:2001" not in config
