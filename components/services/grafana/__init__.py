"""Grafana: the figures of Prometheus as pictures. Its source and dashboards are files, written from the program."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.backup import Backup, Dump, Engine
from components.folders import DataFolder
from components.host import ContainerArgs, File, Mount
from components.login import ADMINS, OidcClient
from components.metrics import Metrics
from components.model import StateClass
from components.needs import Need
from components.secrets import Secret
from components.service import Service, Tile
from components.services.grafana import provisioning

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.fleet import Fleet
    from components.service import ServiceArgs

PORT = 3000
_PROMETHEUS_PORT = 9090
_SECRETS = {
    "GF_SECURITY_ADMIN_PASSWORD": "admin-password",
    "GF_SECURITY_SECRET_KEY": "secret-key",
    "GF_METRICS_BASIC_AUTH_PASSWORD": "metrics-password",
}
"""Settings that are secret, and the secret of each; the image reads any setting from the file that `..__FILE` names."""
_LOGIN_SECRETS = {
    "GF_AUTH_GENERIC_OAUTH_CLIENT_ID": "client-id",
    "GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET": "client-secret",
}
_METRICS_USER = "prometheus"
_ROLE = f"contains(groups[*], '{ADMINS}') && 'GrafanaAdmin' || 'Viewer'"
"""JMESPath over what Authentik says of a person."""


class Grafana(Service):
    """Grafana with one source, Prometheus, and three dashboards. People log in at Authentik.

    Creates: the data folder, the container `grafana` with everything that it shows as files, and the step that keeps
    the local administrator's password what it should be.
    Leaves out: what people make in it by hand; that lies in its database, which is kept.

    The local administrator `admin` is for the day on which Authentik is gone: its password is among `passwords`.
    """

    state = StateClass.SINGLE_WRITER
    backup = Backup(dumps=(Dump(engine=Engine.SQLITE, container="grafana", database="/var/lib/grafana/grafana.db"),))
    port = PORT
    health_path = "/api/health"
    tile = Tile(title="Grafana", description="Hosts, services and the edge in pictures", group="Operations")
    login = OidcClient(redirect_paths=("/login/generic_oauth",))
    secrets = {
        "admin-password": Secret(purpose="logs `admin` in when Authentik is gone", length=32, typed=True),
        "secret-key": Secret(purpose="encrypts secrets in Grafana's database", fixed=True),
        "metrics-password": Secret(purpose="lets Prometheus read Grafana's figures"),
    }
    adopts = {
        "secret-key": ("GF_SECURITY_SECRET_KEY",),
        "admin-password": ("GF_SECURITY_ADMIN_PASSWORD",),
    }
    folders = (DataFolder(path="grafana", owner="472:0"),)
    metrics = (Metrics(container="grafana", port=PORT, token="metrics-password", user=_METRICS_USER),)  # noqa: S106 - a name

    @classmethod
    def needs(cls, fleet: Fleet) -> tuple[Need, ...]:  # noqa: ARG003 - it needs the same in any fleet
        return (Need(service="prometheus", port=_PROMETHEUS_PORT, reason="the figures that it draws"),)

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        named = _SECRETS | (_LOGIN_SECRETS if self.has_login else {})
        paths = {setting: f"/run/secrets/{secret}" for setting, secret in named.items()}
        source = f"http://{args.fleet.address_of('prometheus', _PROMETHEUS_PORT)}"
        container = self.container(
            name,
            ContainerArgs(
                image=args.settings.image,
                env=self._environment() | {f"{setting}__FILE": path for setting, path in paths.items()},
                files={
                    **{path: File(content=text) for path, text in provisioning.files(source).items()},
                    **{paths[key]: File(content=self.secret(secret), private=True) for key, secret in named.items()},
                },
                mounts=[Mount(source=self.data("grafana"), target="/var/lib/grafana")],
                health=["curl", "-fsS", "-o", "/dev/null", f"http://127.0.0.1:{PORT}/api/health"],
                memory=args.settings.memory,
                user="472:0",
            ),
        )
        self.step(
            "admin-password",
            facts={"container": self.physical(name), "port": PORT},
            secrets={"password": self.secret("admin-password")},
            after=[container],
        )
        return {"container": container.name}

    def _environment(self) -> dict[str, str]:
        """Names are `GF_<SECTION>_<KEY>` of Grafana's configuration."""
        environment = {
            "GF_SECURITY_ADMIN_USER": "admin",
            # A person whose mail address is the local administrator's would be refused.
            "GF_SECURITY_ADMIN_EMAIL": "admin@localhost",
            "GF_SECURITY_COOKIE_SECURE": "true",
            "GF_METRICS_BASIC_AUTH_USERNAME": _METRICS_USER,
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
            "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
            "GF_PLUGINS_PREINSTALL_DISABLED": "true",
            "GF_USERS_ALLOW_SIGN_UP": "false",
            "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": f"{provisioning.BOARDS}/hosts.json",
        }
        if self.url:
            environment |= {"GF_SERVER_ROOT_URL": f"{self.url}/"}
        return environment | (self._login() if self.has_login else {})

    def _login(self) -> dict[str, str]:
        """Three addresses by hand: Grafana reads no discovery document."""
        return {
            "GF_AUTH_GENERIC_OAUTH_ENABLED": "true",
            "GF_AUTH_GENERIC_OAUTH_NAME": "Authentik",
            "GF_AUTH_GENERIC_OAUTH_SCOPES": "openid email profile",
            "GF_AUTH_GENERIC_OAUTH_AUTH_URL": self.oidc.authorize,
            "GF_AUTH_GENERIC_OAUTH_TOKEN_URL": self.oidc.token,
            "GF_AUTH_GENERIC_OAUTH_API_URL": self.oidc.userinfo,
            "GF_AUTH_GENERIC_OAUTH_LOGIN_ATTRIBUTE_PATH": "preferred_username",
            "GF_AUTH_GENERIC_OAUTH_GROUPS_ATTRIBUTE_PATH": "groups",
            "GF_AUTH_GENERIC_OAUTH_ROLE_ATTRIBUTE_PATH": _ROLE,
            "GF_AUTH_GENERIC_OAUTH_ROLE_ATTRIBUTE_STRICT": "true",
            "GF_AUTH_GENERIC_OAUTH_ALLOW_ASSIGN_GRAFANA_ADMIN": "true",
            "GF_AUTH_GENERIC_OAUTH_ALLOW_SIGN_UP": "true",
            "GF_AUTH_GENERIC_OAUTH_AUTO_LOGIN": "true",
            "GF_AUTH_GENERIC_OAUTH_USE_PKCE": "true",
            "GF_AUTH_SIGNOUT_REDIRECT_URL": self.oidc.end_session,
        }


SERVICE = Grafana
