"""LiteLLM as monk's stack file declares it: models, keys, database, login."""

from __future__ import annotations

import ast
import json
from typing import TYPE_CHECKING

import pytest
import yaml

from components.errors import ProgramError
from tests.recorder import foundation_outputs, run_program, stack_config
from tests.services.plans import containers_of, environment, files, plan

if TYPE_CHECKING:
    from tests.recorder import Recorded
    from tests.stack_files import StackFiles

REFERENCES = {"kscloud1": foundation_outputs("monk", "kscloud1")}
CONFIG = "/etc/litellm/config.yaml"
SECRETS = "/run/secrets/environment"


def litellm() -> Recorded:
    return containers_of("litellm", "monk")["litellm"]


def secret_environment() -> dict[str, str]:
    lines = files(litellm())[SECRETS].splitlines()
    return {key: value.strip("'") for key, _, value in (line.removeprefix("export ").partition("=") for line in lines)}


def test_models_name_their_keys_and_hold_none() -> None:
    config = yaml.safe_load(files(litellm())[CONFIG])
    models = {each["model_name"]: each["litellm_params"] for each in config["model_list"]}

    assert models["gpt"] == {"model": "openai/gpt-5", "api_key": "os.environ/OPENAI_API_KEY"}
    assert models["claude"]["api_key"] == "os.environ/ANTHROPIC_API_KEY"
    assert models["local"] == {"model": "ollama_chat/llama3.2", "api_base": "http://100.64.0.1:11434"}
    assert secret_environment()["OPENAI_API_KEY"] == "given-openai-api-key"
    assert secret_environment()["ANTHROPIC_API_KEY"] == "given-anthropic-api-key"


def test_a_plan_without_a_providers_key_is_refused_with_the_command(files: StackFiles) -> None:
    config = {key: value for key, value in stack_config("monk", files.folder).items() if "openai" not in key}

    with pytest.raises(ProgramError, match=r"services\.litellm\.models\.0\.key") as refused:
        run_program("monk", files.folder, config=config, references=REFERENCES)
    assert "pulumi config set --secret secret:openai-api-key -s monk" in str(refused.value)


def test_its_own_keys_begin_as_litellm_asks_and_the_one_for_stored_values_is_never_made_anew(files: StackFiles) -> None:
    given = secret_environment()

    assert given["LITELLM_MASTER_KEY"].startswith("sk-")
    assert given["LITELLM_SALT_KEY"].startswith("sk-")
    assert given["LITELLM_MASTER_KEY"] != given["LITELLM_SALT_KEY"]
    with pytest.raises(ProgramError, match=r"services\.litellm\.rotate\.salt-key"):
        run_program(
            "monk", files.edit("monk", "services.litellm.rotate", {"salt-key": 2}).folder, references=REFERENCES
        )


def test_the_database_is_reached_by_its_password_and_by_nobody_else() -> None:
    database = containers_of("litellm", "monk")["litellm-db"]

    assert secret_environment()["DATABASE_URL"] == (
        "postgresql://litellm:made-vault-litellm-database-password@litellm-db:5432/litellm"
    )
    assert [network["name"] for network in database.inputs["networksAdvanced"]] == ["kitestacks-litellm"]
    assert not database.inputs.get("ports")
    # From version 18 on the image keeps its data in a folder of the version below this one.
    assert database.inputs["mounts"][0]["target"] == "/var/lib/postgresql"


def test_the_image_starts_as_it_would_by_itself_and_asks_no_model_for_its_health() -> None:
    inputs = litellm().inputs

    assert inputs["command"] == ["/app/docker/prod_entrypoint.sh", "--port", "4000", "--config", CONFIG]
    assert inputs["healthcheck"]["tests"][1] == "python3"
    assert "/health/liveliness" in inputs["healthcheck"]["tests"][-1]
    assert inputs["user"] == "65534:65534"


def test_people_log_in_at_authentik_and_are_what_their_groups_make_them() -> None:
    given = environment(litellm())
    auth = "https://auth.kitestacks.com/application/o"

    assert given["PROXY_BASE_URL"] == "https://ai.kitestacks.com"
    assert given["GENERIC_AUTHORIZATION_ENDPOINT"] == f"{auth}/authorize/"
    assert given["GENERIC_TOKEN_ENDPOINT"] == f"{auth}/token/"
    assert given["GENERIC_USERINFO_ENDPOINT"] == f"{auth}/userinfo/"
    assert given["GENERIC_USER_ID_ATTRIBUTE"] == "preferred_username"
    assert ast.literal_eval(given["GENERIC_ROLE_MAPPINGS_ROLES"]) == {
        "proxy_admin": ["kitestacks-admins"],
        "internal_user": ["kitestacks-users"],
    }
    assert {"GENERIC_CLIENT_ID", "GENERIC_CLIENT_SECRET"} <= set(secret_environment())


def test_figures_need_a_key_that_opens_nothing_else() -> None:
    config = yaml.safe_load(files(litellm())[CONFIG])
    step = plan("monk").recorder.of_type("Command")["litellm-virtual-keys"]
    given = json.loads(step.inputs["stdin"])

    assert config["litellm_settings"]["callbacks"] == ["prometheus"]
    assert config["litellm_settings"]["require_auth_for_metrics_endpoint"] is True
    assert given["facts"]["keys"]["prometheus"] == ["/metrics"]
    assert (
        given["secrets"]["prometheus"]
        == files(containers_of("prometheus", "monk")["prometheus"])["/run/secrets/litellm-metrics-key"]
    )


def test_every_service_with_a_key_of_its_own_is_registered_with_that_key() -> None:
    given = json.loads(plan("monk").recorder.of_type("Command")["litellm-virtual-keys"].inputs["stdin"])

    assert given["facts"]["keys"]["open-webui"] == ["llm_api_routes"]
    assert given["secrets"]["open-webui"] in files(containers_of("open-webui", "monk")["open-webui"])[SECRETS]
    assert given["secrets"]["open-webui"] != given["secrets"]["master-key"]


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("models", [], r"services\.litellm\.models"),
        ("models", [{"name": "a", "model": "gpt-5"}], r"services\.litellm\.models\.0\.model"),
        ("models", [{"name": "a", "model": "openai/a", "api-base": "monk:1"}], r"models\.0\.api-base"),
        ("models", [{"name": "a", "model": "openai/a", "key": "sk-PASTED"}], r"models\.0\.key"),
    ],
)
def test_a_wrong_model_is_refused(files: StackFiles, path: str, value: list[dict[str, str]], rule: str) -> None:
    with pytest.raises(ProgramError, match=rule):
        run_program("monk", files.edit("monk", f"services.litellm.{path}", value).folder, references=REFERENCES)
