"""Portainer: a look at the host's containers, for those who run the platform."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from components.backup import Backup
from components.folders import DataFolder
from components.host import ContainerArgs, File, Mount
from components.login import ADMINS, OidcClient
from components.model import ServiceSettings, StateClass
from components.secrets import Secret
from components.service import Service, Tile

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.service import ServiceArgs

_SOCKET = "/var/run/docker.sock"
_PASSWORD = "/run/secrets/admin-password"  # noqa: S105 - a path
_ROOT = "0"
"""The owner of the daemon's socket, and with it of the host: any other user would need the number of the host's group
`docker`, and would be no less mighty for it."""


class PortainerSettings(ServiceSettings):
    """Portainer's block in a stack file."""

    admins: tuple[str, ...] = Field(
        default=("akadmin",),
        description="Who is administrator in Portainer, by the names people log in with; it takes no groups over.",
    )


class Portainer(Service):
    """Portainer CE over the host's own Docker socket, with Authentik's login.

    Creates: the data folder, the container `portainer`, and the step that sets what Portainer takes by its API alone:
    the login, the local environment, the administrators' accounts.
    Leaves out: stacks. Pulumi owns the containers; what is changed here, the next `pulumi up` changes back.

    The image is an `-alpine` one: the plain one has no program for a health check. The administrator's password is
    there at the first start, so the page on which the first visitor chooses one never shows. Portainer's free edition
    gives nobody rights by group (`goauthentik/authentik:website/integrations/hypervisors-orchestrators/portainer/`):
    `admins` names them, and anybody else who may log in sees nothing.
    """

    Settings = PortainerSettings
    state = StateClass.SINGLE_WRITER
    backup = Backup(folders=("portainer",), not_alone="all that it does is done through Docker's socket")
    port = 9000
    health_path = "/api/system/status"
    tile = Tile(title="Portainer", description="The containers of this host", group="Platform")
    login = OidcClient(redirect_paths=("/",), groups=(ADMINS,))
    secrets = {
        "admin-password": Secret(purpose="the account `admin`, the way in without Authentik", length=24, typed=True)
    }
    folders = (DataFolder(path="portainer"),)

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        endpoint = args.host.settings.docker
        socket = endpoint.removeprefix("unix://") if endpoint.startswith("unix://") else _SOCKET
        site = args.settings.site
        container = self.container(
            name,
            ContainerArgs(
                image=args.settings.image,
                command=[
                    "--http-enabled",
                    f"--host=unix://{_SOCKET}",
                    f"--admin-password-file={_PASSWORD}",
                    *([f"--trusted-origins={site.hostname}"] if site else []),
                ],
                files={_PASSWORD: File(content=self.secret("admin-password"), private=True)},
                mounts=[Mount(source=self.data("portainer"), target="/data"), Mount(source=socket, target=_SOCKET)],
                health=["wget", "-q", "--spider", f"http://127.0.0.1:{self.port}{self.health_path}"],
                memory=args.settings.memory,
                user=_ROOT,
            ),
        )
        given = {"admin-password": self.secret("admin-password")}
        if self.has_login:
            given |= {"client-id": self.client_id, "client-secret": self.client_secret}
        facts = {
            "container": self.physical(name),
            "port": self.port,
            "data": self.data("portainer"),
            "environment": {"name": args.host.name, "url": f"unix://{_SOCKET}"},
            "admins": list(args.settings.admins),
            "oauth": self._oauth() if self.has_login else None,
        }
        self.step("oauth", facts=facts, secrets=given, after=[container])
        return {"container": container.name}

    def _oauth(self) -> dict[str, Any]:
        """What `OAuthSettings` of Portainer's API takes; the redirect address is the site's root, slash and all."""
        return {
            "AuthorizationURI": self.oidc.authorize,
            "AccessTokenURI": self.oidc.token,
            "ResourceURI": self.oidc.userinfo,
            "RedirectURI": f"{self.url}/",
            "LogoutURI": self.oidc.end_session,
            "UserIdentifier": "preferred_username",
            "Scopes": "openid email profile",
            "OAuthAutoCreateUsers": True,
            "DefaultTeamID": 0,
            "SSO": True,
            "AuthStyle": 0,
        }


SERVICE = Portainer
