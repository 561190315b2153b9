"""KiteStacks as code: settings, secrets, tailnet, edge, host, services, exports. One stack is one host."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pulumi

from components import contract, deployed, guards, sites
from components.edge import Edge, foundation_of
from components.fleet import Fleet
from components.graph import Graph
from components.host import Host
from components.host_setup.fleet import host_setup_of
from components.secrets import Vault
from components.service import ServiceArgs
from components.settings import read_stack_files, service_class
from components.tailnet.tailnet import tailnet_of


async def main() -> dict[str, Any]:
    """What the running stack is made of; returns its outputs."""
    fleet = Fleet(here=pulumi.get_stack(), stacks=read_stack_files())
    contract.check(fleet)
    await guards.check(fleet)
    reports = [report for report in sites.site_reports(fleet) if fleet.here in report.hosts]
    sites.show(reports)

    graph = Graph()
    graph.watch()
    foundation = await foundation_of(fleet)
    tailnet = await tailnet_of(fleet)
    vault = Vault("vault", fleet=fleet, made_elsewhere=foundation.secrets if foundation else None)
    edge = Edge("edge", fleet=fleet, foundation=foundation)
    join_keys = foundation.join_keys if foundation else tailnet.host_keys if tailnet else {}
    host = Host(fleet.here, fleet.own, setup=host_setup_of(fleet, vault, join_keys))
    services = {
        name: service_class(name)(name, ServiceArgs(settings=settings, host=host, fleet=fleet, edge=edge, vault=vault))
        for name, settings in fleet.own.service_settings.items()
    }
    edge.open(services)
    graph.check(fleet)

    outputs = {} if foundation else replace(edge.foundation, secrets=vault.shared, join_keys=join_keys).outputs()
    outputs |= tailnet.outputs() if tailnet else {}
    return outputs | {
        "sites": {report.hostname: report.output() for report in reports},
        deployed.OUTPUT: deployed.output(fleet),
        guards.OUTPUT: guards.Kept.of(fleet).output(),
        "passwords": pulumi.Output.secret(vault.passwords()),
    }


if __name__ == "__main__":
    pulumi.run(main)
