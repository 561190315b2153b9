"""LiteLLM: one door to all language models, others' and one's own, with a key for each program that goes through it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import pulumi
from pydantic import Field, StringConstraints

from components.backup import Backup, Dump, Engine
from components.databases import POSTGRES_OWNER, POSTGRES_PORT, DatabaseArgs, postgres
from components.folders import DataFolder
from components.host import ContainerArgs, File
from components.login import ADMINS, USERS, OidcClient
from components.metrics import Metrics
from components.model import Model, ServiceSettings, StateClass
from components.secrets import Secret
from components.service import Service, Tile
from components.services.litellm.config import environment_name, render
from components.types import ImageRef, Memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.service import ServiceArgs

PORT = 4000
LIVE = "/health/liveliness"
"""Answers without a key, and asks no model: `/health` would ask them all, which costs money."""
VIRTUAL_KEY = "litellm-key"
"""What a service calls the secret that is its own key for LiteLLM; the key is registered here."""
_CONFIG = "/etc/litellm/config.yaml"
_DATABASE = "litellm-db"
_METRICS_KEY = "metrics-key"
_HEALTH = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{PORT}{LIVE}', timeout=4)"

SecretName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]


class ModelSettings(Model):
    """One language model that LiteLLM offers."""

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", description="What programs ask for.")
    model: str = Field(
        pattern=r"^[a-z0-9_]+/\S+$",
        description="Provider and model as LiteLLM writes them: openai/gpt-5, ollama_chat/llama3.2.",
    )
    key: SecretName | None = Field(
        default=None, description="The secret that holds the provider's key: `pulumi config set --secret secret:<key>`."
    )
    api_base: str | None = Field(
        default=None, pattern=r"^https?://\S+$", description="Where a model of one's own answers."
    )


class LitellmSettings(ServiceSettings):
    """LiteLLM's block in a stack file."""

    database_image: ImageRef
    database_memory: Memory = "512MiB"
    models: tuple[ModelSettings, ...] = Field(min_length=1)

    @property
    def owner_secrets(self) -> dict[str, str]:
        """The providers' keys."""
        return {f"models.{index}.key": model.key for index, model in enumerate(self.models) if model.key}


class Litellm(Service):
    """LiteLLM's proxy with its PostgreSQL, and a key of its own for each service that talks to models.

    Creates: the data folder, the containers `litellm-db` and `litellm`, the step that keeps the database's password
    true, and the step that registers the keys.
    Leaves out: the models; their providers' keys are the owner's secrets.

    Its page logs in at Authentik, which LiteLLM offers to five people without a licence; programs use `/v1` with a key.
    """

    Settings = LitellmSettings
    state = StateClass.SINGLE_WRITER
    backup = Backup(dumps=(Dump(engine=Engine.POSTGRES, container=_DATABASE, database="litellm"),))
    port = PORT
    health_path = LIVE
    tile = Tile(title="LiteLLM", description="One door to all language models", group="AI")
    login = OidcClient(redirect_paths=("/sso/callback",))
    secrets = {
        "master-key": Secret(purpose="opens all of LiteLLM; also logs `admin` in", prefix="sk-", typed=True),
        "salt-key": Secret(purpose="encrypts what LiteLLM keeps in its database", prefix="sk-", fixed=True),
        "database-password": Secret(purpose="opens LiteLLM's database"),
        _METRICS_KEY: Secret(purpose="lets Prometheus read LiteLLM's figures, and nothing else", prefix="sk-"),
    }
    adopts = {
        "salt-key": ("LITELLM_SALT_KEY",),
        "master-key": ("LITELLM_MASTER_KEY",),
        "database-password": ("POSTGRES_PASSWORD",),
    }
    folders = (DataFolder(path=_DATABASE, owner=POSTGRES_OWNER, mode="0700"),)
    metrics = (Metrics(container="litellm", port=PORT, path="/metrics/", token=_METRICS_KEY),)

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        database = postgres(
            self,
            _DATABASE,
            DatabaseArgs(
                image=args.settings.database_image,
                memory=args.settings.database_memory,
                database=name,
                folder=_DATABASE,
                password=self.secret("database-password"),
                networks=(name,),
            ),
        )
        container = self.container(
            name,
            ContainerArgs(
                image=args.settings.image,
                entrypoint=["/app/docker/prod_entrypoint.sh"],
                command=["--port", str(PORT), "--config", _CONFIG],
                env=self._environment(),
                secret_env=self._secret_environment(),
                files={_CONFIG: File(content=render(args.settings.models))},
                health=["python3", "-c", _HEALTH],
                memory=args.settings.memory,
                user="65534:65534",
                networks=("edge", name),
                ports={port: port for port in args.fleet.ports_for_others(name)},
            ),
            after=database,
        )
        keys = self._virtual_keys()
        self.step(
            "virtual-keys",
            facts={
                "container": self.physical(name),
                "port": PORT,
                "keys": {key: routes for key, (routes, _) in keys.items()},
            },
            secrets={"master-key": self.secret("master-key")} | {key: value for key, (_, value) in keys.items()},
            after=[container],
        )
        return {"container": container.name}

    def _environment(self) -> dict[str, str]:
        environment = {"STORE_MODEL_IN_DB": "False", "LITELLM_MODE": "PRODUCTION", "DO_NOT_TRACK": "1"}
        if self.url:
            environment["PROXY_BASE_URL"] = self.url
        if not self.has_login:
            return environment
        roles = {"proxy_admin": [ADMINS], "internal_user": [USERS]}
        return environment | {
            "GENERIC_AUTHORIZATION_ENDPOINT": self.oidc.authorize,
            "GENERIC_TOKEN_ENDPOINT": self.oidc.token,
            "GENERIC_USERINFO_ENDPOINT": self.oidc.userinfo,
            "GENERIC_SCOPE": "openid email profile",
            "GENERIC_CLIENT_USE_PKCE": "true",
            "GENERIC_USER_ID_ATTRIBUTE": "preferred_username",
            "GENERIC_USER_DISPLAY_NAME_ATTRIBUTE": "name",
            "GENERIC_USER_EMAIL_ATTRIBUTE": "email",
            "GENERIC_ROLE_MAPPINGS_GROUP_CLAIM": "groups",
            # LiteLLM reads this one as a Python literal.
            "GENERIC_ROLE_MAPPINGS_ROLES": repr(roles),
            "GENERIC_ROLE_MAPPINGS_DEFAULT_ROLE": "internal_user_viewer",
            "AUTO_REDIRECT_UI_LOGIN_TO_SSO": "true",
            "PROXY_LOGOUT_URL": self.oidc.end_session,
        }

    def _secret_environment(self) -> dict[str, pulumi.Input[str]]:
        password = self.secret("database-password")
        url = pulumi.Output.concat("postgresql://litellm:", password, f"@{_DATABASE}:{POSTGRES_PORT}/litellm")
        secrets: dict[str, pulumi.Input[str]] = {
            "DATABASE_URL": url,
            "LITELLM_MASTER_KEY": self.secret("master-key"),
            "LITELLM_SALT_KEY": self.secret("salt-key"),
        }
        for key in sorted(set(self.args.settings.owner_secrets.values())):
            secrets[environment_name(key)] = self.args.vault.given(key)
        if self.has_login:
            secrets |= {"GENERIC_CLIENT_ID": self.client_id, "GENERIC_CLIENT_SECRET": self.client_secret}
        return secrets

    def _virtual_keys(self) -> dict[str, tuple[list[str], pulumi.Output[str]]]:
        """Who has a key of his own: the routes that it opens, and the key."""
        keys = {"prometheus": (["/metrics"], self.secret(_METRICS_KEY))}
        for service in self.args.fleet.with_secret(VIRTUAL_KEY):
            keys[service] = (["llm_api_routes"], self.args.vault.value(service, VIRTUAL_KEY))
        return keys


SERVICE = Litellm
