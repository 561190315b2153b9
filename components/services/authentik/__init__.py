"""Authentik: the doorman who checks you once. Every site's login leads here."""

from __future__ import annotations

from hashlib import sha256
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from components.backup import Backup
from components.blueprint import first_admin, login
from components.blueprint.tags import SECRETS
from components.databases import POSTGRES_PORT
from components.folders import DataFolder
from components.host import ContainerArgs, File, Mount
from components.login import CLIENT_ID, CLIENT_SECRET, LOGIN_SERVICE, OidcClient
from components.metrics import Metrics
from components.model import ServiceSettings, StateClass
from components.needs import Need
from components.secrets import Secret
from components.service import Service, Tile
from components.services.authentik.own_blueprints import file_of, names_differ
from components.services.authentik_db import DATABASE
from components.services.authentik_db.writer import DATABASE_SERVICE, NEED, primary, writer

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from components.fleet import Fleet
    from components.service import ServiceArgs

_METRICS_PORT = 9300
_OWNER = "1000:1000"
_SHARED_MEMORY = 512
"""MiB of /dev/shm, which is the image's folder for temporary files (`lifecycle/container/compose.yml`)."""
_LOGIN = "custom/kitestacks/login.yaml"
_FIRST_ADMIN = "custom/kitestacks/first-admin.yaml"
"""Below /blueprints, where Authentik's own lie; nothing may be mounted over that folder itself."""
_FOLDERS = ("data", "certs", "templates")
_TRUSTED_PROXIES = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""Authentik's own list, without IPv6: the loopback device and Docker's networks, where the connectors are."""


class AuthentikSettings(ServiceSettings):
    """Authentik's server and worker on one host."""

    database: Literal["primary", "local"] = Field(
        default="primary",
        description="Which copy of authentik-db it uses, and so which one writes. primary: the one that authentik-db "
        "names. local: the one on this host, which is promoted; said in one file, when the primary's host is gone.",
    )
    blueprints: tuple[str, ...] = Field(
        default=(),
        description="The owner's own blueprints, .yaml files named from the project's folder; the worker applies them.",
    )

    @field_validator("blueprints")
    @classmethod
    def _are_blueprints(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for path in paths:
            file_of(path)
        names_differ(paths)
        return paths


class Authentik(Service):
    """A server and a worker over one database, on every host that lists them: any copy answers, so any host may go.

    Creates: the containers `authentik-server` and `authentik-worker`, their data folders, and the steps that apply the
    rendered blueprints: the login of every declared site, and on one host the first administrator.
    Leaves out: the database (`authentik-db`), people, and what the owner's own blueprints declare.

    What is uploaded to one host's `/data` (icons) is not seen by the other host's copy. No secret is in the
    environment: values that begin with `file://` are read by Authentik itself
    (`website/docs/install-config/configuration/configuration.mdx`).
    """

    Settings = AuthentikSettings
    state = StateClass.MULTI_WRITER
    backup = Backup(
        folders=tuple(f"authentik/{each}" for each in _FOLDERS),
        not_alone="its database is a service of its own, authentik-db, which is proven by itself",
    )
    keeps_in = (DATABASE_SERVICE,)
    port = 9000
    front = "authentik-server"
    health_path = "/-/health/live/"
    tile = Tile(title="Authentik", description="Log in once for everything", group="Start")
    secrets = {
        "secret-key": Secret(purpose="signs sessions and tokens", length=60, fixed=True, shared=True),
        "admin-password": Secret(purpose="logs the first administrator, akadmin, in", typed=True, shared=True),
        "api-token": Secret(purpose="akadmin's key to Authentik's API, for programs", length=60, shared=True),
    }
    adopts = {
        "secret-key": ("AUTHENTIK_SECRET_KEY",),
        "api-token": ("AUTHENTIK_BOOTSTRAP_TOKEN",),
    }
    folders = tuple(DataFolder(path=f"authentik/{each}", owner=_OWNER) for each in _FOLDERS)
    metrics = (
        Metrics(container="authentik-server", port=_METRICS_PORT, outside=9301),
        Metrics(container="authentik-worker", port=_METRICS_PORT, outside=9302),
    )

    @classmethod
    def needs(cls, fleet: Fleet) -> tuple[Need, ...]:  # noqa: ARG003 - the same in every fleet
        # On each host, since any copy may be the one that is to write, and the way there must not wait for a policy.
        return (Need(service=DATABASE_SERVICE, port=POSTGRES_PORT, reason=NEED, on_each=True),)

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        own = {
            "secret-key": File(content=self.secret("secret-key"), private=True),
            "database-password": File(content=args.vault.value(DATABASE_SERVICE, "password"), private=True),
        }
        secrets = {_LOGIN: self._clients()}
        rendered = {_LOGIN: self._login()}
        if args.host.name == _administrators_host(args.fleet):
            secrets[_FIRST_ADMIN] = {key: self.secret(key) for key in ("admin-password", "api-token")}
            rendered[_FIRST_ADMIN] = first_admin(args.fleet.domain)
        named = {key: File(content=value, private=True) for each in secrets.values() for key, value in each.items()}
        files = {f"/blueprints/{path}": File(content=text) for path, text in {**rendered, **self._owners()}.items()}
        server = self.container(f"{name}-server", self._container("server", own, {}))
        worker = self.container(f"{name}-worker", self._container("worker", own | named, files))
        applied: pulumi.Resource = worker
        for path, text in rendered.items():
            applied = self.step(
                PurePosixPath(path).stem,
                program="services.authentik.apply_blueprint",
                facts={
                    "container": self.physical(f"{name}-worker"),
                    "blueprint": path,
                    "digest": sha256(text.encode()).hexdigest(),
                },
                secrets=secrets[path],
                after=[applied],
            )
        return {"server": server.name, "worker": worker.name}

    def _container(self, role: str, secrets: Mapping[str, File], files: Mapping[str, File]) -> ContainerArgs:
        args = self.args
        database = writer(args.fleet) or args.host.name
        is_here = database == args.host.name
        outside = next(each.outside for each in self.metrics if each.container == f"{self.name}-{role}")
        return ContainerArgs(
            image=args.settings.image,
            command=[role],
            env=self._environment(),
            files={**{f"{SECRETS}/{key}": file for key, file in secrets.items()}, **files},
            mounts=[Mount(source=self.data(f"authentik/{each}"), target=f"/{each}") for each in _FOLDERS],
            health=["ak", "healthcheck"],
            memory=args.settings.memory,
            user="1000",
            networks=("edge", DATABASE_SERVICE) if is_here else ("edge",),
            hosts={} if is_here else {DATABASE_SERVICE: args.fleet.private_address(database)},
            ports={_METRICS_PORT: outside} if outside in args.fleet.ports_for_others(self.name) else {},
            shared_memory=_SHARED_MEMORY,
        )

    def _environment(self) -> dict[str, pulumi.Input[str]]:
        hosts = sorted(stack.host.tailscale_address for stack in self.args.fleet.stacks.values())
        given = {
            "SECRET_KEY": f"file://{SECRETS}/secret-key",
            "POSTGRESQL__HOST": DATABASE_SERVICE,
            "POSTGRESQL__PORT": str(POSTGRES_PORT),
            "POSTGRESQL__NAME": DATABASE,
            "POSTGRESQL__USER": DATABASE,
            "POSTGRESQL__PASSWORD": f"file://{SECRETS}/database-password",
            "POSTGRESQL__SSLMODE": "disable",
            # A new connection for each request would cross from host to host and back several times.
            "POSTGRESQL__CONN_MAX_AGE": "60",
            "POSTGRESQL__CONN_HEALTH_CHECKS": "true",
            # Its own default is IPv6, which not every host has.
            "LISTEN__HTTP": "0.0.0.0:9000",
            "LISTEN__HTTPS": "0.0.0.0:9443",
            "LISTEN__METRICS": f"0.0.0.0:{_METRICS_PORT}",
            "LISTEN__TRUSTED_PROXY_CIDRS": ",".join((*_TRUSTED_PROXIES, *(f"{host}/32" for host in hosts))),
            "WEB__BASE_URL": f"https://{self.args.fleet.login_host}",
            "DISABLE_UPDATE_CHECK": "true",
            "DISABLE_STARTUP_ANALYTICS": "true",
            "ERROR_REPORTING__ENABLED": "false",
        }
        return {f"AUTHENTIK_{key}": value for key, value in given.items()}

    def _clients(self) -> dict[str, pulumi.Output[str]]:
        """What the worker has to know of each site that speaks OpenID Connect: the files that the blueprint names."""
        sites = [site.service for site in self.args.fleet.sites if isinstance(site.login, OidcClient)]
        return {
            f"{service}.{key}": self.args.vault.value(service, key)
            for service in sites
            for key in (CLIENT_ID, CLIENT_SECRET)
        }

    def _login(self) -> str:
        fleet = self.args.fleet
        return login(fleet.sites, address=f"https://{fleet.login_host}", gone=fleet.undeclared_logins)

    def _owners(self) -> dict[str, str]:
        """The owner's own blueprints, which the worker finds and applies by itself."""
        return {f"custom/{file.name}": file.read_text("utf-8") for file in map(file_of, self.args.settings.blueprints)}


def _administrators_host(fleet: Fleet) -> str:
    """The one host that makes the first administrator: the database's, if Authentik stands there too."""
    hosts = fleet.hosts_of(LOGIN_SERVICE)
    database = primary(fleet)
    return database if database in hosts else hosts[0]


SERVICE = Authentik
