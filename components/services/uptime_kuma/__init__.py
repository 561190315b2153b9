"""Uptime Kuma: asks every site whether it is up, and shows the answers on a public page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from components.backup import Backup, Dump, Engine
from components.folders import DataFolder
from components.host import ContainerArgs, Mount
from components.login import ADMINS, ProxyLogin
from components.metrics import Metrics
from components.model import ServiceSettings, StateClass
from components.secrets import Secret
from components.service import Service, Tile

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.fleet import Site
    from components.service import ServiceArgs

PAGE = "kitestacks"
"""The status page that is kept by the step, at `/status/kitestacks`; the owner may make others beside it."""
_OPEN_PATHS = (
    "^/status/.*",
    "^/assets/.*",
    "^/api/push/.*",
    "^/api/badge/.*",
    "^/api/status-page/.*",
    "^/icon.svg",
    "^/upload/.*",
)
"""What visitors of a status page and programs that report need (Authentik's guide for Uptime Kuma); never /metrics."""


class UptimeKumaSettings(ServiceSettings):
    """Uptime Kuma's block in a stack file."""

    user: str = Field(
        default="admin",
        pattern=r"^\S+$",
        description="Kuma's one user; another name only where Kuma was set up by hand before.",
    )
    interval: int = Field(default=60, ge=20, le=86400, description="Seconds between two looks at a site.")


class UptimeKuma(Service):
    """Uptime Kuma over SQLite; Authentik stands in front, and Kuma's own login is switched off behind it.

    Creates: the data folder, the container `uptime-kuma`, and the step that makes the first user, one monitor per site
    of the fleet, and the public status page.
    Leaves out: notifications, and monitors of the owner's own: the step touches only what carries its tag.

    It stands on one host, so it cannot tell of that host's own end. Containers on the edge network reach it without a
    login, as they reach everything that Authentik stands in front of.

    Kuma refuses a websocket whose origin is not the host that it is asked for, and Authentik asks for the container; so
    that check is off. A foreign page gains nothing by it: a browser does not send it Authentik's cookie along.
    """

    Settings = UptimeKumaSettings
    state = StateClass.SINGLE_WRITER
    backup = Backup(
        dumps=(Dump(engine=Engine.SQLITE, container="uptime-kuma", database="/app/data/kuma.db"),),
        folders=("uptime-kuma",),
    )
    port = 3001
    health_path = "/icon.svg"
    tile = Tile(title="Status", description="What is up, and what was down", group="Platform")
    login = ProxyLogin(open_paths=_OPEN_PATHS, groups=(ADMINS,))
    secrets = {"admin-password": Secret(purpose="the user `admin`, once Kuma's own login is switched on", typed=True)}
    folders = (DataFolder(path="uptime-kuma"),)
    metrics = (Metrics(container="uptime-kuma", port=3001),)

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        container = self.container(
            name,
            ContainerArgs(
                image=args.settings.image,
                env={"UPTIME_KUMA_DB_TYPE": "sqlite", "UPTIME_KUMA_WS_ORIGIN_CHECK": "bypass"},
                mounts=[Mount(source=self.data("uptime-kuma"), target="/app/data")],
                health=["curl", "-fsS", "-o", "/dev/null", f"http://127.0.0.1:{self.port}{self.health_path}"],
                memory=args.settings.memory,
                # The image's `ping` does not start without it.
                capabilities=["CAP_NET_RAW"],
                stop_grace=60,
            ),
        )
        facts = {
            "container": self.physical(name),
            "port": self.port,
            "user": args.settings.user,
            "url": self.url,
            "login_off": self.has_login,
            "page": {"slug": PAGE, "title": args.fleet.domain},
            "monitors": [self._monitor(site) for site in args.fleet.sites],
        }
        self.step("setup", facts=facts, secrets={"admin-password": self.secret("admin-password")}, after=[container])
        return {"container": container.name}

    def _monitor(self, site: Site) -> dict[str, Any]:
        """What is asked of a site, and under which heading the status page shows it."""
        return {
            "name": site.hostname,
            "url": f"https://{site.hostname}{site.health_path}",
            "interval": self.args.settings.interval,
            "description": f"{site.tile.title} on {' and '.join(site.hosts)}",
            "group": site.tile.group,
        }


SERVICE = UptimeKuma
