"""Open WebUI: a page on which people talk with language models, which it reaches through LiteLLM alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.backup import Backup, Dump, Engine
from components.folders import DataFolder
from components.host import ContainerArgs, Mount
from components.login import ADMINS, OidcClient
from components.model import StateClass
from components.needs import Need
from components.secrets import Secret
from components.service import Service, Tile

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.fleet import Fleet
    from components.service import ServiceArgs

PORT = 8080
_CALLBACK = "/oauth/oidc/callback"
_DATA = "/app/backend/data"
"""Where it keeps its files and, in `webui.db`, all else (`open-webui/open-webui:backend/open_webui/env.py`)."""
_LITELLM_PORT = 4000
_HEALTH = f"curl --silent --fail http://127.0.0.1:{PORT}/health | jq -e .status > /dev/null"


class OpenWebui(Service):
    """Open WebUI with its own key at LiteLLM. People log in at Authentik, and are there what their groups make them.

    Creates: the data folder and the container `open-webui`.
    Leaves out: models; LiteLLM has them. What people write lies in the data folder.

    Whatever its pages change of these settings is forgotten at the next start: the stack file is in charge. A local
    administrator is made at the first start, since the first visitor would become one otherwise.
    """

    state = StateClass.SINGLE_WRITER
    backup = Backup(
        dumps=(Dump(engine=Engine.SQLITE, container="open-webui", database=f"{_DATA}/webui.db"),),
        folders=("open-webui",),
    )
    port = PORT
    health_path = "/health"
    tile = Tile(title="Open WebUI", description="Talk with language models", group="AI")
    login = OidcClient(redirect_paths=(_CALLBACK,))
    secrets = {
        "secret-key": Secret(purpose="signs sessions; a new one logs everybody out"),
        "admin-password": Secret(purpose="the local administrator's, who keeps the first visitor from becoming one"),
        "litellm-key": Secret(purpose="opens the models at LiteLLM", prefix="sk-"),
    }
    adopts = {
        "secret-key": ("WEBUI_SECRET_KEY",),
    }
    folders = (DataFolder(path="open-webui"),)

    @classmethod
    def needs(cls, fleet: Fleet) -> tuple[Need, ...]:  # noqa: ARG003 - it needs the same in any fleet
        return (Need(service="litellm", port=_LITELLM_PORT, reason="the language models"),)

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        container = self.container(
            name,
            ContainerArgs(
                image=args.settings.image,
                entrypoint=["bash", "start.sh"],
                env=self._environment() | (self._login() if self.has_login else {}),
                secret_env=self._secrets(),
                mounts=[Mount(source=self.data("open-webui"), target=_DATA)],
                health=["bash", "-o", "pipefail", "-c", _HEALTH],
                memory=args.settings.memory,
            ),
        )
        return {"container": container.name}

    def _environment(self) -> dict[str, str]:
        """Names are those of `open-webui/docs:docs/reference/env-configuration.mdx`."""
        environment = {
            "ENABLE_PERSISTENT_CONFIG": "false",
            "OPENAI_API_BASE_URL": f"http://{self.args.fleet.address_of('litellm', _LITELLM_PORT)}/v1",
            "ENABLE_OLLAMA_API": "false",
            "ENABLE_SIGNUP": "false",
            "ENABLE_VERSION_UPDATE_CHECK": "false",
            "WEBUI_ADMIN_EMAIL": "admin@localhost.invalid",
            "WEBUI_SESSION_COOKIE_SECURE": "true",
            "WEBUI_AUTH_COOKIE_SECURE": "true",
        }
        # The browser's websocket is refused where its origin is not named.
        return environment | ({"WEBUI_URL": self.url, "CORS_ALLOW_ORIGIN": self.url} if self.url else {})

    def _login(self) -> dict[str, str]:
        site = self.args.fleet.site_of(self.name)
        groups = sorted({*(site.groups if site else ()), ADMINS})
        return {
            "ENABLE_OAUTH_SIGNUP": "true",
            "ENABLE_LOGIN_FORM": "false",
            "ENABLE_PASSWORD_AUTH": "false",
            "OAUTH_AUTO_REDIRECT": "true",
            "OAUTH_PROVIDER_NAME": "Authentik",
            "OAUTH_SCOPES": "openid email profile",
            "OAUTH_CODE_CHALLENGE_METHOD": "S256",
            "OPENID_PROVIDER_URL": self.oidc.discovery,
            "OPENID_REDIRECT_URI": f"{self.url}{_CALLBACK}",
            "ENABLE_OAUTH_ROLE_MANAGEMENT": "true",
            "OAUTH_ROLES_CLAIM": "groups",
            "OAUTH_ALLOWED_ROLES": ",".join(groups),
            "OAUTH_ADMIN_ROLES": ADMINS,
            "ENABLE_OAUTH_GROUP_MANAGEMENT": "true",
            "ENABLE_OAUTH_GROUP_CREATION": "true",
            "OAUTH_GROUP_CLAIM": "groups",
        }

    def _secrets(self) -> dict[str, pulumi.Input[str]]:
        secrets: dict[str, pulumi.Input[str]] = {
            "WEBUI_SECRET_KEY": self.secret("secret-key"),
            "WEBUI_ADMIN_PASSWORD": self.secret("admin-password"),
            "OPENAI_API_KEY": self.secret("litellm-key"),
        }
        if self.has_login:
            secrets |= {"OAUTH_CLIENT_ID": self.client_id, "OAUTH_CLIENT_SECRET": self.client_secret}
        return secrets


SERVICE = OpenWebui
