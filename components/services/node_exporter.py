"""Node Exporter: the host's own figures (processor, memory, disks) for Prometheus, on the private network alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.backup import Backup
from components.folders import DataFolder
from components.host import ContainerArgs, Mount
from components.metrics import LEFT_FOR_PROMETHEUS, Metrics
from components.model import StateClass
from components.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.service import ServiceArgs

PORT = 9100
_LEFT_BY_OTHERS = "/textfile"


class NodeExporter(Service):
    """The exporter on the host's own network, as its documentation asks, listening on the Tailscale address only.

    Creates: a folder in which others leave figures, and the container `node-exporter`, which sees the host's processes
    and, read-only, its file system.
    Leaves out: the scrape, which Prometheus does.
    """

    state = StateClass.STATELESS
    backup = Backup(disposable="it keeps nothing")
    folders = (DataFolder(path=LEFT_FOR_PROMETHEUS, mode="0755"),)
    metrics = (Metrics(container="", port=PORT, outside=PORT),)

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        address = f"{args.host.settings.tailscale_address}:{PORT}"
        root = args.host.settings.root
        # The daemon takes the real root only with the host's later mounts, and another folder perhaps only without.
        propagation = "rslave" if root == "/" else "rprivate"
        container = self.container(
            name,
            ContainerArgs(
                image=args.settings.image,
                command=[
                    "--path.rootfs=/host",
                    f"--web.listen-address={address}",
                    "--collector.filesystem.mount-points-exclude=^/(dev|proc|run|sys|var/lib/docker/.+)($|/)",
                    f"--collector.textfile.directory={_LEFT_BY_OTHERS}",
                    f"--collector.textfile.directory={_LEFT_BY_OTHERS}/*",
                ],
                mounts=[
                    Mount(source=root, target="/host", read_only=True, propagation=propagation),
                    Mount(source=self.data(LEFT_FOR_PROMETHEUS), target=_LEFT_BY_OTHERS, read_only=True),
                ],
                health=["wget", "-q", "--spider", f"http://{address}/metrics"],
                memory=args.settings.memory,
                user="65534",
                host_network=True,
            ),
        )
        return {"container": container.name, "metrics": address}


SERVICE = NodeExporter
