"""The real Open WebUI, given what the plan gives it, lets people in through a real login, as what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.apps import installed
from tests.apps.world import Login, Person, given_to, login, running
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_HERE = {
    # Searching in documents would fetch a model from the internet at the first start.
    "RAG_EMBEDDING_ENGINE": "openai",
    "OFFLINE_MODE": "true",
    "HF_HUB_OFFLINE": "1",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running Open WebUI whose login is the stand-in."""
    python, port = installed.open_webui(), free_port()
    address, data = f"http://127.0.0.1:{port}", tmp_path_factory.mktemp("open-webui")
    with login(f"{address}/oauth/oidc/callback") as provider:
        given = _given(provider, address) | NOT_HERE | {"DATA_DIR": str(data)}
        command = [str(python), "-m", "uvicorn", "open_webui.main:app", "--host", "127.0.0.1", "--port", str(port)]
        with running(command, given, f"{address}/health", limit=300, cwd=data):
            yield address


def _given(provider: Login, address: str) -> dict[str, str]:
    exchanged = {"https://chat.kitestacks.com": address}
    return provider.in_place_of_authentik(given_to("open-webui"), "open-webui", exchanged)


def who_is(person: Person, site: str) -> dict[str, Any]:
    answer = person.session.get(f"{site}/api/v1/auths/", timeout=30)
    assert answer.ok, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_somebody_of_the_admins_is_an_administrator(site: str) -> None:
    ada = Person("ada")
    ada.log_in(f"{site}/oauth/oidc/login")

    assert (who_is(ada, site)["email"], who_is(ada, site)["role"]) == ("ada@example.org", "admin")
    groups = ada.session.get(f"{site}/api/v1/groups/", timeout=30).json()
    assert {group["name"] for group in groups} >= {"kitestacks-admins", "kitestacks-users"}


def test_somebody_of_the_users_is_a_user_and_waits_for_nobody(site: str) -> None:
    bob = Person("bob")
    bob.log_in(f"{site}/oauth/oidc/login")

    assert (who_is(bob, site)["email"], who_is(bob, site)["role"]) == ("bob@example.org", "user")


def test_somebody_of_neither_does_not_get_in(site: str) -> None:
    eve = Person("eve")
    eve.log_in(f"{site}/oauth/oidc/login")

    assert eve.session.get(f"{site}/api/v1/auths/", timeout=30).status_code in (401, 403)


def test_there_is_no_other_way_in(site: str) -> None:
    admin = {"email": "admin@localhost.invalid", "password": given_to("open-webui")["WEBUI_ADMIN_PASSWORD"]}
    stranger = {"name": "Eve", "email": "eve@example.org", "password": "a-long-enough-one"}

    assert not requests.post(f"{site}/api/v1/auths/signin", json=admin, timeout=30).ok
    assert not requests.post(f"{site}/api/v1/auths/signup", json=stranger, timeout=30).ok
    config = requests.get(f"{site}/api/config", timeout=30).json()
    assert config["oauth"]["providers"] == {"oidc": "Authentik"}
    assert config["features"]["enable_login_form"] is False
