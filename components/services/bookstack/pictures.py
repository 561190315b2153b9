"""Pictures: what people upload to the wiki, carried between its hosts by Syncthing over the private network alone.

Settings: `syncthing/docs:users/config.rst`, `users/foldertypes.rst`, `users/versioning.rst`; places of the uploads:
`linuxserver/docker-bookstack:Dockerfile`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from components.folders import DataFolder
from components.host import ContainerArgs, File, Mount
from components.metrics import LEFT_FOR_PROMETHEUS
from components.services.bookstack.device import Device
from components.services.bookstack.replication import SERVICE_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.fleet import Fleet

CONTAINER = "bookstack-sync"
SYNC_PORT = 22000
UPLOADS = ("uploads", "images", "files", "themes")
"""Folders of the wiki that no database holds: pictures, private pictures, attachments, looks."""
OWNER = "1000:1000"
"""The user whose files the wiki's programs write: whoever carries them has to be the same."""
_WIKI = "bookstack/www"
_FIGURES = f"{LEFT_FOR_PROMETHEUS}/{CONTAINER}"
SYNC_FOLDERS = (
    *(DataFolder(path=path, owner=OWNER) for path in (_WIKI, *(f"{_WIKI}/{folder}" for folder in UPLOADS))),
    DataFolder(path=CONTAINER, owner=OWNER, mode="0700"),
    DataFolder(path=_FIGURES, owner=OWNER, mode="0755"),
)
_TYPES = {
    "ring": ("sendreceive", "sendreceive"),
    "read-only": ("sendonly", "receiveonly"),
    "copy": ("sendonly", "receiveonly"),
}
"""What each way of the data makes of the primary's folders, and of the others'."""
_INSIDE = "/wiki"
_HOME = "/var/syncthing"
_GUI = "127.0.0.1:8384"
_SETTINGS_VERSION = 37
"""The newest form of the settings that versions 1.30 and 2 both read; version 2 brings it up to date by itself."""
_KEPT_DAYS = 30
_ETC = "/etc/kitestacks"
_SCRIPT = f"{_ETC}/sync.sh"
_FIGURES_INSIDE = "/figures"
_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    autoescape=True,
    trim_blocks=True,
    keep_trailing_newline=True,
)


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The hosts between which pictures are carried.

    Attributes:
        hosts: All of them, with the address at which each is reached.
        first: The primary.
        way: What the stack files say under `data`.
    """

    hosts: Mapping[str, str]
    first: str
    way: str

    @classmethod
    def of(cls, fleet: Fleet) -> Pictures | None:
        """The fleet's, where the wiki stands on several hosts and a program carries its data."""
        ways = {block.data for _, name, block in fleet.blocks() if name == SERVICE_NAME}
        site, hosts = fleet.site_of(SERVICE_NAME), fleet.hosts_of(SERVICE_NAME)
        if len(ways) != 1 or not ways <= _TYPES.keys() or site is None or len(hosts) == 1:
            return None
        addresses = {host: fleet.private_address(host) for host in hosts}
        return cls(hosts=addresses, first=fleet.ranked(site)[0], way=ways.pop())

    def settings(self, host: str, seed: str) -> str:
        """A host's settings of Syncthing.

        The other hosts are dialled at their private addresses, and not limited to them when they dial: behind a
        published port Docker may show a peer as the gateway of the container's own network. Both sides prove their
        certificates, and who gets as far as the port is the tailnet policy's matter.
        """
        devices = [
            {
                "host": each,
                "id": Device.of(each, seed).id,
                "address": f"tcp://{address}:{SYNC_PORT}" if each != host else "",
            }
            for each, address in self.hosts.items()
        ]
        return _PAGES.get_template("sync.xml.j2").render(
            version=_SETTINGS_VERSION,
            folders=UPLOADS,
            wiki=_INSIDE,
            type=_TYPES[self.way][host != self.first],
            devices=devices,
            kept_days=_KEPT_DAYS,
            kept=f"{_HOME}/kept",
            gui=_GUI,
            listen=f"tcp4://0.0.0.0:{SYNC_PORT}",
        )

    def container(self, host: str, image: str, memory: str, seed: pulumi.Output[str], data: str) -> ContainerArgs:
        """What Syncthing's container is given on a host, whose data lies below `data`.

        What is deleted or overwritten from afar is kept beside the index, where no web server looks.
        """
        return ContainerArgs(
            image=image,
            entrypoint=["sh", _SCRIPT, "start"],
            # The image's own address is open to the container's network.
            env={"STGUIADDRESS": _GUI, "STNOUPGRADE": "1"},
            files={
                _SCRIPT: File(content=Path(__file__).with_name("sync.sh").read_text(encoding="utf-8")),
                f"{_ETC}/sync.xml": File(content=seed.apply(lambda word: self.settings(host, word))),
                f"{_ETC}/sync-certificate.pem": File(
                    content=seed.apply(lambda word: Device.of(host, word).certificate)
                ),
                "/run/secrets/sync-key.pem": File(
                    content=seed.apply(lambda word: Device.of(host, word).key), private=True
                ),
            },
            mounts=[
                *(Mount(source=f"{data}/{_WIKI}/{folder}", target=f"{_INSIDE}/{folder}") for folder in UPLOADS),
                Mount(source=f"{data}/{CONTAINER}", target=_HOME),
                Mount(source=f"{data}/{_FIGURES}", target=_FIGURES_INSIDE),
            ],
            health=["sh", _SCRIPT, "healthy", _FIGURES_INSIDE],
            memory=memory,
            user=OWNER,
            networks=(CONTAINER,),
            ports={SYNC_PORT: SYNC_PORT},
            tmpfs={"/run/syncthing": "rw,noexec,nosuid,size=4m,uid=1000,gid=1000,mode=0700"},
        )
