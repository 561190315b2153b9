"""Karakeep: bookmarks that keep the page as well, found again by search and tagged by a language model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from components.backup import Backup, Dump, Engine
from components.folders import DataFolder
from components.host import EDGE_NETWORK, ContainerArgs, File, Mount
from components.login import OidcClient
from components.metrics import Metrics
from components.model import ServiceSettings, StateClass
from components.needs import Need
from components.secrets import Secret
from components.service import Service, Tile
from components.types import ImageRef, Memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.fleet import Fleet
    from components.service import ServiceArgs

_SEARCH_PORT = 7700
_BROWSER_PORT = 9222
_BROWSER_OWN_PORT = 9223
"""Where the browser itself answers, on the container's loopback device, behind the image's relay."""
_SEARCH_OWNER = "65534:65534"
_SEARCH_CONFIG = "/run/secrets/meilisearch.toml"
_MODELS_PORT = 4000
_ASK_BROWSER = (
    f"exec 3<>/dev/tcp/127.0.0.1/{_BROWSER_OWN_PORT};"
    r" printf 'GET /json/version HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3;"
    " while read -r -t 4 line; do case $line in *webSocketDebuggerUrl*) exit 0;; esac; done <&3; exit 1"
)
"""The image has no program that asks by HTTP, but it has bash."""


class KarakeepSettings(ServiceSettings):
    """Karakeep's block in a stack file."""

    search_image: ImageRef = Field(
        description="Meilisearch, in the version that Karakeep ships: its data folder belongs to one version."
    )
    search_memory: Memory = Field(default="512MiB", description="Memory limit of Meilisearch.")
    chrome_image: ImageRef = Field(description="Karakeep's own browser image.")
    chrome_memory: Memory = Field(default="1GiB", description="Memory limit of the browser.")
    text_model: str | None = Field(
        default=None, description="The model, as LiteLLM calls it, that tags bookmarks; without it nothing is tagged."
    )
    image_model: str | None = Field(default=None, description="The model that looks at pictures; else `text-model`.")


class Karakeep(Service):
    """Karakeep with its search engine and its browser, which live on a network of their own.

    Creates: the data folders, and the containers `karakeep`, `karakeep-meilisearch` and `karakeep-chrome`.
    Leaves out: a way to name administrators.

    The first who logs in becomes Karakeep's administrator: log in yourself once before others may. Strangers can't be
    the first: with a login, passwords are off, and Authentik lets in only the site's groups.

    A language model is used where `text-model` is set; Karakeep has a key of its own at LiteLLM (`litellm-key`), not
    the master key. The browser opens any page that a bookmark names: it reaches the internet, and of the containers
    those of this service alone.

    The search index is made anew from the bookmarks (Admin, Reindex), so it is not kept.
    """

    Settings = KarakeepSettings
    state = StateClass.SINGLE_WRITER
    backup = Backup(
        dumps=(Dump(engine=Engine.SQLITE, container="karakeep", database="/data/db.db"),), folders=("karakeep",)
    )
    port = 3000
    health_path = "/api/health"
    tile = Tile(title="Karakeep", description="Bookmarks that keep the page", group="Knowledge")
    login = OidcClient(redirect_paths=("/api/auth/callback/custom",))
    secrets = {
        "nextauth-secret": Secret(purpose="signs sessions", length=48),
        "meilisearch-key": Secret(purpose="lets Karakeep into its search engine"),
        "metrics-token": Secret(purpose="lets Prometheus read the figures"),
        "litellm-key": Secret(purpose="Karakeep's own key at LiteLLM", prefix="sk-"),
    }
    adopts = {
        "meilisearch-key": ("MEILI_MASTER_KEY",),
        "nextauth-secret": ("NEXTAUTH_SECRET",),
    }
    folders = (DataFolder(path="karakeep"), DataFolder(path="karakeep-meilisearch", owner=_SEARCH_OWNER))
    metrics = (
        Metrics(container="karakeep", port=3000, path="/api/metrics", token="metrics-token"),  # noqa: S106 - a name
    )

    @classmethod
    def needs(cls, fleet: Fleet) -> tuple[Need, ...]:
        wanted = any(each.text_model for _, name, each in fleet.blocks() if name == "karakeep")
        return (Need(service="litellm", port=_MODELS_PORT, reason="the model that tags bookmarks"),) if wanted else ()

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        search, chrome = f"{name}-meilisearch", f"{name}-chrome"
        beside = [self._search(search), self._browser(chrome)]
        container = self.container(
            name,
            ContainerArgs(
                image=args.settings.image,
                entrypoint=["/init"],
                env=self._environment(search, chrome),
                secret_env=self._secrets(),
                mounts=[Mount(source=self.data("karakeep"), target="/data")],
                health=["wget", "-q", "--spider", f"http://127.0.0.1:{self.port}{self.health_path}"],
                memory=args.settings.memory,
                # Its init gives files to the users of its parts.
                capabilities=["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER"],
                networks=(EDGE_NETWORK, name),
                stop_grace=60,
            ),
            after=beside,
        )
        return {"container": container.name}

    def _search(self, name: str) -> pulumi.Resource:
        """Meilisearch; its key comes by its configuration file, which nothing but it reads."""
        settings = self.args.settings
        key = self.secret("meilisearch-key")
        return self.container(
            name,
            ContainerArgs(
                image=settings.search_image,
                env={
                    "MEILI_ENV": "production",
                    "MEILI_HTTP_ADDR": f"0.0.0.0:{_SEARCH_PORT}",
                    "MEILI_NO_ANALYTICS": "true",
                    "MEILI_DB_PATH": "/meili_data/data.ms",
                    "MEILI_CONFIG_FILE_PATH": _SEARCH_CONFIG,
                },
                files={_SEARCH_CONFIG: File(content=key.apply('master_key = "{}"\n'.format), private=True)},
                mounts=[Mount(source=self.data("karakeep-meilisearch"), target="/meili_data")],
                health=["curl", "-fsS", "-o", "/dev/null", f"http://127.0.0.1:{_SEARCH_PORT}/health"],
                memory=settings.search_memory,
                user=_SEARCH_OWNER,
                networks=(self.name,),
                stop_grace=60,
            ),
        )

    def _browser(self, name: str) -> pulumi.Resource:
        """Chrome; the image's own start script sets what lets Karakeep in, and giving it again would end it."""
        return self.container(
            name,
            ContainerArgs(
                image=self.args.settings.chrome_image,
                command=["--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"],
                health=["bash", "-c", _ASK_BROWSER],
                memory=self.args.settings.chrome_memory,
                user="65534:65534",
                networks=(self.name,),
                init=True,
            ),
        )

    def _environment(self, search: str, chrome: str) -> dict[str, str]:
        values = {
            "DATA_DIR": "/data",
            "DB_WAL_MODE": "true",
            "MEILI_ADDR": f"http://{search}:{_SEARCH_PORT}",
            "BROWSER_WEB_URL": f"http://{chrome}:{_BROWSER_PORT}",
            "NEXTAUTH_URL": self.url or f"http://{self.name}:{self.port}",
        }
        return (
            values
            | (self._login() if self.has_login else {})
            | (self._model() if self.args.settings.text_model else {})
        )

    def _login(self) -> dict[str, str]:
        return {
            "OAUTH_WELLKNOWN_URL": self.oidc.discovery,
            "OAUTH_PROVIDER_NAME": "Authentik",
            "OAUTH_SCOPE": "openid email profile",
            "OAUTH_AUTO_REDIRECT": "true",
            # Discovery and keys go out to Cloudflare and come back.
            "OAUTH_TIMEOUT": "10000",
            "DISABLE_PASSWORD_AUTH": "true",
        }

    def _model(self) -> dict[str, str]:
        settings = self.args.settings
        return {
            "OPENAI_BASE_URL": f"http://{self.args.fleet.address_of('litellm', _MODELS_PORT)}/v1",
            "INFERENCE_TEXT_MODEL": settings.text_model,
            "INFERENCE_IMAGE_MODEL": settings.image_model or settings.text_model,
        }

    def _secrets(self) -> dict[str, pulumi.Output[str]]:
        values = {
            "NEXTAUTH_SECRET": self.secret("nextauth-secret"),
            "MEILI_MASTER_KEY": self.secret("meilisearch-key"),
            "PROMETHEUS_AUTH_TOKEN": self.secret("metrics-token"),
        }
        if self.has_login:
            values |= {"OAUTH_CLIENT_ID": self.client_id, "OAUTH_CLIENT_SECRET": self.client_secret}
        if self.args.settings.text_model:
            values["OPENAI_API_KEY"] = self.secret("litellm-key")
        return values


SERVICE = Karakeep
