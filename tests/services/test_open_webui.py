"""Open WebUI as monk's stack file declares it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.recorder import foundation_outputs, run_program
from tests.services.plans import containers_of, environment, files

if TYPE_CHECKING:
    from tests.recorder import Recorded
    from tests.stack_files import StackFiles


def open_webui() -> Recorded:
    return containers_of("open-webui", "monk")["open-webui"]


def test_the_stack_file_stays_in_charge() -> None:
    assert environment(open_webui())["ENABLE_PERSISTENT_CONFIG"] == "false"


def test_models_come_from_litellm_by_a_key_of_its_own() -> None:
    given = environment(open_webui())

    assert given["OPENAI_API_BASE_URL"] == "http://litellm:4000/v1"
    assert given["ENABLE_OLLAMA_API"] == "false"
    assert "OPENAI_API_KEY='sk-made-vault-open-webui-litellm-key'" in files(open_webui())["/run/secrets/environment"]


def test_people_log_in_at_authentik_and_nowhere_else() -> None:
    given = environment(open_webui())

    assert given["OPENID_PROVIDER_URL"] == (
        "https://auth.kitestacks.com/application/o/open-webui/.well-known/openid-configuration"
    )
    assert given["OPENID_REDIRECT_URI"] == "https://chat.kitestacks.com/oauth/oidc/callback"
    assert given["ENABLE_OAUTH_SIGNUP"] == "true"
    assert {given[key] for key in ("ENABLE_LOGIN_FORM", "ENABLE_PASSWORD_AUTH", "ENABLE_SIGNUP")} == {"false"}


def test_groups_make_the_role_and_nobody_waits_for_approval() -> None:
    given = environment(open_webui())

    assert given["ENABLE_OAUTH_ROLE_MANAGEMENT"] == "true"
    assert given["OAUTH_ROLES_CLAIM"] == given["OAUTH_GROUP_CLAIM"] == "groups"
    assert given["OAUTH_ADMIN_ROLES"] == "kitestacks-admins"
    assert given["OAUTH_ALLOWED_ROLES"] == "kitestacks-admins,kitestacks-users"


def test_groups_of_the_stack_file_may_enter_instead(files: StackFiles) -> None:
    files.edit("monk", "services.open-webui.site.groups", ["family"])
    run = run_program("monk", files.folder, references={"kscloud1": foundation_outputs("monk", "kscloud1")})

    assert environment(run.containers()["open-webui"])["OAUTH_ALLOWED_ROLES"] == "family,kitestacks-admins"


def test_the_first_visitor_does_not_become_the_administrator() -> None:
    assert environment(open_webui())["WEBUI_ADMIN_EMAIL"]
    assert "WEBUI_ADMIN_PASSWORD='made-" in files(open_webui())["/run/secrets/environment"]


def test_sessions_survive_a_restart_and_cookies_and_websockets_are_bound_to_the_site() -> None:
    given = environment(open_webui())

    assert "WEBUI_SECRET_KEY='made-" in files(open_webui())["/run/secrets/environment"]
    assert given["WEBUI_URL"] == given["CORS_ALLOW_ORIGIN"] == "https://chat.kitestacks.com"
    assert given["WEBUI_SESSION_COOKIE_SECURE"] == given["WEBUI_AUTH_COOKIE_SECURE"] == "true"


def test_the_image_starts_as_it_would_by_itself() -> None:
    inputs = open_webui().inputs

    assert inputs["command"] == ["bash", "start.sh"]
    assert inputs["entrypoints"][:2] == ["/bin/sh", "-c"]
    assert inputs["mounts"][0]["target"] == "/app/backend/data"
    assert inputs["healthcheck"]["tests"][1] == "bash"
