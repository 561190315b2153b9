"""A small service: the pattern from which a generated fleet gets as many services as asked, each a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.backup import Backup
from components.host import ContainerArgs, File
from components.model import StateClass
from components.service import Service, Tile

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.service import ServiceArgs


class SmallService(Service):
    """One page behind one hostname.

    Creates: a container with two files.
    Leaves out: everything else.
    """

    state = StateClass.STATELESS
    backup = Backup(disposable="the page is a file of the program")
    port = 80
    health_path = "/healthz"
    tile = Tile(title="SmallService", description="One page", group="Generated")

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        """Registers the container."""
        container = self.container(
            name,
            ContainerArgs(
                image=args.settings.image,
                env={"XDG_CONFIG_HOME": "/tmp", "XDG_DATA_HOME": "/tmp"},  # noqa: S108 - inside the container
                files={
                    "/srv/index.html": File(content=f"<!doctype html><title>{name} on {args.host.name}</title>\n"),
                    "/etc/caddy/Caddyfile": File(content=":80\nroot * /srv\nrespond /healthz ok\nfile_server\n"),
                },
                health=["wget", "-q", "--spider", "http://127.0.0.1:80/healthz"],
                memory=args.settings.memory,
                user="65534",
                capabilities=["CAP_NET_BIND_SERVICE"],
            ),
        )
        return {"container": container.name}


SERVICE = SmallService
