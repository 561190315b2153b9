"""Prometheus's configuration from targets: which job asks what, and with which key."""

from __future__ import annotations

from typing import Any

import yaml

from components.metrics import Metrics
from components.monitoring.scrape import ScrapeConfig
from components.monitoring.targets import Target


def target(service: str, address: str, path: str = "/metrics") -> Target:
    described = Metrics(container=service, port=1, path=path)
    return Target(service=service, host="monk", address=address, metrics=described)


def jobs(*targets: Target, login: str = "") -> dict[str, dict[str, Any]]:
    config = ScrapeConfig(targets=targets, tokens={}, rules="/r", retention="1d", login=login)
    return {job["job_name"]: job for job in yaml.safe_load(config.render())["scrape_configs"]}


def test_endpoints_of_a_service_are_one_job_and_say_where_they_stand() -> None:
    found = jobs(target("a", "a:1"), target("a", "b:1"))

    assert [each["targets"] for each in found["a"]["static_configs"]] == [["a:1"], ["b:1"]]
    assert found["a"]["static_configs"][0]["labels"] == {"host": "monk", "service": "a", "container": "a"}


def test_node_exporters_are_the_job_that_their_own_rules_select() -> None:
    assert set(jobs(target("node-exporter", "100.64.0.1:9100"))) == {"node"}


def test_endpoints_with_another_path_are_a_job_of_their_own() -> None:
    found = jobs(target("a", "a:1"), target("a", "a:2", path="/other"), target("a", "a:3", path="/third"))

    assert sorted(job["metrics_path"] for job in found.values()) == ["/metrics", "/other", "/third"]


def test_without_a_login_nobody_asks_its_page() -> None:
    assert "login" not in jobs(target("a", "a:1"))


def test_the_login_page_is_asked_by_its_whole_address() -> None:
    job = jobs(login="https://auth.example.org/-/live/")["login"]

    assert (job["scheme"], job["metrics_path"]) == ("https", "/-/live/")
    assert job["static_configs"][0]["targets"] == ["auth.example.org"]
