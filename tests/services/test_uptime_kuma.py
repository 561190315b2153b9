"""Uptime Kuma as monk's stack file declares it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from components.login import ProxyLogin
from components.services.uptime_kuma import UptimeKuma
from tests.recorder import foundation_outputs, run_program
from tests.services.plans import containers_of, environment, plan

if TYPE_CHECKING:
    from tests.recorder import Recorded, Run
    from tests.stack_files import StackFiles


def kuma() -> Recorded:
    return containers_of("uptime-kuma", "monk")["uptime-kuma"]


def facts_of(run: Run) -> dict[str, Any]:
    step = run.recorder.of_type("Command")["uptime-kuma-setup"]
    return dict(json.loads(step.inputs["environment"]["KITESTACKS_STEP"]))


def test_image_is_the_second_version_over_sqlite() -> None:
    assert re.search(r":2\.\d+\.\d+$", kuma().inputs["image"])
    assert environment(kuma())["UPTIME_KUMA_DB_TYPE"] == "sqlite"
    assert kuma().inputs["mounts"][0]["target"] == "/app/data"


def test_authentik_stands_in_front_of_all_but_the_public_pages() -> None:
    login = UptimeKuma.login
    assert isinstance(login, ProxyLogin)
    open_paths = [re.compile(path) for path in login.open_paths]

    def is_open(path: str) -> bool:
        return any(each.search(path) for each in open_paths)

    assert all(map(is_open, ("/status/kitestacks", "/assets/index.js", "/api/push/abc", UptimeKuma.health_path)))
    assert all(map(is_open, ("/api/status-page/heartbeat/kitestacks", "/api/badge/1/status", "/upload/logo1.png")))
    assert not any(map(is_open, ("/", "/dashboard", "/metrics", "/socket.io/", "/settings/security")))


def test_own_login_goes_off_only_where_authentik_stands_in_front(files: StackFiles) -> None:
    assert facts_of(plan("monk"))["login_off"] is True

    files.edit("monk", "services.uptime-kuma.site", None)
    run = run_program("monk", files.folder, references={"kscloud1": foundation_outputs("monk", "kscloud1")})

    assert facts_of(run)["login_off"] is False


def test_every_site_of_the_fleet_is_watched_at_a_path_without_a_login() -> None:
    facts = facts_of(plan("monk"))
    monitors = {each["name"]: each for each in facts["monitors"]}

    assert set(monitors) == set(plan("monk").outputs["sites"])
    assert monitors["git.kitestacks.com"]["url"] == "https://git.kitestacks.com/api/healthz"
    assert monitors["www.kitestacks.com"]["description"] == "Portal on kscloud1 and monk"
    assert {each["interval"] for each in monitors.values()} == {60}
    assert facts["page"] == {"slug": "kitestacks", "title": "kitestacks.com"}


def test_taking_a_site_away_changes_the_step(files: StackFiles) -> None:
    files.edit("monk", "services.portainer", None)
    run = run_program("monk", files.folder, references={"kscloud1": foundation_outputs("monk", "kscloud1")})

    assert "portainer.kitestacks.com" not in {each["name"] for each in facts_of(run)["monitors"]}


def test_health_check_is_in_the_image_and_asks_without_a_login() -> None:
    assert kuma().inputs["healthcheck"]["tests"][1] == "curl"
    assert kuma().inputs["healthcheck"]["tests"][-1] == "http://127.0.0.1:3001/icon.svg"
