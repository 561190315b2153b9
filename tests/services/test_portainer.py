"""Portainer as monk's stack file declares it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from components.login import OidcClient
from components.services.portainer import Portainer
from tests.recorder import foundation_outputs, run_program
from tests.services.plans import containers_of, files, plan

if TYPE_CHECKING:
    from tests.recorder import Recorded
    from tests.stack_files import StackFiles


def portainer() -> Recorded:
    return containers_of("portainer", "monk")["portainer"]


def facts_of(run: Any) -> dict[str, Any]:  # noqa: ANN401 - a run or its like
    step = run.recorder.of_type("Command")["portainer-oauth"]
    return dict(json.loads(step.inputs["environment"]["KITESTACKS_STEP"]))


def test_no_visitor_chooses_the_first_password() -> None:
    assert "--admin-password-file=/run/secrets/admin-password" in portainer().inputs["command"]
    assert files(portainer())["/run/secrets/admin-password"] == "made-vault-portainer-admin-password"
    assert Portainer.secrets["admin-password"].length >= 12
    assert Portainer.secrets["admin-password"].typed


def test_writing_through_the_tunnel_is_trusted_by_bare_host_name() -> None:
    assert "--trusted-origins=portainer.kitestacks.com" in portainer().inputs["command"]
    assert "--http-enabled" in portainer().inputs["command"]


def test_host_is_seen_through_its_own_socket_by_the_sockets_owner() -> None:
    mounts = {mount["target"]: mount["source"] for mount in portainer().inputs["mounts"]}

    assert mounts == {
        "/data": "/home/kite/kitestacks-live/docker/portainer",
        "/var/run/docker.sock": "/var/run/docker.sock",
    }
    assert portainer().inputs["user"] == "0"
    assert portainer().inputs["capabilities"]["adds"] == []
    assert "--host=unix:///var/run/docker.sock" in portainer().inputs["command"]


@pytest.mark.parametrize(
    ("endpoint", "socket"),
    [("unix:///run/user/1000/docker.sock", "/run/user/1000/docker.sock"), ("ssh://kite@monk", "/var/run/docker.sock")],
)
def test_socket_is_where_the_host_has_it(files: StackFiles, endpoint: str, socket: str) -> None:
    files.edit("monk", "host.docker", endpoint)
    run = run_program("monk", files.folder, references={"kscloud1": foundation_outputs("monk", "kscloud1")})

    sources = [mount["source"] for mount in run.containers()["portainer"].inputs["mounts"]]
    assert socket in sources


def test_image_has_a_program_for_the_health_check() -> None:
    assert portainer().inputs["image"].endswith("-alpine")
    assert portainer().inputs["healthcheck"]["tests"] == [
        "CMD",
        "wget",
        "-q",
        "--spider",
        "http://127.0.0.1:9000/api/system/status",
    ]


def test_login_is_for_those_who_run_the_platform_and_returns_to_the_sites_root() -> None:
    assert isinstance(Portainer.login, OidcClient)
    assert Portainer.login.groups == ("kitestacks-admins",)
    assert Portainer.login.redirect_paths == ("/",)
    oauth = facts_of(plan("monk"))["oauth"]
    assert oauth["RedirectURI"] == "https://portainer.kitestacks.com/"
    assert oauth["AuthorizationURI"] == "https://auth.kitestacks.com/application/o/authorize/"
    assert oauth["UserIdentifier"] == "preferred_username"
    assert (oauth["SSO"], oauth["OAuthAutoCreateUsers"]) == (True, True)


def test_step_gets_its_secrets_by_standard_input() -> None:
    step = plan("monk").recorder.of_type("Command")["portainer-oauth"]

    assert json.loads(step.inputs["stdin"])["secrets"] == {
        "admin-password": "made-vault-portainer-admin-password",
        "client-id": "shared-portainer.client-id",
        "client-secret": "shared-portainer.client-secret",
    }
    assert "stdin" in step.secrets


def test_without_a_site_there_is_no_login_to_set(files: StackFiles) -> None:
    files.edit("monk", "services.portainer.site", None)
    run = run_program("monk", files.folder, references={"kscloud1": foundation_outputs("monk", "kscloud1")})

    assert facts_of(run)["oauth"] is None
    assert not [each for each in run.containers()["portainer"].inputs["command"] if "trusted" in each]
