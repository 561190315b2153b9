"""cloudflared: the connectors, which open the tunnels outward so that no port of the host is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.backup import Backup
from components.edge import SHARED
from components.host import ContainerArgs, File
from components.metrics import Metrics
from components.model import StateClass
from components.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.fleet import Fleet
    from components.service import ServiceArgs

_METRICS_PORT = 2000
_TOKEN_FILE = "/etc/cloudflared/token"  # noqa: S105 - a path
_USER = "65534"
"""nobody: any user will do for the image."""


class Cloudflared(Service):
    """One connector per tunnel that this host serves: its own, and the shared one.

    Creates: a container `cloudflared` for the host's tunnel, `cloudflared-shared` for the shared one.
    Leaves out: what the tunnels carry; that is written at Cloudflare by `components/edge`.

    The token comes by file, which neither a process list nor `docker inspect` shows. Healthy means that at least one
    connection to Cloudflare stands (`cloudflare/cloudflared:metrics/metrics.go`).
    """

    state = StateClass.STATELESS
    backup = Backup(disposable="its token can be fetched again at any time")
    metrics = (
        Metrics(container="cloudflared", port=_METRICS_PORT, outside=_METRICS_PORT),
        Metrics(container=f"cloudflared-{SHARED}", port=_METRICS_PORT, outside=_METRICS_PORT + 1),
    )

    @classmethod
    def metrics_on(cls, fleet: Fleet, host: str) -> tuple[Metrics, ...]:
        serves_shared = any(host in site.hosts for site in fleet.shared_sites)
        return cls.metrics if serves_shared else cls.metrics[:1]

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        names = {}
        for tunnel, token in args.edge.connector_tokens.items():
            container = name if tunnel == args.host.name else f"{name}-{tunnel}"
            names[tunnel] = self.container(
                container,
                ContainerArgs(
                    image=args.settings.image,
                    command=["tunnel", "run"],
                    env={
                        "TUNNEL_METRICS": f"0.0.0.0:{_METRICS_PORT}",
                        "TUNNEL_TOKEN_FILE": _TOKEN_FILE,
                        "NO_AUTOUPDATE": "true",
                    },
                    files={_TOKEN_FILE: File(content=token, private=True)},
                    health=["cloudflared", "tunnel", "--metrics", f"localhost:{_METRICS_PORT}", "ready"],
                    memory=args.settings.memory,
                    user=_USER,
                    ports=self.metrics_ports(container),
                ),
            ).name
        return names


SERVICE = Cloudflared
