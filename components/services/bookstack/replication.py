"""Replication: between which two hosts the wiki's data goes by itself, and what each side's MariaDB is told for it.

Options: `MariaDB/mariadb-docs:server/ha-and-performance/standard-replication`, its pages on multi-master rings, global
transaction ids and replication variables.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.databases import mariadb_admin
from components.follower import Follower
from components.host import File, Mount, physical_name
from components.metrics import LEFT_FOR_PROMETHEUS

if TYPE_CHECKING:
    import pulumi

    from components.fleet import Fleet

SERVICE_NAME = "bookstack"
_KEPT_LOG = 14 * 24 * 3600
"""Seconds for which changes are kept for the other side; away for longer, it has to be filled anew."""
_SILENCE = 10
"""Seconds without a word after which the line to the other side counts as dead."""
_LOG = "bookstack-db"
FIGURES = f"{LEFT_FOR_PROMETHEUS}/{SERVICE_NAME}"
"""Where below the data root each database leaves what it says of its replication."""
_FIGURES_INSIDE = "/figures"
_HEALTH = "/etc/kitestacks/health.sh"
_ASKS = "/run/secrets/replication-password"
COPY_SCRIPT = "/etc/kitestacks/copy.sh"
"""Where `copy.sh` lies in its container."""
PRIMARY = "services.bookstack.site.primary"
"""The setting that makes another host the writer; the guard of a writer that may lack something is lifted by it."""
WAYS = {"ring", "read-only", "copy"}
"""What `data` says for it."""


@dataclass(frozen=True)
class Pair:
    """Two hosts between which the wiki's data goes by itself.

    Attributes:
        hosts: Both, in alphabetical order.
        first: The primary, whose copy answers as long as it can.
        way: ring: each database follows the other; read-only: the primary's is written, and the other's follows it;
            copy: the other's is replaced by a copy of the primary's, now and then.
    """

    hosts: tuple[str, ...]
    first: str
    way: str

    @classmethod
    def of(cls, fleet: Fleet) -> Pair | None:
        """The fleet's pair, where the stack files say one of the ways under `data`."""
        said = {block.data for _, name, block in fleet.blocks() if name == SERVICE_NAME}
        site = fleet.site_of(SERVICE_NAME)
        if site is None or len(said) != 1 or not said <= WAYS:
            return None
        return cls(fleet.hosts_of(SERVICE_NAME), fleet.ranked(site)[0], *said)

    @property
    def second(self) -> str:
        """The one that takes over."""
        return self.peer(self.first)

    def peer(self, host: str) -> str:
        """The other one."""
        return next(each for each in self.hosts if each != host)

    def follows(self, host: str) -> bool:
        """Whether a host's database follows the other one's, change by change."""
        return self.way == "ring" or (self.way == "read-only" and host == self.second)

    def follower(self, fleet: Fleet) -> Follower | None:
        """The other side, where it follows the fleet's own host.

        Held, it does not follow this side; visitors go on there meanwhile, and this side follows it.
        """
        peer = self.peer(fleet.here)
        if not self.follows(peer):
            return None
        name = f"{SERVICE_NAME}-db"
        run = ("exec", physical_name(fleet.own.installation, peer, name))
        return Follower(
            host=peer,
            container=name,
            hold=(*run, *mariadb_admin("--execute", "STOP SLAVE")),
            let_go=(*run, *mariadb_admin("--execute", "START SLAVE")),
        )

    def options(self, host: str) -> tuple[str, ...]:
        """What a host's server is told.

        A side is known by a number made from its host's name alone: whatever else changes in the fleet, its log stays
        its own. It writes down its own changes only (no `log_slave_updates`): with two sides nothing has to be passed
        on, and nothing comes back.
        """
        number = zlib.crc32(host.encode()) or 1
        return (
            f"--server-id={number}",
            f"--gtid-domain-id={number}",
            "--gtid-strict-mode=1",
            "--log-bin",
            # Else the logs are named after the container, and are not found when that has another name.
            f"--log-basename={_LOG}",
            "--binlog-format=row",
            "--sync-binlog=1",
            f"--binlog-expire-logs-seconds={_KEPT_LOG}",
            "--relay-log-recovery=1",
            f"--slave-net-timeout={_SILENCE}",
            f"--auto-increment-increment={len(self.hosts)}",
            f"--auto-increment-offset={self.hosts.index(host) + 1}",
            # The writer's is opened by its step and by its health check, which first ask the other side.
            *(["--read-only=1"] if self.way == "read-only" else []),
        )

    def told(self, host: str, *, figures: str, peer: tuple[str, int], password: pulumi.Input[str]) -> dict[str, Any]:
        """What a host's database is given on top: options, and a health check that leaves its figures in a folder.

        Args:
            host: Which host.
            figures: That folder.
            peer: Where the other side answers.
            password: Of the account that may ask it.
        """
        script = Path(__file__).with_name("health.sh").read_text(encoding="utf-8")
        role = "both" if self.way == "ring" else "writes" if host == self.first else "reads"
        asks = role == "writes"
        return {
            "options": self.options(host),
            "files": {_HEALTH: File(content=script)} | ({_ASKS: File(content=password, private=True)} if asks else {}),
            "mounts": [Mount(source=figures, target=_FIGURES_INSIDE)],
            "health": ["sh", _HEALTH, _FIGURES_INSIDE, role, *([peer[0], str(peer[1]), _ASKS] if asks else [])],
        }
