"""The real LiteLLM reads the rendered configuration, and lets people in through a real login, as what they are."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from components.services.litellm import LIVE
from tests.apps import installed
from tests.apps.world import Person, given_to, login, running
from tests.ports import free_port
from tests.services.plans import containers_of, files

if TYPE_CHECKING:
    from collections.abc import Iterator

_IN_MEMORY = Path(__file__).with_name("litellm_in_memory.py")
NOT_HERE = {
    # The price list of all models, which it would fetch from the internet.
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running LiteLLM whose login is the stand-in."""
    python, port = installed.litellm(), free_port()
    address, folder = f"http://127.0.0.1:{port}", tmp_path_factory.mktemp("litellm")
    config = folder / "config.yaml"
    config.write_text(files(containers_of("litellm", "monk")["litellm"])["/etc/litellm/config.yaml"])
    with login(f"{address}/sso/callback") as provider:
        given = provider.in_place_of_authentik(given_to("litellm"), "litellm", {"https://ai.kitestacks.com": address})
        del given["DATABASE_URL"]
        command = [str(python), str(_IN_MEMORY), str(port)]
        given |= NOT_HERE | {"CONFIG_FILE_PATH": str(config)}
        with running(command, given, f"{address}{LIVE}", limit=300, cwd=folder):
            yield address


def session_of(person: Person) -> dict[str, Any]:
    """What LiteLLM's own session says of a person: the middle of its token."""
    token = next(cookie.value for cookie in person.session.cookies if cookie.name == "token")
    middle = str(token).split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return found


@pytest.mark.parametrize(
    ("name", "role"), [("ada", "proxy_admin"), ("bob", "internal_user"), ("eve", "internal_user_viewer")]
)
def test_a_persons_groups_make_the_role(site: str, name: str, role: str) -> None:
    """Authentik lets nobody of neither group through; LiteLLM would let them look."""
    person = Person(name)
    page = person.log_in(f"{site}/sso/key/generate")

    assert page.url.startswith(f"{site}/ui/")
    assert session_of(person)["user_id"] == name
    assert session_of(person)["user_email"] == f"{name}@example.org"
    assert session_of(person)["user_role"] == role
    assert session_of(person)["login_method"] == "sso"


def test_the_page_of_the_admin_interface_sends_people_to_the_login(site: str) -> None:
    answer = requests.get(f"{site}/sso/key/generate", timeout=30, allow_redirects=False)

    assert answer.is_redirect
    assert "code_challenge_method=S256" in answer.headers["Location"]


def test_it_offers_the_models_that_the_stack_file_lists_to_who_has_a_key(site: str) -> None:
    key = {"Authorization": f"Bearer {given_to('litellm')['LITELLM_MASTER_KEY']}"}
    models = requests.get(f"{site}/v1/models", headers=key, timeout=30).json()["data"]

    assert {model["id"] for model in models} == {"gpt", "claude", "local"}


def test_its_figures_are_for_who_has_a_key_and_its_health_for_everybody(site: str) -> None:
    key = {"Authorization": f"Bearer {given_to('litellm')['LITELLM_MASTER_KEY']}"}

    assert requests.get(f"{site}/metrics/", timeout=30).status_code == 401
    assert "litellm" in requests.get(f"{site}/metrics/", headers=key, timeout=30).text
    assert requests.get(f"{site}{LIVE}", timeout=30).ok
