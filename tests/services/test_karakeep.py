"""Karakeep as monk's stack file declares it."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from components.errors import ProgramError
from components.login import OidcClient
from components.services import karakeep
from components.services.karakeep import Karakeep
from tests.recorder import foundation_outputs, run_program
from tests.services.plans import containers_of, environment, files

if TYPE_CHECKING:
    from tests.recorder import Recorded
    from tests.stack_files import StackFiles


def part(name: str = "karakeep") -> Recorded:
    return containers_of("karakeep", "monk")[name]


def secret_environment() -> str:
    return str(files(part())["/run/secrets/environment"])


def networks(container: Recorded) -> list[str]:
    return [network["name"] for network in container.inputs["networksAdvanced"]]


def test_search_and_browser_are_reached_by_karakeep_alone() -> None:
    assert networks(part()) == ["kitestacks-edge", "kitestacks-karakeep"]
    assert networks(part("karakeep-meilisearch")) == networks(part("karakeep-chrome")) == ["kitestacks-karakeep"]
    assert environment(part())["MEILI_ADDR"] == "http://karakeep-meilisearch:7700"
    assert environment(part())["BROWSER_WEB_URL"] == "http://karakeep-chrome:9222"


def test_both_ends_of_the_search_have_one_key() -> None:
    config = files(part("karakeep-meilisearch"))["/run/secrets/meilisearch.toml"]

    assert config == 'master_key = "made-vault-karakeep-meilisearch-key"\n'
    assert environment(part("karakeep-meilisearch"))["MEILI_CONFIG_FILE_PATH"] == "/run/secrets/meilisearch.toml"
    assert "MEILI_MASTER_KEY='made-vault-karakeep-meilisearch-key'" in secret_environment()


def test_meilisearch_is_of_the_version_that_karakeep_ships() -> None:
    assert part("karakeep-meilisearch").inputs["image"] == "getmeili/meilisearch:v1.41.0"
    assert environment(part("karakeep-meilisearch"))["MEILI_NO_ANALYTICS"] == "true"


def test_browser_gets_an_init_and_no_flag_that_its_image_sets_itself() -> None:
    chrome = part("karakeep-chrome")

    assert chrome.inputs["init"] is True
    assert not [flag for flag in chrome.inputs["command"] if "sandbox" in flag or "remote-debugging" in flag]
    assert chrome.inputs["image"].rpartition(":")[2] not in ("release", "latest"), "those move"
    assert (chrome.inputs["user"], chrome.inputs["capabilities"]["adds"]) == ("65534:65534", [])


class _Browser(BaseHTTPRequestHandler):
    said = ""

    def do_GET(self) -> None:
        assert self.path == "/json/version"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.said.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature of http.server
        """Keeps quiet."""


@pytest.mark.parametrize(
    ("said", "healthy"),
    [('{\n "Browser": "x",\n "webSocketDebuggerUrl": "ws://localhost"\n}\n', True), ("starting\n", False)],
)
def test_browsers_health_check_is_true_in_a_real_bash(said: str, healthy: bool) -> None:
    _, shell, option, script = part("karakeep-chrome").inputs["healthcheck"]["tests"]
    handler = type("Handler", (_Browser,), {"said": said})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        here = script.replace("/9223;", f"/{server.server_address[1]};")
        asked = subprocess.run([shell, option, here], check=False, timeout=20, env={"PATH": os.environ["PATH"]})
        server.shutdown()
        thread.join()
    refused = subprocess.run([shell, option, here], check=False, timeout=20, capture_output=True)

    assert (asked.returncode == 0) is healthy
    assert refused.returncode != 0, "nobody listens any more"


def test_secret_environment_is_read_before_the_images_own_entry_point() -> None:
    assert part().inputs["entrypoints"][:2] == ["/bin/sh", "-c"]
    assert part().inputs["command"] == ["/init"]


def test_people_log_in_at_authentik_and_nowhere_else() -> None:
    given = environment(part())

    assert given["OAUTH_WELLKNOWN_URL"] == (
        "https://auth.kitestacks.com/application/o/karakeep/.well-known/openid-configuration"
    )
    assert "DISABLE_PASSWORD_AUTH=true" in part().inputs["envs"], (
        "else a stranger could be the first, and administrator"
    )
    assert given["NEXTAUTH_URL"] == "https://bookmarks.kitestacks.com"
    assert isinstance(Karakeep.login, OidcClient)
    assert Karakeep.login.redirect_paths == ("/api/auth/callback/custom",)
    assert "OAUTH_CLIENT_SECRET='shared-karakeep.client-secret'" in secret_environment()


def test_model_is_asked_through_litellm_by_a_key_of_its_own() -> None:
    given = environment(part())

    assert given["OPENAI_BASE_URL"] == "http://litellm:4000/v1"
    assert given["INFERENCE_TEXT_MODEL"] == given["INFERENCE_IMAGE_MODEL"] == "gpt"
    assert "OPENAI_API_KEY='sk-made-vault-karakeep-litellm-key'" in secret_environment()


def test_without_a_model_nothing_is_tagged_and_no_key_is_given(files: StackFiles) -> None:
    files.edit("monk", "services.karakeep.text-model", None)
    run = run_program("monk", files.folder, references={"kscloud1": foundation_outputs("monk", "kscloud1")})
    container = run.containers()["karakeep"]

    assert not [key for key in environment(container) if key.startswith(("OPENAI", "INFERENCE"))]
    assert "OPENAI_API_KEY" not in json.dumps(container.inputs["uploads"])


def test_model_without_litellm_is_refused(files: StackFiles) -> None:
    files.edit("monk", "services.litellm", None)
    files.edit("monk", "services.open-webui", None)

    with pytest.raises(ProgramError, match=r"services\.karakeep: must have litellm on some host"):
        run_program("monk", files.folder, references={"kscloud1": foundation_outputs("monk", "kscloud1")})


def test_figures_are_behind_a_token() -> None:
    (metrics,) = Karakeep.metrics
    assert (metrics.path, metrics.token) == ("/api/metrics", "metrics-token")
    assert "PROMETHEUS_AUTH_TOKEN='made-vault-karakeep-metrics-token'" in secret_environment()


def test_search_index_is_made_anew_and_not_kept() -> None:
    assert karakeep.SERVICE.backup.folders == ("karakeep",)
