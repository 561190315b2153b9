"""Fleet: what all stack files declare together, in plain values; every later part derives from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from components.login import CLIENT_ID, CLIENT_SECRET, LOGIN_SERVICE, OidcClient, OidcEndpoints
from components.needs import CrossHostNeed
from components.secrets import Secret
from components.services import KNOWN_SERVICES
from components.settings import StackFile, service_class

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from components.backup import Backup
    from components.login import Login
    from components.metrics import Metrics
    from components.model import StateClass
    from components.service import Tile

_CLIENT = {
    CLIENT_ID: Secret(purpose="what the site calls itself at Authentik", shared=True),
    CLIENT_SECRET: Secret(purpose="proves the site to Authentik", length=64, shared=True),
}


@dataclass(frozen=True, kw_only=True)
class Site:
    """A public hostname and where it leads.

    Attributes:
        hostname: The full name that visitors type.
        service: The service that answers.
        hosts: The hosts on which it stands.
        shared: It hangs on the shared tunnel and goes on when one host is gone.
        state: How many copies may answer.
        primary: The host whose copy answers first, where a file says so.
        public: It answers without a login.
        origin: Address of the container inside each host's edge network.
        health_path: A path that answers without a login.
        login: How visitors log in, where they do.
        groups: Who may enter, besides admins.
        tile: How the portal shows it.
    """

    hostname: str
    service: str
    hosts: tuple[str, ...]
    shared: bool
    state: StateClass
    primary: str | None
    public: bool
    origin: str
    health_path: str
    login: Login | None
    groups: tuple[str, ...]
    tile: Tile


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """All hosts, seen from one of them.

    Attributes:
        here: The running stack, which is the host's name.
        stacks: The stack files by host, the running one first.
    """

    here: str
    stacks: Mapping[str, StackFile]

    @property
    def own(self) -> StackFile:
        """The running stack's file."""
        return self.stacks[self.here]

    def at(self, host: str) -> str:
        """What goes before the path of a setting: the name of its file, where it is not the running stack's."""
        return "" if host == self.here else f"Pulumi.{host}.yaml: "

    @property
    def foundations(self) -> list[str]:
        """The hosts whose files have an `edge` section; the contract allows one."""
        return [name for name, stack in self.stacks.items() if stack.edge is not None]

    @property
    def foundation(self) -> str:
        """The host that is deployed first and owns what the hosts share."""
        return self.foundations[0]

    @property
    def domain(self) -> str:
        """The zone that every site lies in."""
        edge = self.stacks[self.foundation].edge
        assert edge is not None  # noqa: S101 - what makes a foundation
        return edge.domain

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """Every public hostname of the fleet, once, in the order of the hosts and then of their services."""
        sites: dict[str, Site] = {}
        for host, name, settings in self.blocks():
            service = service_class(name)
            if settings.site is None or service.port is None or service.tile is None:
                continue
            known = sites.get(settings.site.hostname)
            login = None if settings.site.public else service.login
            sites[settings.site.hostname] = Site(
                hostname=settings.site.hostname,
                service=name,
                hosts=(*known.hosts, host) if known else (host,),
                shared=settings.site.shared,
                state=service.state,
                primary=settings.site.primary or (known.primary if known else None),
                public=settings.site.public,
                origin=f"http://{service.front or name}:{service.port}",
                health_path=service.health_path,
                login=login,
                groups=settings.site.groups or (login.groups if login else ()),
                tile=service.tile,
            )
        return tuple(sites.values())

    @property
    def shared_sites(self) -> tuple[Site, ...]:
        """The sites that the foundation routes, through the shared tunnel."""
        return tuple(site for site in self.sites if site.shared)

    @property
    def shared_sites_here(self) -> tuple[Site, ...]:
        """The shared sites of which a copy stands on the running host."""
        return tuple(site for site in self.shared_sites if self.here in site.hosts)

    @property
    def own_sites(self) -> tuple[Site, ...]:
        """The sites that the running stack routes, through its host's own tunnel."""
        return tuple(site for site in self.sites if not site.shared and site.hosts == (self.here,))

    def ranked(self, site: Site) -> tuple[str, ...]:
        """A site's hosts: its primary first, the foundation, which takes over, last."""
        return tuple(sorted(site.hosts, key=lambda host: (host != site.primary, host in self.foundations, host)))

    def blocks(self) -> Iterator[tuple[str, str, Any]]:
        """Host, service and settings of every service block, in the order of the hosts."""
        for host, stack in sorted(self.stacks.items()):
            for name, settings in stack.service_settings.items():
                yield host, name, settings

    def endpoints(self) -> Iterator[tuple[str, str, Metrics]]:
        """Host, service and endpoint of everything that gives figures."""
        for host, name, _ in self.blocks():
            for metrics in service_class(name).metrics_on(self, host):
                yield host, name, metrics

    def hosts_of(self, service: str) -> tuple[str, ...]:
        """The hosts on which a service stands."""
        return tuple(host for host, name, _ in self.blocks() if name == service)

    def has(self, service: str, host: str | None = None) -> bool:
        """Whether a service stands on a host; the running one if none is named."""
        return service in self.stacks[host or self.here].service_settings

    def private_address(self, host: str) -> str:
        """Where other hosts' containers reach a host over the private network."""
        settings = self.stacks[host].host
        return settings.reached_at or settings.tailscale_address

    def address_of(self, service: str, port: int) -> str:
        """Where a needed service answers: its container on the running host, else its host's private address."""
        places = self.hosts_of(service)
        return f"{service}:{port}" if self.here in places else f"{self.private_address(places[0])}:{port}"

    def site_of(self, service: str) -> Site | None:
        """The site of a service, if it has one."""
        return next((site for site in self.sites if site.service == service), None)

    @property
    def undeclared_logins(self) -> dict[str, Login]:
        """How sites of services that this program knows would log in, where no file declares one."""
        declared = {site.service for site in self.sites if site.login}
        known = {name: service.login for name, service in KNOWN_SERVICES.items() if service.login}
        return {name: login for name, login in known.items() if name not in declared}

    @property
    def login_host(self) -> str:
        """Authentik's public hostname; the contract has made sure that there is one where a site has a login."""
        site = self.site_of(LOGIN_SERVICE)
        return site.hostname if site else f"auth.{self.domain}"

    @property
    def login_health(self) -> str:
        """The address at which Authentik answers without a login, as a visitor sees it; empty without one."""
        site = self.site_of(LOGIN_SERVICE)
        return f"https://{site.hostname}{site.health_path}" if site else ""

    def oidc_endpoints(self, service: str) -> OidcEndpoints:
        """Authentik's addresses for a service's client."""
        return OidcEndpoints(host=self.login_host, slug=service)

    @cached_property
    def cross_host_needs(self) -> tuple[CrossHostNeed, ...]:
        """Every need that has to be met on another host."""
        found = set()
        for host, name, _ in self.blocks():
            for need in service_class(name).needs(self):
                places = self.hosts_of(need.service)
                if host in places and not need.on_each:
                    continue
                found |= {
                    CrossHostNeed(
                        source=host, destination=place, service=need.service, port=need.port, reason=need.reason
                    )
                    for place in places
                    if place != host
                }
        return tuple(sorted(found))

    def ports_for_others(self, service: str) -> tuple[int, ...]:
        """The ports of a service on the running host that other hosts need."""
        needs = self.cross_host_needs
        return tuple(sorted({need.port for need in needs if need.destination == self.here and need.service == service}))

    @cached_property
    def shared_secrets(self) -> dict[str, Secret]:
        """The secrets that the foundation makes for all, by `<service>.<name>`."""
        services = dict.fromkeys(name for _, name, _ in self.blocks())
        found = {
            f"{name}.{key}": secret
            for name in services
            for key, secret in service_class(name).secrets.items()
            if secret.shared
        }
        clients = (site.service for site in self.sites if isinstance(site.login, OidcClient))
        return found | {f"{name}.{key}": secret for name in clients for key, secret in _CLIENT.items()}

    @property
    def shared_secrets_here(self) -> tuple[str, ...]:
        """Those of the shared secrets that the running stack can't do without."""
        names = self.own.service_settings
        return tuple(key for key in self.shared_secrets if LOGIN_SERVICE in names or key.partition(".")[0] in names)

    @cached_property
    def own_secrets(self) -> dict[str, Secret]:
        """The secrets that the running stack makes for its own services alone."""
        return {
            f"{name}.{key}": secret
            for name in self.own.service_settings
            for key, secret in service_class(name).secrets.items()
            if not secret.shared
        }

    @property
    def kept_here(self) -> dict[str, Backup]:
        """What of each service on the running host has to be kept."""
        return self.kept_on(self.here)

    def kept_on(self, host: str) -> dict[str, Backup]:
        """What of each service on a host has to be kept, by service; the disposable ones are left out."""
        found = {name: service_class(name).backup for name in self.stacks[host].service_settings}
        return {name: backup for name, backup in found.items() if not backup.disposable}

    def with_secret(self, name: str) -> tuple[str, ...]:
        """The services of the fleet that declare a secret of this name, where the running stack has its value."""
        known = {**self.shared_secrets, **self.own_secrets}
        return tuple(sorted(key.partition(".")[0] for key in known if key.partition(".")[2] == name))

    def rotation(self, secret: str) -> str:
        """What the stack files say under `rotate` for a secret, `<service>.<name>`; empty: it was never rotated."""
        service, _, name = secret.partition(".")
        said = {
            str(settings.rotate[name]) for _, at, settings in self.blocks() if at == service and name in settings.rotate
        }
        return ",".join(sorted(said))
