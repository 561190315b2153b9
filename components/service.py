"""Service: the base of every component in `services/`, and what it is given to build with."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import pulumi

from components.login import CLIENT_ID, CLIENT_SECRET
from components.model import ServiceSettings, StateClass
from components.steps import Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi_docker import Container

    from components.backup import Backup
    from components.edge import Edge
    from components.fleet import Fleet
    from components.folders import DataFolder
    from components.follower import Follower
    from components.host import ContainerArgs, Host
    from components.login import Login, OidcEndpoints
    from components.metrics import Metrics
    from components.needs import Need
    from components.secrets import Secret, Vault


@dataclass(frozen=True, kw_only=True)
class Tile:
    """How a site is shown on the portal.

    Attributes:
        title: What people call it.
        description: One line, what it is for.
        group: The heading it stands under.
    """

    title: str
    description: str
    group: str


@dataclass(frozen=True, kw_only=True)
class ServiceArgs:
    """What a service is built from.

    Attributes:
        settings: The service's own block of the stack file.
        host: The machine it runs on; makes its containers.
        fleet: What all stack files declare together, in plain values.
        edge: The tunnels that reach this host.
        vault: The secrets.
    """

    settings: Any
    host: Host
    fleet: Fleet
    edge: Edge
    vault: Vault


class Service(pulumi.ComponentResource):
    """One program of the platform on one host, with everything that belongs to it.

    A subclass states its decisions as class attributes, makes its containers in `create`, and is named `SERVICE` at the
    end of its file; the file's name is the service's name in a stack file.

    Creates: the data folders, then whatever `create` registers, all of it below this component.
    Leaves out: the site's route from outside, which `components/edge` derives from the stack file.
    """

    Settings: ClassVar[type[ServiceSettings]] = ServiceSettings
    """The model of the service's block in a stack file."""
    state: ClassVar[StateClass]
    """How many copies may answer."""
    backup: ClassVar[Backup]
    """What of it is kept, or why nothing has to be."""
    port: ClassVar[int | None] = None
    """Port on which a site's visitors are answered; None: it can have no site."""
    front: ClassVar[str] = ""
    """The container that answers them, where it is not named like the service."""
    health_path: ClassVar[str] = "/"
    """A path of the site that answers 2xx without a login while the service is well."""
    tile: ClassVar[Tile | None] = None
    """The portal's tile; every service with a port has one."""
    login: ClassVar[Login | None] = None
    """How its site's visitors log in; None: it has no login, and a site must say `public: true`."""
    secrets: ClassVar[Mapping[str, Secret]] = {}
    """The secrets that it needs made, by name."""
    adopts: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Secrets that an installation made by hand already has: the variables in which common images take each."""
    folders: ClassVar[tuple[DataFolder, ...]] = ()
    """Its folders below the host's data root."""
    data_ways: ClassVar[tuple[str, ...]] = ("manual",)
    """The ways in which its data may get to its other hosts, as `data` names them; the best first."""
    metrics: ClassVar[tuple[Metrics, ...]] = ()
    """Where it gives figures."""
    keeps_in: ClassVar[tuple[str, ...]] = ()
    """Services whose databases it keeps its data in: what a new version of it migrates is there."""
    replicated: ClassVar[bool] = False
    """Its copies bring its data to each other by themselves, and its own settings say which one writes."""

    @classmethod
    def needs(cls, fleet: Fleet) -> tuple[Need, ...]:  # noqa: ARG003 - some needs depend on what the fleet has
        """The services that it has to reach, on whichever host each stands."""
        return ()

    @classmethod
    def writer(cls, fleet: Fleet) -> str | None:  # noqa: ARG003 - of a replicated service
        """The one host whose copy of a replicated service others have to reach; None: any copy will do."""
        return None

    @classmethod
    def without_writer(cls, fleet: Fleet) -> str:  # noqa: ARG003 - of a replicated service
        """What to type when the host of the copy that writes is gone and another one is to write."""
        return ""

    @classmethod
    def followers(cls, fleet: Fleet) -> tuple[Follower, ...]:  # noqa: ARG003 - of a service that others follow
        """The databases on other hosts that get by themselves what the fleet's own host writes."""
        return ()

    @classmethod
    def metrics_on(cls, fleet: Fleet, host: str) -> tuple[Metrics, ...]:  # noqa: ARG003 - some containers stand on some hosts
        """Where its copy on a host gives figures."""
        return cls.metrics

    def __init__(self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"kitestacks:index:{type(self).__name__}", name, None, opts)
        self.name = name
        self.args = args
        self._prepared: list[pulumi.Resource] = []
        if self.folders:
            facts = {
                "endpoint": args.host.settings.docker,
                "root": args.host.settings.data,
                "folders": [[folder.path, folder.owner, folder.mode] for folder in self.folders],
            }
            self._prepared = [self._step("folders", program="folders_step", facts=facts, secrets={}, after=())]
        self.register_outputs(dict(self.create(name, args)))

    @abstractmethod
    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[Any]]:
        """Registers what the service is made of, with `parent=self`, and returns the component's few outputs."""

    def container(self, name: str, args: ContainerArgs, after: Sequence[pulumi.Resource] = ()) -> Container:
        """One of the service's containers, after its data folders and after what else it needs to be healthy."""
        return self.args.host.container(
            name, replace(args, service=self.name), parent=self, after=[*self._prepared, *after]
        )

    def step(
        self,
        name: str,
        *,
        facts: Mapping[str, Any],
        secrets: Mapping[str, pulumi.Input[str]],
        after: Sequence[pulumi.Resource],
        program: str = "",
    ) -> Step:
        """A step, once `after` is healthy: the module `name` in the service's own package, or `program`.

        It is given `endpoint` (the Docker daemon) besides its facts; `physical` names its containers.
        """
        program = program or f"{type(self).__module__.removeprefix('components.')}.{name.replace('-', '_')}"
        given = {"endpoint": self.args.host.settings.docker, **facts}
        return self._step(name, program=program, facts=given, secrets=secrets, after=after)

    def secret(self, name: str) -> pulumi.Output[str]:
        """One of the service's own secrets."""
        return self.args.vault.value(self.name, name)

    def metrics_ports(self, container: str) -> dict[int, int]:
        """The ports of a container's figures that a Prometheus on another host asks for: inside to outside."""
        wanted = self.args.fleet.ports_for_others(self.name)
        return {
            each.port: each.outside
            for each in self.metrics
            if each.container == container and each.outside is not None and each.outside in wanted
        }

    @property
    def has_login(self) -> bool:
        """Whether its site's visitors log in: without a site, or with a public one, there is no client either."""
        site = self.args.fleet.site_of(self.name)
        return site is not None and site.login is not None

    @property
    def client_id(self) -> pulumi.Output[str]:
        """What the service calls itself at Authentik."""
        return self.secret(CLIENT_ID)

    @property
    def client_secret(self) -> pulumi.Output[str]:
        """How it proves that."""
        return self.secret(CLIENT_SECRET)

    @property
    def oidc(self) -> OidcEndpoints:
        """Authentik's addresses for this service."""
        return self.args.fleet.oidc_endpoints(self.name)

    @property
    def url(self) -> str:
        """The site's public address, without a slash at the end; empty without a site."""
        site = self.args.settings.site
        return f"https://{site.hostname}" if site else ""

    def data(self, path: str) -> str:
        """Where a data folder lies on the host."""
        return f"{self.args.host.settings.data}/{path}"

    def physical(self, container: str) -> str:
        """What Docker calls one of the service's containers, for a step."""
        return self.args.host.physical_name(container)

    def _step(
        self,
        name: str,
        *,
        program: str,
        facts: Mapping[str, Any],
        secrets: Mapping[str, pulumi.Input[str]],
        after: Sequence[pulumi.Resource],
    ) -> Step:
        opts = pulumi.ResourceOptions(parent=self, depends_on=[*self.args.host.prepared, *after])
        given = {**facts, **self.args.host.settings.incarnation}
        return Step(f"{self.name}-{name}", program=program, facts=given, secrets=secrets, opts=opts)
