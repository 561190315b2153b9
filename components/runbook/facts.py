"""Facts of the runbook: what the stack files say about each host and service, in the words of its pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.edge.promises import Kind
from components.secrets import GIVEN
from components.services.bookstack.pictures import Pictures
from components.services.bookstack.replication import Pair
from components.services.cloudflared import Cloudflared
from components.settings import service_class
from components.sites import site_reports

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from components.fleet import Fleet
    from components.settings import StackFile
    from components.sites import SiteReport

NEEDS_THE_REAL_THING = (
    "tailscale",
    "sudo",
    "ssh",
    "docker run",
    "docker exec",
    "docker image prune",
    "cat /etc/ssh",
)
"""Commands that no rehearsal plays: they need the real network, machine, image or account. The runbook lists them, and
each stands for all that begin as it does."""
LOGIN_DATABASE = "authentik-db"


@dataclass(frozen=True, kw_only=True)
class HostFacts:
    """One host, as a page about its end tells it.

    Attributes:
        name: The host's name, which is the stack's.
        foundation: It is deployed first and owns what the hosts share.
        ssh: `user@host` where its daemon is reached by SSH; empty for the host at which commands are typed.
        data: Where its data lies.
        own: Sites that stand on it alone.
        goes_on: Sites that answer without it, each with the seconds that visitors may notice.
        away: Sites that are down with it.
    """

    name: str
    foundation: bool
    ssh: str
    data: str
    own: tuple[str, ...]
    goes_on: tuple[str, ...]
    away: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the page is rendered from.

    Attributes:
        hosts: The hosts, the foundation last.
        domain: The zone.
        connectors: The containers of the tunnels on a host with shared sites.
        services: Every service of the fleet, by the hosts that it stands on.
        shared_site: A site on several hosts, to ask who answers; empty without one.
        owners: What only the owner can bring along, as the key of an encrypted value and its stack.
        wiki_pair: The two hosts between which the wiki's data goes by itself, if any do.
        pictures: The hosts between which the wiki's pictures are carried, if they are.
        fixed: The secrets that encrypt data, and can't be made anew, as `<service>.<name>`.
    """

    hosts: tuple[HostFacts, ...]
    domain: str
    connectors: str
    services: dict[str, tuple[str, ...]]
    shared_site: str
    owners: tuple[tuple[str, str], ...]
    wiki_pair: Pair | None
    pictures: Pictures | None
    fixed: tuple[str, ...]

    @property
    def login_database(self) -> bool:
        """Whether logins live in a database of this fleet."""
        return LOGIN_DATABASE in self.services

    @property
    def replicated(self) -> bool:
        """Whether that database has copies on several hosts."""
        return len(self.services.get(LOGIN_DATABASE, ())) > 1

    def data_of(self, host: str) -> str:
        """Where a host's data lies."""
        return next(each.data for each in self.hosts if each.name == host)

    @property
    def foundation(self) -> HostFacts:
        """The host that is deployed first."""
        return self.hosts[-1]

    @property
    def home(self) -> HostFacts:
        """The host at which commands are typed."""
        return self.hosts[0]


def facts_of(fleet: Fleet) -> Facts:
    """The facts of a fleet."""
    reports = site_reports(fleet)
    ordered = sorted(fleet.stacks, key=lambda host: (host in fleet.foundations, host))
    shared = [site.hostname for site in fleet.shared_sites]
    return Facts(
        hosts=tuple(_host(fleet, host, reports) for host in ordered),
        domain=fleet.domain,
        connectors=" ".join(each.container for each in Cloudflared.metrics[: 2 if shared else 1]),
        services={name: fleet.hosts_of(name) for _, name, _ in fleet.blocks()},
        shared_site=shared[0] if shared else "",
        owners=tuple(each for host in reversed(ordered) for each in _owners(host, fleet.stacks[host])),
        wiki_pair=Pair.of(fleet),
        pictures=Pictures.of(fleet),
        fixed=tuple(
            dict.fromkeys(
                f"{name}.{key}"
                for _, name, _ in fleet.blocks()
                for key, secret in service_class(name).secrets.items()
                if secret.fixed
            )
        ),
    )


def drilled_pages(fleet: Fleet) -> dict[str, str]:
    """The page that each drill of the rehearsal plays, by the drill's name (`rehearsal/drill`)."""
    hosts = {f"{host}-gone": f"{host} is gone" for host in fleet.stacks}
    return hosts | {
        "connector-gone": "Tunnel down",
        "tailnet-cut": "Tailscale is down",
        "database-crash": "Wiki database crash",
        "upgrade": "A container never gets healthy",
        "bad-upgrade": "A container never gets healthy",
        "promotion": "Replication stopped",
        "burned-house": "A machine burned",
    }


def _owners(host: str, stack: StackFile) -> Iterator[tuple[str, str]]:
    """A stack's values that no other file has."""
    yield "cloudflare:apiToken", host
    if stack.tailnet is not None:
        yield "tailscale:apiKey", host
    blocks = [*stack.service_settings.values(), *([stack.host.setup] if stack.host.setup else [])]
    names = dict.fromkeys(name for block in blocks for name in block.owner_secrets.values())
    yield from ((f"{GIVEN}:{name}", host) for name in names)


def _host(fleet: Fleet, name: str, reports: Sequence[SiteReport]) -> HostFacts:
    settings = fleet.stacks[name].host
    seconds = {
        report.hostname: promise.seconds
        for report in reports
        for promise in report.promises
        if promise.kind is Kind.HOST and promise.fault == f"{name} gone"
    }
    return HostFacts(
        name=name,
        foundation=name in fleet.foundations,
        ssh=settings.docker.removeprefix("ssh://") if settings.docker.startswith("ssh://") else "",
        data=settings.data,
        own=tuple(site.hostname for site in fleet.sites if site.hosts == (name,)),
        goes_on=tuple(f"{site} (within {most} s)" for site, most in seconds.items() if most is not None),
        away=tuple(site for site, most in seconds.items() if most is None),
    )
