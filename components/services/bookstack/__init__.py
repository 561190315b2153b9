"""BookStack: the wiki. Its text lies in MariaDB, its pictures and attachments in a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from components.backup import Backup, Dump, Engine
from components.databases import MARIADB_OWNER, MARIADB_PORT, DatabaseArgs, mariadb
from components.folders import DataFolder
from components.force import is_forced
from components.host import EDGE_NETWORK, ContainerArgs, File, Mount
from components.login import ADMINS, USERS, OidcClient
from components.model import ServiceSettings, StateClass
from components.needs import Need
from components.secrets import Secret
from components.service import Service, Tile
from components.services.bookstack.copier import copier
from components.services.bookstack.pictures import CONTAINER as CARRIER
from components.services.bookstack.pictures import SYNC_FOLDERS, SYNC_PORT, Pictures
from components.services.bookstack.replication import FIGURES, PRIMARY, SERVICE_NAME, Pair
from components.types import Duration, ImageRef, Memory, duration_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pulumi

    from components.fleet import Fleet
    from components.follower import Follower
    from components.service import ServiceArgs

DATABASE = "bookstack"
OWNER = "1000"
"""The user, and the group, that the image's programs become."""
_PRIVATE_NETWORKS = "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"
"""Where Docker lays its networks: there the connector stands, which is believed where a visitor came from."""
_SECRETS = "/run/secrets"
_REASONS = {
    "ring": "each database follows the other",
    "read-only": "the primary's database is followed",
    "copy": "the primary's database is copied",
}


class BookstackSettings(ServiceSettings):
    """The wiki's block in a stack file."""

    database_image: ImageRef
    database_memory: Memory = "512MiB"
    copy_every: Duration = Field(default="15m", description="Time between two copies, with `data: copy`.")
    sync_image: ImageRef | None = Field(
        default=None,
        description="Syncthing, which carries pictures to the other host; needed where a program carries `data`.",
    )
    sync_memory: Memory = "256MiB"
    login: Literal["authentik", "password"] = Field(
        default="authentik", description="password: only the wiki's own accounts log in, for when Authentik is gone."
    )


class Bookstack(Service):
    """The wiki, with its database.

    Creates: the containers `bookstack` and `bookstack-db`, the step that closes the account that BookStack ships and,
    with `data: ring` or `read-only`, the step that lets one host's database follow the other's, or with `data: copy`
    the container `bookstack-copy` on the host that is not the primary, and the step that makes the first copy. With
    each of these also the container `bookstack-sync`, which carries what people upload.
    Leaves out: outgoing mail, which people set up in BookStack.

    Whoever may enter the site may write; the admins' group runs the wiki. Every host's copy gets the same secrets, so
    the same database opens on each. Without a login at Authentik, the wiki's own accounts log in.
    """

    Settings = BookstackSettings
    state = StateClass.PRIMARY_STANDBY
    data_ways = ("ring", "read-only", "copy", "manual")
    backup = Backup(
        dumps=(Dump(engine=Engine.MARIADB, container="bookstack-db", database=DATABASE),), folders=("bookstack",)
    )
    port = 80
    health_path = "/status"
    tile = Tile(title="Wiki", description="Pages, notes and how things work here", group="Work")
    login = OidcClient(redirect_paths=("/oidc/callback",), logout_paths=("", "/", "/login"))
    secrets = {
        "app-key": Secret(
            purpose="encrypts two-factor secrets in the database", prefix="base64:", key=True, fixed=True, shared=True
        ),
        "database-password": Secret(purpose="the wiki's way into its database", shared=True),
        "database-root-password": Secret(purpose="runs the wiki's database", fixed=True, shared=True),
        "admin-password": Secret(
            purpose="the wiki's own administrator, for when Authentik is gone", typed=True, shared=True
        ),
        "replication-password": Secret(purpose="lets each host's database follow the other's", fixed=True, shared=True),
        "sync-seed": Secret(purpose="makes the key by which each host's Syncthing is known", key=True, shared=True),
    }
    adopts = {
        "app-key": ("APP_KEY",),
        "database-password": (
            "MARIADB_PASSWORD",
            "MYSQL_PASSWORD",
            "DB_PASSWORD",
            "DB_PASS",
        ),
        "database-root-password": (
            "MARIADB_ROOT_PASSWORD",
            "MYSQL_ROOT_PASSWORD",
        ),
    }
    folders = (
        DataFolder(path="bookstack", owner=f"{OWNER}:{OWNER}"),
        DataFolder(path="bookstack-db", owner=MARIADB_OWNER),
        DataFolder(path=FIGURES, owner=MARIADB_OWNER, mode="0755"),
        *SYNC_FOLDERS,
    )

    @classmethod
    def needs(cls, fleet: Fleet) -> tuple[Need, ...]:
        pair = Pair.of(fleet)
        reasons = {
            MARIADB_PORT: _REASONS[pair.way] if pair else "",
            SYNC_PORT: "pictures are carried across" if Pictures.of(fleet) else "",
        }
        return tuple(
            Need(service=SERVICE_NAME, port=port, reason=reason, on_each=True)
            for port, reason in reasons.items()
            if reason
        )

    @classmethod
    def followers(cls, fleet: Fleet) -> tuple[Follower, ...]:
        pair = Pair.of(fleet)
        follower = pair.follower(fleet) if pair and fleet.here in pair.hosts else None
        return (follower,) if follower else ()

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        settings: BookstackSettings = args.settings
        pair = Pair.of(args.fleet)
        database = mariadb(
            self,
            f"{name}-db",
            DatabaseArgs(
                image=settings.database_image,
                memory=settings.database_memory,
                database=DATABASE,
                folder="bookstack-db",
                password=self.secret("database-password"),
                root_password=self.secret("database-root-password"),
                networks=(name,),
                ports={MARIADB_PORT: MARIADB_PORT} if pair else {},
                **(self._told(pair) if pair and pair.way != "copy" else {}),
            ),
        )
        if pair:
            copies = pair.way == "copy" and pair.second == args.fleet.here
            after = [*database, self._copier(name, pair, database)] if copies else database
            database.append(self._join(name, pair, after))
        container = self.container(name, self._wiki(name, settings), after=database)
        self._first_admin([container])
        self._carry(settings)
        return {"container": container.name}

    def _told(self, pair: Pair) -> dict[str, Any]:
        fleet = self.args.fleet
        address = fleet.private_address(pair.peer(fleet.here))
        password = self.secret("replication-password")
        return pair.told(fleet.here, figures=self.data(FIGURES), peer=(address, MARIADB_PORT), password=password)

    def _carry(self, settings: BookstackSettings) -> None:
        pictures = Pictures.of(self.args.fleet)
        if pictures and settings.sync_image:
            host, root, seed = self.args.host.name, self.args.host.settings.data, self.secret("sync-seed")
            self.container(CARRIER, pictures.container(host, settings.sync_image, settings.sync_memory, seed, root))

    def _join(self, name: str, pair: Pair, after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        """Before the wiki starts, so that it never migrates an old copy; and again when its image is another."""
        fleet = self.args.fleet
        peer = pair.peer(fleet.here)
        facts = {
            "container": self.physical(f"{name}-db"),
            "database": DATABASE,
            "peer": peer,
            "address": fleet.private_address(peer),
            "port": MARIADB_PORT,
            "first": pair.first == fleet.here,
            "image": self.args.settings.image,
        }
        more: dict[str, dict[str, Any]] = {
            "ring": {},
            "read-only": {"insisted": is_forced(PRIMARY)},
            "copy": {"copier": self.physical(f"{name}-copy")},
        }
        return self.step(
            pair.way,
            facts=facts | more[pair.way],
            secrets={
                "root-password": self.secret("database-root-password"),
                "replication-password": self.secret("replication-password"),
            },
            after=after,
        )

    def _copier(self, name: str, pair: Pair, after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        given = copier(
            pair,
            source=self.args.fleet.private_address(pair.first),
            database=DATABASE,
            image=self.args.settings.database_image,
            every=duration_seconds(self.args.settings.copy_every),
            password=self.secret("replication-password"),
            figures=self.data(FIGURES),
        )
        return self.container(f"{name}-copy", given, after=after)

    def _wiki(self, name: str, settings: BookstackSettings) -> ContainerArgs:
        secret = {"APP_KEY": self.secret("app-key"), "DB_PASSWORD": self.secret("database-password")}
        if self.has_login:
            secret |= {"OIDC_CLIENT_ID": self.client_id, "OIDC_CLIENT_SECRET": self.client_secret}
        paths = {key: f"{_SECRETS}/{key.lower().replace('_', '-')}" for key in secret}
        return ContainerArgs(
            image=settings.image,
            env=self._environment(name, settings) | {f"FILE__{key}": path for key, path in paths.items()},
            files={paths[key]: File(content=value, private=True) for key, value in secret.items()},
            mounts=[Mount(source=self.data("bookstack"), target="/config")],
            health=["curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:80/status"],
            memory=settings.memory,
            # The image's s6 begins as root: it gives /config to its user (CHOWN, FOWNER), writes there while it is
            # another's (DAC_OVERRIDE), becomes that user (SETUID, SETGID), and ends that user's programs (KILL).
            capabilities=[
                "CAP_CHOWN",
                "CAP_DAC_OVERRIDE",
                "CAP_FOWNER",
                "CAP_KILL",
                "CAP_SETGID",
                "CAP_SETUID",
            ],
            networks=(EDGE_NETWORK, name),
        )

    def _environment(self, name: str, settings: BookstackSettings) -> dict[str, str]:
        """What is no secret (`linuxserver/docker-bookstack:README.md`, `BookStackApp/BookStack:app/Config`)."""
        at_authentik = self.has_login and settings.login == "authentik"
        environment = {
            "PUID": OWNER,
            "PGID": OWNER,
            "APP_URL": self.url,
            "APP_PROXIES": _PRIVATE_NETWORKS,
            "SESSION_SECURE_COOKIE": "true",
            "DB_HOST": f"{name}-db",
            "DB_PORT": str(MARIADB_PORT),
            "DB_DATABASE": DATABASE,
            "DB_USERNAME": DATABASE,
            "AUTH_METHOD": "oidc" if at_authentik else "standard",
        }
        return environment | (self._login() if self.has_login else {})

    def _login(self) -> dict[str, str]:
        """The login at Authentik."""
        return {
            "AUTH_AUTO_INITIATE": "true",
            "OIDC_NAME": "Authentik",
            "OIDC_DISPLAY_NAME_CLAIMS": "name",
            # With the slash at the end: it is compared with the discovery document's, character by character.
            "OIDC_ISSUER": self.oidc.issuer,
            "OIDC_ISSUER_DISCOVER": "true",
            "OIDC_END_SESSION_ENDPOINT": "true",
            "OIDC_USER_TO_GROUPS": "true",
            "OIDC_GROUPS_CLAIM": "groups",
            "OIDC_REMOVE_FROM_GROUPS": "true",
        }

    def _first_admin(self, after: Sequence[pulumi.Resource]) -> None:
        site = self.args.fleet.site_of(self.name)
        writers = site.groups if site else (USERS,)
        self.step(
            "first-admin",
            facts={
                "container": self.physical(self.name),
                "email": f"kite-admin@{self.args.fleet.domain}",
                "roles": {"Admin": ADMINS, "Editor": ",".join(writers)},
            },
            secrets={"password": self.secret("admin-password")},
            after=after,
        )


SERVICE = Bookstack
