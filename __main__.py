"""KiteStacks as code: settings, host, edge, services, exports. One stack is one host."""

from __future__ import annotations

from typing import Any

import pulumi

from components import contract
from components.edge import edge_of
from components.fleet import Fleet
from components.host import Host
from components.service import ServiceArgs
from components.settings import read_stack_files, service_class
from components.tailnet.tailnet import tailnet_of


async def main() -> dict[str, Any]:
    """What the running stack is made of; returns its outputs."""
    fleet = Fleet(here=pulumi.get_stack(), stacks=read_stack_files())
    contract.check(fleet)

    tailnet = await tailnet_of(fleet)
    edge = await edge_of(fleet)
    host = Host(fleet.here, fleet.own)
    for name, settings in fleet.own.service_settings.items():
        service_class(name)(name, ServiceArgs(settings=settings, host=host, fleet=fleet, edge=edge))

    outputs = edge.foundation.outputs() if fleet.here == fleet.foundation else {}
    outputs |= tailnet.outputs() if tailnet else {}
    return outputs | {"sites": {site.hostname: list(site.hosts) for site in fleet.sites if fleet.here in site.hosts}}


if __name__ == "__main__":
    pulumi.run(main)
