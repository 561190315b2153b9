"""Graph: the site contract over what is really registered: whatever forgets a part is found out.

`contract.py` asks the stack files; this asks the resources that the program made of them. A gap here is a fault of the
program, not of its owner, and stops the plan all the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

from components.edge import SHARED, SITE_PROXY
from components.edge.copies import copy_hostname
from components.errors import Problem, ProgramError
from components.login import LOGIN_SERVICE
from components.settings import service_class

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from components.fleet import Fleet, Site


@dataclass(frozen=True, kw_only=True)
class Registered:
    """One resource as it was registered.

    Attributes:
        kind: The last part of its type, `Container` for example.
        name: Its name in the program.
        inputs: What it was given, by the names of the provider or of its Python class.
    """

    kind: str
    name: str
    inputs: Mapping[str, Any]

    def get(self, name: str) -> Any:  # noqa: ANN401 - any input
        """One input, whichever way its name is written."""
        head, *rest = name.split("_")
        return self.inputs.get(name, self.inputs.get(head + "".join(part.capitalize() for part in rest)))


class Graph:
    """Keeps every resource that is registered after `watch`."""

    def __init__(self) -> None:
        self.resources: list[Registered] = []

    def watch(self) -> None:
        """Begins to keep them."""
        pulumi.runtime.register_stack_transformation(self._note)

    def check(self, fleet: Fleet) -> None:
        """Raises ProgramError with every gap."""
        problems = list(gaps(fleet, self.resources))
        if problems:
            raise ProgramError(f"what stack {fleet.here} registers", problems)

    def _note(self, args: pulumi.ResourceTransformationArgs) -> None:
        kind = args.type_.rpartition(":")[2]
        self.resources.append(Registered(kind=kind, name=args.name, inputs=dict(args.props)))


def gaps(fleet: Fleet, resources: Sequence[Registered]) -> Iterator[Problem]:
    """What the running stack owes to each site and has not registered."""
    found = _Found(resources)
    for site in fleet.sites:
        routed_here = site in fleet.own_sites or (site.shared and fleet.here == fleet.foundation)
        if routed_here:
            yield from _way(fleet, site, found)
        if fleet.here in site.hosts:
            yield from _copy(fleet, site, found)
    yield from _told(fleet, found)


def _way(fleet: Fleet, site: Site, found: _Found) -> Iterator[Problem]:
    tunnel = SHARED if site.shared else fleet.here
    if site.hostname not in found.records:
        yield _gap(site, "a DNS record", f"none is registered for {site.hostname}")
    if site.hostname not in found.rules.get(tunnel, ()):
        yield _gap(site, f"an ingress rule on tunnel {tunnel}", f"none is registered for {site.hostname}")
    edge = fleet.own.edge
    if site.shared and edge and edge.failover == "load-balancer" and site.hostname not in found.balancers:
        yield _gap(site, "a load balancer", f"none is registered for {site.hostname}")


def _copy(fleet: Fleet, site: Site, found: _Found) -> Iterator[Problem]:
    front = service_class(site.service).front or site.service
    container = found.containers.get(front)
    if container is None:
        yield _gap(site, f"the container {front} on {fleet.here}", "none is registered")
    elif not container.get("healthcheck"):
        yield _gap(site, f"a health check of {front}", "the container has none, so nobody knows when it is well")
    if not site.shared:
        return
    own = copy_hostname(site.hostname, fleet.here, fleet.domain)
    if own not in found.records:
        yield _gap(site, f"a DNS record of its copy on {fleet.here}", f"none is registered for {own}")
    for hostname in (own, site.hostname):
        if hostname not in found.rules.get(fleet.here, ()):
            yield _gap(site, f"an ingress rule on tunnel {fleet.here}", f"none is registered for {hostname}")
    if SITE_PROXY not in found.containers:
        yield _gap(site, f"the container {SITE_PROXY} on {fleet.here}", "none is registered")


def _told(fleet: Fleet, found: _Found) -> Iterator[Problem]:
    """What other services must know of every site: the login, the monitors, the portal's page."""
    for site in fleet.sites:
        if fleet.has(LOGIN_SERVICE) and site.login and f"slug: {site.service}\n" not in found.blueprint:
            yield _gap(site, "a login", f"the blueprint on {fleet.here} has no application {site.service}")
        if fleet.has("uptime-kuma") and site.hostname not in found.monitored:
            yield _gap(site, "a monitor", f"Uptime Kuma is told nothing of {site.hostname}")
        if fleet.has("portal") and f"https://{site.hostname}" not in found.page:
            yield _gap(site, "a tile", f"the portal on {fleet.here} does not show {site.hostname}")


def _gap(site: Site, part: str, what: str) -> Problem:
    way_out = "a fault of the program: the service or component that makes it has to"
    return Problem(path=f"services.{site.service}.site", rule=f"must have {part}: {what}", way_out=way_out)


class _Found:
    """The registered resources, by what they are asked for."""

    def __init__(self, resources: Sequence[Registered]) -> None:
        def of(kind: str) -> list[Registered]:
            return [each for each in resources if each.kind == kind]

        self.containers = {each.name.removesuffix("-container"): each for each in of("Container")}
        self.records = {each.get("name") for each in of("DnsRecord")}
        self.balancers = {each.get("name") for each in of("LoadBalancer")}
        self.rules = {
            each.name.removesuffix("-ingress"): [rule.get("hostname") for rule in each.get("config")["ingresses"]]
            for each in of("ZeroTrustTunnelCloudflaredConfig")
        }
        steps = [each.get("environment") or {} for each in of("Command")]
        facts = [json.loads(step["KITESTACKS_STEP"]) for step in steps if "KITESTACKS_STEP" in step]
        self.monitored = {monitor["name"] for each in facts for monitor in each.get("monitors", ())}

        self.blueprint = self._files("authentik-worker", "/blueprints/")
        self.page = self._files("portal", "/srv/")

    def _files(self, container: str, below: str) -> str:
        known = self.containers.get(container)
        uploads = (known.get("uploads") or []) if known else []
        texts = ((_part(upload, "file"), _part(upload, "content")) for upload in uploads)
        return "\n".join(text for path, text in texts if str(path).startswith(below) and isinstance(text, str))


def _part(upload: Any, name: str) -> Any:  # noqa: ANN401 - an object of the provider's class, or the mapping it becomes
    return upload[name] if isinstance(upload, dict) else pulumi.get(upload, name)
