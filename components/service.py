"""Service: the base of every component in `services/`, and what it is given to build with."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pulumi

from components.model import ServiceSettings, StateClass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.edge import Edge
    from components.fleet import Fleet
    from components.host import Host


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
    """

    settings: Any
    host: Host
    fleet: Fleet
    edge: Edge


class Service(pulumi.ComponentResource):
    """One program of the platform on one host, with everything that belongs to it.

    A subclass states its decisions as class attributes, makes its containers in `create`, and is named `SERVICE` at the
    end of its file; the file's name is the service's name in a stack file.

    Creates: whatever `create` registers, all of it below this component.
    Leaves out: the site's route from outside, which `components/edge` derives from the stack file.
    """

    Settings: ClassVar[type[ServiceSettings]] = ServiceSettings
    """The model of the service's block in a stack file."""
    state: ClassVar[StateClass]
    """How many copies may answer."""
    port: ClassVar[int | None] = None
    """Port on which the container named like the service answers a site's visitors; None: it can have no site."""
    tile: ClassVar[Tile | None] = None
    """The portal's tile; every service with a port has one."""

    def __init__(self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"kitestacks:index:{type(self).__name__}", name, None, opts)
        self.register_outputs(dict(self.create(name, args)))

    @abstractmethod
    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[Any]]:
        """Registers what the service is made of, with `parent=self`, and returns the component's few outputs."""
