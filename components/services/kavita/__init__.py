"""Kavita: the library of books and comics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
from pydantic import Field

from components.backup import Backup, Dump, Engine
from components.folders import DataFolder
from components.host import ContainerArgs, File, Mount
from components.login import OidcClient
from components.model import ServiceSettings, StateClass
from components.secrets import Secret
from components.service import Service, Tile
from components.types import AbsolutePath

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.service import ServiceArgs

_CONFIG = "/kavita/config"
_BOOKS = "/books"
_ADMIN = "kite-admin"
_OFFLINE = "offline_access"
"""The scope that Kavita renews its sessions with; the provider has to offer it."""


class KavitaSettings(ServiceSettings):
    """The library's block in a stack file."""

    library: AbsolutePath = Field(description="The host's folder with the books; Kavita only reads it.")


class Kavita(Service):
    """The library, which people read in the browser.

    Creates: the container `kavita`, and the step that takes the first visitor's page and sets the login.
    Leaves out: the libraries themselves: an administrator adds them in Kavita, below `/books`, and says who sees which.

    Kavita writes its own settings file at times. Here the file is written before each start, with a signing key that is
    always the same, so nothing is lost and nobody is logged out by it.
    """

    Settings = KavitaSettings
    state = StateClass.SINGLE_WRITER
    backup = Backup(
        dumps=(Dump(engine=Engine.SQLITE, container="kavita", database=f"{_CONFIG}/kavita.db"),), folders=("kavita",)
    )
    port = 5000
    health_path = "/api/health"
    tile = Tile(title="Books", description="The library: read books and comics", group="Home")
    login = OidcClient(
        redirect_paths=("/signin-oidc",),
        logout_paths=("/signout-callback-oidc",),
        scopes=("openid", "email", "profile", _OFFLINE),
    )
    secrets = {
        "token-key": Secret(purpose="signs Kavita's sessions", length=256),
        "admin-password": Secret(purpose=f"Kavita's own administrator, {_ADMIN}", typed=True),
    }
    folders = (DataFolder(path="kavita"),)

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        settings: KavitaSettings = args.settings
        container = self.container(
            name,
            ContainerArgs(
                image=settings.image,
                files={f"{_CONFIG}/appsettings.json": File(content=self._app_settings(), private=True)},
                mounts=[
                    Mount(source=self.data("kavita"), target=_CONFIG),
                    Mount(source=settings.library, target=_BOOKS, read_only=True),
                ],
                health=["curl", "-fsS", "-o", "/dev/null", f"http://127.0.0.1:{self.port}{self.health_path}"],
                memory=settings.memory,
                # It runs as root: reads books whose owner is somebody else and rewrites its settings file
                # (DAC_OVERRIDE); the others are what it is known to run with (`truenas/apps:ix-dev/community/kavita`).
                capabilities=["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID"],
            ),
        )
        self.step(
            "oidc-settings",
            facts={
                "container": self.physical(name),
                "port": self.port,
                "user": _ADMIN,
                "email": f"{_ADMIN}@{args.fleet.domain}",
                "login": self.has_login,
            },
            secrets={"password": self.secret("admin-password")},
            after=[container],
        )
        return {"container": container.name}

    def _app_settings(self) -> pulumi.Output[str]:
        """The file of which Kavita takes its issuer and client (`Kareadita/Wiki-Nextra`, OpenID Connect)."""
        document: dict[str, Any] = {
            "TokenKey": self.secret("token-key"),
            "Port": self.port,
            "IpAddresses": "0.0.0.0,::",
            "BaseUrl": "/",
            "Cache": 75,
        }
        if self.has_login:
            document["OpenIdConnectSettings"] = {
                "Authority": self.oidc.issuer,
                "ClientId": self.client_id,
                "Secret": self.client_secret,
                "CustomScopes": [_OFFLINE],
            }
        return pulumi.Output.json_dumps(document, indent=2)


SERVICE = Kavita
