"""Forgejo: Git repositories, issues and reviews, at home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from components.backup import Backup, Dump, Engine
from components.folders import DataFolder
from components.host import ContainerArgs, File, Mount
from components.login import ADMINS, OidcClient
from components.metrics import Metrics
from components.model import ServiceSettings, StateClass
from components.secrets import Secret
from components.service import Service, Tile

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.service import ServiceArgs

SOURCE = "authentik"
"""The name of the login source inside Forgejo; it is part of the address to which Authentik sends people back."""
FIRST_ADMIN = "kitestacks-admin"
"""`admin` is a reserved name (`forgejo:models/user/user.go`)."""
_OWNER = "1000:1000"
_DATA = "/var/lib/gitea"
_SSH_PORT = 2222
_SECRETS = "/run/secrets"
_FILES = {
    "FORGEJO__security__SECRET_KEY": "secret-key",
    "FORGEJO__security__INTERNAL_TOKEN": "internal-token",
    "FORGEJO__oauth2__JWT_SECRET": "jwt-secret",
    "FORGEJO__server__LFS_JWT_SECRET": "lfs-jwt-secret",
    "FORGEJO__metrics__TOKEN": "metrics-token",
}
"""Settings that Forgejo reads from a file, and which secret is in it."""


class ForgejoSettings(ServiceSettings):
    """Forgejo's block in a stack file."""

    ssh_port: int | None = Field(
        default=None,
        ge=1024,
        le=65535,
        description="Git by ssh on this port of the host's Tailscale address; without it, Git goes by https alone.",
    )


class Forgejo(Service):
    """Forgejo without root, over SQLite, with Authentik's login.

    Creates: the data folder, the container `forgejo`, and the step that adds what only Forgejo's own command can: the
    first administrator and the login source.
    Leaves out: runners for actions, and mail.

    Whoever logs in gets an account; `kitestacks-admins` are administrators, and Forgejo asks for their groups at every
    login. `kitestacks-admin` logs in with a password while Authentik is away. Nobody can register, and an account that
    is already there is joined only by one who knows its password: a name at Authentik proves nothing here.

    At each start the image writes these settings into `app.ini`; one that is taken out stays there until it is deleted
    by hand (`forgejo:docker/rootless`). Pushes go through Cloudflare, which takes at most 100 MB in one request.
    """

    Settings = ForgejoSettings
    state = StateClass.SINGLE_WRITER
    backup = Backup(
        dumps=(Dump(engine=Engine.SQLITE, container="forgejo", database=f"{_DATA}/data/gitea.db"),),
        folders=("forgejo",),
    )
    port = 3000
    health_path = "/api/healthz"
    tile = Tile(title="Forgejo", description="Code, issues and reviews", group="Work")
    login = OidcClient(redirect_paths=(f"/user/oauth2/{SOURCE}/callback",))
    secrets = {
        "secret-key": Secret(purpose="encrypts second factors and mirrors' passwords", length=64, fixed=True),
        "internal-token": Secret(purpose="lets Forgejo's own commands and hooks in", length=64),
        "jwt-secret": Secret(purpose="signs tokens of apps that log in at Forgejo", key=True),
        "lfs-jwt-secret": Secret(purpose="signs access to large files", key=True),
        "metrics-token": Secret(purpose="lets Prometheus read the figures"),
        "admin-password": Secret(purpose=f"the account `{FIRST_ADMIN}`, the way in without Authentik", typed=True),
    }
    adopts = {
        "secret-key": (
            "FORGEJO__security__SECRET_KEY",
            "GITEA__security__SECRET_KEY",
        ),
        "internal-token": (
            "FORGEJO__security__INTERNAL_TOKEN",
            "GITEA__security__INTERNAL_TOKEN",
        ),
        "jwt-secret": (
            "FORGEJO__oauth2__JWT_SECRET",
            "GITEA__oauth2__JWT_SECRET",
        ),
        "lfs-jwt-secret": (
            "FORGEJO__server__LFS_JWT_SECRET",
            "GITEA__server__LFS_JWT_SECRET",
        ),
    }
    folders = (DataFolder(path="forgejo", owner=_OWNER),)
    metrics = (Metrics(container="forgejo", port=3000, token="metrics-token"),)  # noqa: S106 - a secret's name

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        ssh = args.settings.ssh_port
        container = self.container(
            name,
            ContainerArgs(
                image=args.settings.image,
                env=self._environment() | {f"{key}__FILE": f"{_SECRETS}/{name}" for key, name in _FILES.items()},
                files={
                    f"{_SECRETS}/{secret}": File(content=self._file(secret), private=True) for secret in _FILES.values()
                },
                mounts=[Mount(source=self.data("forgejo"), target=_DATA)],
                health=["curl", "-fsS", "-o", "/dev/null", f"http://127.0.0.1:{self.port}{self.health_path}"],
                memory=args.settings.memory,
                user=_OWNER,
                ports={_SSH_PORT: ssh} if ssh else {},
                stop_grace=60,
            ),
        )
        given = {"admin-password": self.secret("admin-password")}
        if self.has_login:
            given |= {"client-id": self.client_id, "client-secret": self.client_secret}
        facts = {
            "container": self.physical(name),
            "port": self.port,
            "admin": FIRST_ADMIN,
            "email": f"{FIRST_ADMIN}@{args.fleet.domain}",
            "source": SOURCE if self.has_login else "",
            "discovery": self.oidc.discovery,
            "admin_group": ADMINS,
        }
        self.step("login-source", facts=facts, secrets=given, after=[container])
        return {"container": container.name}

    def _file(self, secret: str) -> pulumi.Output[str]:
        value = self.secret(secret)
        return value.apply(spelled) if self.secrets[secret].key else value

    def _environment(self) -> dict[str, pulumi.Input[str]]:
        settings = self.args.settings
        site, ssh = settings.site, settings.ssh_port
        host = site.hostname if site else self.name
        values = {
            "database__DB_TYPE": "sqlite3",
            "database__PATH": f"{_DATA}/data/gitea.db",
            "database__SQLITE_JOURNAL_MODE": "WAL",
            "server__DOMAIN": host,
            "server__ROOT_URL": f"{self.url or f'http://{host}:{self.port}'}/",
            "server__HTTP_PORT": str(self.port),
            "server__DISABLE_SSH": "false" if ssh else "true",
            "server__START_SSH_SERVER": "true" if ssh else "false",
            "server__SSH_DOMAIN": self.args.host.settings.tailscale_address,
            "server__SSH_PORT": str(ssh or _SSH_PORT),
            "server__SSH_LISTEN_PORT": str(_SSH_PORT),
            "security__INSTALL_LOCK": "true",
            "service__DISABLE_REGISTRATION": "false",
            "service__ALLOW_ONLY_EXTERNAL_REGISTRATION": "true",
            "service__SHOW_REGISTRATION_BUTTON": "false",
            "oauth2_client__ENABLE_AUTO_REGISTRATION": "true",
            "oauth2_client__USERNAME": "nickname",
            "oauth2_client__ACCOUNT_LINKING": "login",
            "oauth2_client__UPDATE_AVATAR": "true",
            "metrics__ENABLED": "true",
        }
        return {f"FORGEJO__{key}": value for key, value in values.items()}


def spelled(key: str) -> str:
    """A key as Forgejo reads it: base64 for addresses, without padding (`forgejo:modules/generate`).

    One that it can't read is thrown away for a new one at each start.
    """
    return key.replace("+", "-").replace("/", "_").rstrip("=")


SERVICE = Forgejo
