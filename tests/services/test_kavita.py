"""The library as monk's stack file declares it, held against what Kavita demands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from components.login import OidcClient
from components.services.kavita import Kavita
from components.services.kavita.oidc_settings import WANTED
from tests.recorder import foundation_outputs, run_program
from tests.services.plans import containers_of, plan
from tests.services.plans import files as texts

if TYPE_CHECKING:
    from tests.stack_files import StackFiles

LIBRARY = containers_of("kavita", "monk")["kavita"]
SETTINGS = json.loads(texts(LIBRARY)["/kavita/config/appsettings.json"])


def test_settings_file_names_the_issuer_with_its_slash_and_the_client() -> None:
    assert SETTINGS["OpenIdConnectSettings"] == {
        "Authority": "https://auth.kitestacks.com/application/o/kavita/",
        "ClientId": "shared-kavita.client-id",
        "Secret": "shared-kavita.client-secret",
        "CustomScopes": ["offline_access"],
    }


def test_signing_key_is_our_own_so_that_a_new_file_logs_nobody_out() -> None:
    assert not SETTINGS["TokenKey"].startswith("super secret unguessable key"), "Kavita would make one at each start"
    assert Kavita.secrets["token-key"].length == 256
    (upload,) = LIBRARY.inputs["uploads"]
    assert upload["permissions"] == "0440"


def test_library_without_a_login_has_no_client(files: StackFiles) -> None:
    files.edit("monk", "services.kavita.site.public", True)

    run = run_program("monk", files.folder, references={"kscloud1": foundation_outputs("monk", "kscloud1")})

    (settings,) = texts(run.containers()["kavita"]).values()
    assert "OpenIdConnectSettings" not in json.loads(settings)
    assert '"login": false' in run.recorder.of_type("Command")["kavita-oidc-settings"].inputs["stdin"]


def test_port_is_the_one_that_the_image_answers_on() -> None:
    assert (SETTINGS["Port"], Kavita.port) == (5000, 5000)
    assert LIBRARY.inputs["healthcheck"]["tests"][-1] == "http://127.0.0.1:5000/api/health"


def test_login_offers_what_kavita_asks_for() -> None:
    login = Kavita.login

    assert isinstance(login, OidcClient)
    assert login.redirect_paths == ("/signin-oidc",)
    assert login.logout_paths == ("/signout-callback-oidc",)
    assert "offline_access" in login.scopes


def test_books_are_only_read() -> None:
    config, books = LIBRARY.inputs["mounts"]

    assert (config["source"], config["target"]) == ("/home/kite/kitestacks-live/docker/kavita", "/kavita/config")
    assert (books["source"], books["target"], books["readOnly"]) == ("/home/kite/books", "/books", True)


def test_a_person_is_matched_by_a_mail_address_that_authentik_vouches_for() -> None:
    assert WANTED["requireVerifiedEmails"] is True
    assert WANTED["syncUserSettings"] is False, "groups hold no role names of Kavita: with it nobody gets in"


def test_step_comes_after_the_container_and_hides_the_password() -> None:
    step = plan("monk").recorder.of_type("Command")["kavita-oidc-settings"]

    assert step.inputs["create"] == "python3 -m kitestacks step services.kavita.oidc_settings"
    assert "stdin" in step.secrets
    assert "made-" not in str({**step.inputs, "stdin": ""})
