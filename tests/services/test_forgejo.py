"""Forgejo as monk's stack file declares it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from components.login import OidcClient
from components.services.forgejo import Forgejo, spelled
from tests.recorder import foundation_outputs, run_program
from tests.services.plans import containers_of, environment, files, plan

if TYPE_CHECKING:
    from tests.recorder import Recorded
    from tests.stack_files import StackFiles


def forgejo() -> Recorded:
    return containers_of("forgejo", "monk")["forgejo"]


def test_runs_without_root_and_without_capabilities() -> None:
    assert forgejo().inputs["image"].endswith("-rootless")
    assert forgejo().inputs["user"] == "1000:1000"
    assert forgejo().inputs["capabilities"]["adds"] == []
    assert [(folder.path, folder.owner) for folder in Forgejo.folders] == [("forgejo", "1000:1000")]
    assert forgejo().inputs["mounts"][0]["target"] == "/var/lib/gitea"


def test_secrets_are_files_that_forgejo_is_told_of() -> None:
    told = {key: value for key, value in environment(forgejo()).items() if key.endswith("__FILE")}

    assert told == {
        "FORGEJO__security__SECRET_KEY__FILE": "/run/secrets/secret-key",
        "FORGEJO__security__INTERNAL_TOKEN__FILE": "/run/secrets/internal-token",
        "FORGEJO__oauth2__JWT_SECRET__FILE": "/run/secrets/jwt-secret",
        "FORGEJO__server__LFS_JWT_SECRET__FILE": "/run/secrets/lfs-jwt-secret",
        "FORGEJO__metrics__TOKEN__FILE": "/run/secrets/metrics-token",
    }
    assert set(told.values()) == set(files(forgejo()))


def test_keys_are_spelled_as_forgejo_reads_them() -> None:
    assert spelled("a+b/c==") == "a-b_c"
    assert files(forgejo())["/run/secrets/jwt-secret"] == spelled("vault-forgejo-jwt-secret==")


def test_nobody_meets_the_installer_or_a_registration() -> None:
    given = environment(forgejo())

    assert given["FORGEJO__security__INSTALL_LOCK"] == "true"
    assert given["FORGEJO__service__ALLOW_ONLY_EXTERNAL_REGISTRATION"] == "true"
    assert given["FORGEJO__service__SHOW_REGISTRATION_BUTTON"] == "false"


def test_name_at_authentik_alone_does_not_open_an_account_that_is_there() -> None:
    assert environment(forgejo())["FORGEJO__oauth2_client__ACCOUNT_LINKING"] == "login"


def test_address_is_the_public_one_and_the_way_back_names_the_source() -> None:
    assert environment(forgejo())["FORGEJO__server__ROOT_URL"] == "https://git.kitestacks.com/"
    assert isinstance(Forgejo.login, OidcClient)
    assert Forgejo.login.redirect_paths == ("/user/oauth2/authentik/callback",)


def test_no_value_holds_a_blank() -> None:
    """The image's start script reads the environment as shell code (`forgejo:docker/rootless`)."""
    assert not [value for value in environment(forgejo()).values() if " " in value]


def test_ssh_is_off_unless_the_stack_file_says_a_port(files: StackFiles) -> None:
    assert environment(forgejo())["FORGEJO__server__DISABLE_SSH"] == "true"
    assert not forgejo().inputs.get("ports")

    files.edit("monk", "services.forgejo.ssh-port", 2222)
    run = run_program("monk", files.folder, references={"kscloud1": foundation_outputs("monk", "kscloud1")})

    container = run.containers()["forgejo"]
    assert container.inputs["ports"] == [{"internal": 2222, "external": 2222, "ip": "100.64.0.1", "protocol": "tcp"}]
    assert environment(container)["FORGEJO__server__DISABLE_SSH"] == "false"


def test_step_names_the_source_the_group_and_the_way_in() -> None:
    step = plan("monk").recorder.of_type("Command")["forgejo-login-source"]
    given = json.loads(step.inputs["stdin"])

    assert given["facts"]["admin"] == "kitestacks-admin"
    assert given["facts"]["admin_group"] == "kitestacks-admins"
    assert given["facts"]["discovery"].endswith("/application/o/forgejo/.well-known/openid-configuration")
    assert set(given["secrets"]) == {"admin-password", "client-id", "client-secret"}


def test_figures_are_behind_a_token() -> None:
    (metrics,) = Forgejo.metrics
    assert (metrics.port, metrics.path, metrics.token) == (3000, "/metrics", "metrics-token")
    assert environment(forgejo())["FORGEJO__metrics__ENABLED"] == "true"
