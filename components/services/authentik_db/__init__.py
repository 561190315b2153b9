"""authentik-db: the PostgreSQL in which every login lives, for the Authentik of every host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from components.backup import Backup, Dump, Engine
from components.databases import POSTGRES_OWNER, POSTGRES_PORT, STOP_GRACE, DatabaseArgs, postgres
from components.folders import DataFolder
from components.follower import Follower
from components.host import File, Mount, physical_name
from components.metrics import LEFT_FOR_PROMETHEUS
from components.model import ServiceSettings, StateClass
from components.needs import Need
from components.secrets import Secret
from components.service import Service
from components.services.authentik_db.standby import SCRIPT, check_promotion
from components.services.authentik_db.writer import DATABASE_SERVICE, NEED, without_writer, writer
from components.types import Duration, HostName

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.fleet import Fleet
    from components.service import ServiceArgs

DATABASE = "authentik"
"""Name of the database and of its one user."""
REPLICATOR = "replicator"
"""The role that followers log in as; it may replicate, and nothing else."""
FIGURES = f"{LEFT_FOR_PROMETHEUS}/{DATABASE_SERVICE}"
"""Where below the data root a copy leaves what it says of its replication."""
_FIGURES_INSIDE = "/figures"
_SHARE = SCRIPT.rpartition("/")[0]
_HEALTH = f"{_SHARE}/health.sh"
_HBA = "/etc/kitestacks/pg_hba.conf"
_PASSWORD = "/run/secrets/replication-password"  # noqa: S105 - a path
_MOST_CONNECTIONS = 500
"""What Authentik's own chart sets: cache, tasks and websockets all go through the database (`goauthentik/helm`)."""
_KEPT_FOR_FOLLOWERS = "4GB"
"""The most log that a writer keeps for a follower that is away; unlimited, it would fill the disk. A follower that was
away for longer has to be copied anew."""


class AuthentikDbSettings(ServiceSettings):
    """Authentik's database: one copy that writes, and one on each further host that follows it."""

    primary: HostName | None = Field(
        default=None,
        description="The host whose copy of the database writes, where several hosts have one; the others follow it.",
    )
    stale_after: Duration = Field(
        default="24h0m0s",
        description="A copy whose last transaction is older than this is not promoted unless the owner insists.",
    )
    fenced: bool = Field(
        default=True,
        description="Refuses to write while another host's copy does. false: it starts in any case, and two may write; "
        "only for as long as that takes.",
    )


class AuthentikDb(Service):
    """PostgreSQL, found as `authentik-db` on a network of its own; on several hosts, one copy writes.

    Creates: the container `authentik-db`, its data folder, and where it writes the steps that keep the passwords of its
    user and of the replication role true. Where several hosts have it, `copy.sh` starts each: it copies, follows,
    promotes, or refuses to be a second writer; and its health check leaves figures of the replication for Prometheus.
    Leaves out: any decision to promote. Two hosts can't tell a dead peer from a cut line, so a person decides.

    Its port is published on the host's Tailscale address only where another host needs it. There is no TLS inside:
    between containers the network is private, between hosts WireGuard encrypts.
    """

    Settings = AuthentikDbSettings
    state = StateClass.PRIMARY_STANDBY
    replicated = True
    backup = Backup(dumps=(Dump(engine=Engine.POSTGRES, container="authentik-db", database=DATABASE),))
    secrets = {
        "password": Secret(purpose="opens Authentik's database to Authentik", shared=True),
        "replication-password": Secret(purpose="lets one copy of the database follow another", shared=True),
    }
    adopts = {
        "password": ("POSTGRES_PASSWORD",),
    }
    folders = (
        DataFolder(path="authentik-db", owner=POSTGRES_OWNER),
        DataFolder(path=FIGURES, owner=POSTGRES_OWNER, mode="0755"),
    )

    @classmethod
    def needs(cls, fleet: Fleet) -> tuple[Need, ...]:
        if len(fleet.hosts_of(DATABASE_SERVICE)) == 1:
            return ()
        return (Need(service=DATABASE_SERVICE, port=POSTGRES_PORT, reason=NEED, on_each=True),)

    @classmethod
    def writer(cls, fleet: Fleet) -> str | None:
        return writer(fleet)

    @classmethod
    def without_writer(cls, fleet: Fleet) -> str:
        return without_writer(fleet)

    @classmethod
    def followers(cls, fleet: Fleet) -> tuple[Follower, ...]:
        """Nobody reads a copy that only follows: it is stopped, and the writer keeps its log for it."""
        if writer(fleet) != fleet.here:
            return ()
        others = (host for host in fleet.hosts_of(DATABASE_SERVICE) if host != fleet.here)
        named = {host: physical_name(fleet.own.installation, host, DATABASE_SERVICE) for host in others}
        return tuple(
            Follower(
                host=host,
                container=DATABASE_SERVICE,
                hold=("stop", "-t", str(STOP_GRACE), name),
                let_go=("start", name),
            )
            for host, name in named.items()
        )

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        copies = args.fleet.hosts_of(name)
        writes = writer(args.fleet) == args.host.name
        is_one_of_several = len(copies) > 1
        if is_one_of_several:
            check_promotion(args.fleet, self.physical(name), self)
        ready = postgres(
            self,
            name,
            DatabaseArgs(
                image=args.settings.image,
                memory=args.settings.memory,
                database=DATABASE,
                folder=name,
                password=self.secret("password"),
                networks=(name,),
                options=_options(is_one_of_several=is_one_of_several),
                entrypoint=["sh", SCRIPT, "start"] if is_one_of_several else (),
                env=self._environment() if is_one_of_several else {},
                health=["sh", _HEALTH, _FIGURES_INSIDE] if is_one_of_several else (),
                mounts=[Mount(source=self.data(FIGURES), target=_FIGURES_INSIDE)] if is_one_of_several else (),
                files=self._files() if is_one_of_several else {},
                follows=not writes,
                hosts=self._others(),
                ports={port: port for port in args.fleet.ports_for_others(name)},
            ),
        )
        if is_one_of_several and writes:
            self.step(
                "replication-role",
                facts={"container": self.physical(name), "user": DATABASE, "database": DATABASE, "role": REPLICATOR},
                secrets={"password": self.secret("replication-password")},
                after=ready,
            )
        return {"container": self.physical(name)}

    def _others(self) -> dict[str, str]:
        """Where this copy reaches the other hosts' copies."""
        fleet = self.args.fleet
        others = (host for host in fleet.hosts_of(self.name) if host != self.args.host.name)
        return {host: fleet.private_address(host) for host in others}

    def _environment(self) -> dict[str, str]:
        peers = (f"{host}={host}:{POSTGRES_PORT}" for host in sorted(self._others()))
        return {
            "DATABASE_HOST": self.args.host.name,
            "DATABASE_WRITER": writer(self.args.fleet) or "",
            "DATABASE_PEERS": " ".join(peers),
            "DATABASE_PASSWORD_FILE": _PASSWORD,
            "DATABASE_FENCED": "yes" if self.args.settings.fenced else "no",
            "PGPASSFILE": "/var/run/postgresql/.pgpass",
        }

    def _files(self) -> dict[str, File]:
        scripts = (Path(__file__).with_name(name) for name in ("copy.sh", "health.sh", "figures.sql"))
        return {
            **{f"{_SHARE}/{script.name}": File(content=script.read_text("utf-8")) for script in scripts},
            _HBA: File(content=hba(sorted(self._others().values()))),
            _PASSWORD: File(content=self.secret("replication-password"), private=True),
        }


def hba(peers: list[str]) -> str:
    """Who may log in: Authentik as before; the replication role from the other hosts, for nothing but replication.

    `all` does not name replication. Behind a published port the peer may be seen as the gateway of the container's own
    network, which is `samenet`; who gets as far as the port is the tailnet policy's matter.
    """
    lines = [
        "local all all trust",
        *(f"host replication {REPLICATOR} {peer}/32 scram-sha-256" for peer in peers),
        f"host replication {REPLICATOR} samenet scram-sha-256",
        "host replication all all reject",
        f"host all {REPLICATOR} all reject",
        "host all all all scram-sha-256",
    ]
    return "\n".join(lines) + "\n"


def _options(*, is_one_of_several: bool) -> list[str]:
    """What the server is told; alone, it still does not keep log without end for a copy that is no longer there."""
    options = {
        "max_connections": str(_MOST_CONNECTIONS),
        **({"hba_file": _HBA} if is_one_of_several else {}),
        "max_slot_wal_keep_size": _KEPT_FOR_FOLLOWERS,
        # What a former primary needs of the new one before it has its own slot there.
        **({"wal_keep_size": "256MB"} if is_one_of_several else {}),
    }
    return [part for key, value in options.items() for part in ("-c", f"{key}={value}")]


SERVICE = AuthentikDb
