"""osTicket: the help desk. Its tickets and their attachments lie in MariaDB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from components.backup import Backup, Dump, Engine
from components.databases import MARIADB_OWNER, DatabaseArgs, mariadb
from components.folders import DataFolder
from components.host import EDGE_NETWORK, ContainerArgs, File
from components.login import OidcClient
from components.model import ServiceSettings, StateClass
from components.secrets import Secret
from components.service import Service, Tile
from components.types import EmailAddress, ImageRef, Memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.service import ServiceArgs

DATABASE = "osticket"
_USER = "33:33"
"""www-data of the image's Debian."""
_ADMIN = "kite-admin"
"""osTicket refuses admin, admins, username and osticket (`osTicket/osTicket:setup/inc/class.installer.php`)."""
_SECRETS = "/run/secrets"


class OsticketSettings(ServiceSettings):
    """The help desk's block in a stack file."""

    database_image: ImageRef
    database_memory: Memory = "512MiB"
    title: str = Field(default="Help desk", min_length=1, description="What the help desk is called on its pages.")
    email: EmailAddress = Field(description="The help desk's own address, which answers come from.")
    agents: dict[EmailAddress, str] = Field(
        default_factory=dict,
        description="Who answers tickets: address at Authentik, and full name. The login finds nobody else.",
    )

    @model_validator(mode="after")
    def _nobody_is_the_help_desk(self) -> Self:
        if self.email in self.agents:
            msg = f"must hold people alone: {self.email!r} is the help desk's own address"
            raise ValueError(msg)
        return self


class Osticket(Service):
    """The help desk, with its database, from an image of our own (`image/`): there is no official one.

    Creates: the containers `osticket` and `osticket-db`, and the step that sets the login, its agents and the
    administrator's password.
    Leaves out: building the image (docs/services.md); mailboxes, which an administrator adds in osTicket.

    The container installs an empty database by itself before it answers anybody, so there is no open set-up page. It
    keeps nothing: `ost-config.php` is the image's and reads its secrets from private files.
    """

    Settings = OsticketSettings
    state = StateClass.SINGLE_WRITER
    backup = Backup(dumps=(Dump(engine=Engine.MARIADB, container="osticket-db", database=DATABASE),))
    port = 8080
    health_path = "/"
    tile = Tile(title="Tickets", description="Ask for help, and see how far it is", group="Work")
    login = OidcClient(redirect_paths=("/api/auth/oauth2",), subject="user_email")
    secrets = {
        "salt": Secret(purpose="encrypts what osTicket keeps secret in its database", length=32, fixed=True),
        "database-password": Secret(purpose="the help desk's way into its database"),
        "database-root-password": Secret(purpose="runs the help desk's database", fixed=True),
        "admin-password": Secret(purpose=f"osTicket's own administrator, {_ADMIN}", typed=True),
    }
    adopts = {
        "salt": ("INSTALL_SECRET",),
        "database-password": (
            "MARIADB_PASSWORD",
            "MYSQL_PASSWORD",
        ),
        "database-root-password": (
            "MARIADB_ROOT_PASSWORD",
            "MYSQL_ROOT_PASSWORD",
        ),
    }
    folders = (DataFolder(path="osticket-db", owner=MARIADB_OWNER),)

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        settings: OsticketSettings = args.settings
        database = mariadb(
            self,
            f"{name}-db",
            DatabaseArgs(
                image=settings.database_image,
                memory=settings.database_memory,
                database=DATABASE,
                folder="osticket-db",
                password=self.secret("database-password"),
                root_password=self.secret("database-root-password"),
                networks=(name,),
            ),
        )
        container = self.container(name, self._help_desk(name, settings), after=database)
        self.step(
            "plugin",
            facts={
                "container": self.physical(name),
                "url": self._address(),
                "admin": _ADMIN,
                "agents": dict(settings.agents),
                "authorize": self.oidc.authorize,
                "token": self.oidc.token,
                "userinfo": self.oidc.userinfo,
            },
            secrets={"admin-password": self.secret("admin-password"), **self._client()},
            after=[container],
        )
        return {"container": container.name}

    def _client(self) -> dict[str, pulumi.Output[str]]:
        """What it is at Authentik; without it, the step switches the login off."""
        return {"client-id": self.client_id, "client-secret": self.client_secret} if self.has_login else {}

    def _address(self) -> str:
        """Where people find it; without a site, where other containers do."""
        return self.url or f"http://{self.name}:{self.port}"

    def _help_desk(self, name: str, settings: OsticketSettings) -> ContainerArgs:
        secret = {key: self.secret(key) for key in ("salt", "database-password", "admin-password")}
        return ContainerArgs(
            image=settings.image,
            env={
                "OSTICKET_URL": self._address(),
                "OSTICKET_TITLE": settings.title,
                "OSTICKET_EMAIL": settings.email,
                "OSTICKET_ADMIN": _ADMIN,
                "OSTICKET_ADMIN_EMAIL": f"{_ADMIN}@{self.args.fleet.domain}",
                "OSTICKET_DATABASE_HOST": f"{name}-db",
                "OSTICKET_DATABASE": DATABASE,
            },
            files={f"{_SECRETS}/{key}": File(content=value, private=True) for key, value in secret.items()},
            health=["curl", "-fsS", "-o", "/dev/null", f"http://127.0.0.1:{self.port}/"],
            memory=settings.memory,
            user=_USER,
            networks=(EDGE_NETWORK, name),
        )


SERVICE = Osticket
