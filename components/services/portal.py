"""The portal: the home page, made from what the stack files declare, on every host that carries it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.backup import Backup
from components.host import ContainerArgs, File
from components.model import StateClass
from components.portal_page.render import PortalPage, caddyfile, render
from components.portal_page.render import Tile as PageTile
from components.service import Service, Tile

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.fleet import Fleet
    from components.service import ServiceArgs


class Portal(Service):
    """The page that lists every site of the fleet, served by Caddy.

    Creates: the container `portal`, with the rendered page as its files.
    Leaves out: anything that runs in a visitor's browser to ask whether sites are up.

    Each host's copy names the host that answers. Any copy will do, so the portal is what stays when a host is gone.
    """

    state = StateClass.STATELESS
    backup = Backup(disposable="the page is made from the stack files")
    port = 80
    health_path = "/healthz"
    tile = Tile(title="Portal", description="This page: everything that runs here", group="Start")

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        page = _page(args.fleet)
        files = {f"/srv/{path}": File(content=text) for path, text in render(page).items()}
        container = self.container(
            name,
            ContainerArgs(
                image=args.settings.image,
                env={"XDG_CONFIG_HOME": "/tmp", "XDG_DATA_HOME": "/tmp"},  # noqa: S108 - inside the container, which keeps nothing
                files=files | {"/etc/caddy/Caddyfile": File(content=caddyfile(page))},
                health=["wget", "-q", "--spider", "http://127.0.0.1:80/healthz"],
                memory=args.settings.memory,
                user="65534",
                # The image's program carries this capability; without it in reach the kernel refuses to start it.
                capabilities=["CAP_NET_BIND_SERVICE"],
            ),
        )
        return {"container": container.name}


def _page(fleet: Fleet) -> PortalPage:
    return PortalPage(
        domain=fleet.domain,
        host=fleet.here,
        tiles=tuple(
            PageTile(
                name=site.service,
                title=site.tile.title,
                description=site.tile.description,
                url=f"https://{site.hostname}",
                group=site.tile.group,
                hosts=site.hosts,
                login="public" if site.public else "single sign-on",
            )
            for site in fleet.sites
        ),
    )


SERVICE = Portal
