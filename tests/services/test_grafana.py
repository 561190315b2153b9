"""Grafana as monk's stack file declares it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

from tests.recorder import foundation_outputs, run_program
from tests.services.plans import containers_of, environment, files, plan

if TYPE_CHECKING:
    from tests.recorder import Recorded
    from tests.stack_files import StackFiles

AUTH = "https://auth.kitestacks.com/application/o"


def grafana() -> Recorded:
    return containers_of("grafana", "monk")["grafana"]


def test_it_logs_in_at_authentik_by_three_addresses() -> None:
    given = environment(grafana())

    assert given["GF_SERVER_ROOT_URL"] == "https://grafana.kitestacks.com/"
    assert given["GF_AUTH_GENERIC_OAUTH_AUTH_URL"] == f"{AUTH}/authorize/"
    assert given["GF_AUTH_GENERIC_OAUTH_TOKEN_URL"] == f"{AUTH}/token/"
    assert given["GF_AUTH_GENERIC_OAUTH_API_URL"] == f"{AUTH}/userinfo/"
    assert given["GF_AUTH_SIGNOUT_REDIRECT_URL"] == f"{AUTH}/grafana/end-session/"


def test_admins_by_group_are_administrators_and_all_others_look() -> None:
    given = environment(grafana())

    assert given["GF_AUTH_GENERIC_OAUTH_ROLE_ATTRIBUTE_PATH"] == (
        "contains(groups[*], 'kitestacks-admins') && 'GrafanaAdmin' || 'Viewer'"
    )
    assert given["GF_AUTH_GENERIC_OAUTH_ALLOW_ASSIGN_GRAFANA_ADMIN"] == "true"
    assert given["GF_AUTH_GENERIC_OAUTH_ROLE_ATTRIBUTE_STRICT"] == "true"


def test_every_secret_comes_by_a_private_file_that_its_setting_names() -> None:
    named = {key.removesuffix("__FILE"): path for key, path in environment(grafana()).items() if key.endswith("__FILE")}
    private = {upload["file"] for upload in grafana().inputs["uploads"] if upload["permissions"] == "0440"}

    assert set(named) == {
        "GF_SECURITY_ADMIN_PASSWORD",
        "GF_SECURITY_SECRET_KEY",
        "GF_METRICS_BASIC_AUTH_PASSWORD",
        "GF_AUTH_GENERIC_OAUTH_CLIENT_ID",
        "GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET",
    }
    assert set(named.values()) == private


def test_its_figures_are_not_for_everybody_who_finds_the_site() -> None:
    assert environment(grafana())["GF_METRICS_BASIC_AUTH_USERNAME"] == "prometheus"


def test_the_source_has_the_uid_that_every_panel_names_and_cannot_be_edited() -> None:
    given = files(grafana())
    (source,) = yaml.safe_load(given["/etc/grafana/provisioning/datasources/kitestacks.yaml"])["datasources"]

    assert (source["url"], source["isDefault"], source["editable"]) == ("http://prometheus:9090", True, False)
    for name in ("hosts", "services", "edge"):
        board = json.loads(given[f"/etc/kitestacks/dashboards/{name}.json"])
        assert {panel["datasource"]["uid"] for panel in board["panels"]} == {source["uid"]}


def test_provisioning_holds_no_dollar_sign_that_grafana_would_take_for_environment() -> None:
    for path, text in files(grafana()).items():
        if "/provisioning/" in path:
            assert "$" not in text.replace("$$", "")


def test_it_runs_as_its_own_user_in_a_folder_that_is_made_for_it() -> None:
    steps = plan("monk").recorder.of_type("Command")

    assert grafana().inputs["user"] == "472:0"
    assert '["grafana", "472:0", "0750"]' in steps["grafana-folders"].inputs["environment"]["KITESTACKS_STEP"]
    assert grafana().inputs["healthcheck"]["tests"][-1].endswith("/api/health")


def test_the_administrators_password_is_kept_true_by_a_step_that_shows_none() -> None:
    step = plan("monk").recorder.of_type("Command")["grafana-admin-password"]

    assert "stdin" in step.secrets
    assert "made-vault-grafana-admin-password" in step.inputs["stdin"]
    assert "made-" not in step.inputs["environment"]["KITESTACKS_STEP"]


def test_it_reads_prometheus_over_the_private_network_where_that_stands_elsewhere(files: StackFiles) -> None:
    block = {"image": "prom/prometheus:v3.14.0"}
    files.edit("monk", "services.prometheus", None).edit("kscloud1", "services.prometheus", block)
    run = run_program("monk", files.folder, references={"kscloud1": foundation_outputs("monk", "kscloud1")})
    sources = {upload["file"]: upload["content"] for upload in run.containers()["grafana"].inputs["uploads"]}

    assert "http://100.64.0.2:9090" in sources["/etc/grafana/provisioning/datasources/kitestacks.yaml"]
    (port,) = run_program("kscloud1", files.folder).containers()["prometheus"].inputs["ports"]
    assert (port["ip"], port["external"]) == ("100.64.0.2", 9090)


def test_without_a_login_there_is_no_client(files: StackFiles) -> None:
    files.edit("monk", "services.grafana.site", None)
    run = run_program("monk", files.folder, references={"kscloud1": foundation_outputs("monk", "kscloud1")})

    assert not [each for each in environment(run.containers()["grafana"]) if "OAUTH" in each]
