"""Promised: what the deployed stacks say of their sites, as seconds for one fault."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rehearsal import engine, stack_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rehearsal.drill.faults import Fault
    from rehearsal.drill.scene import Scene

UNTOUCHED = 2.0
"""Seconds that a site may miss to which the fault does nothing: probes, hosts and fault share one machine here."""


def promised(fault: Fault, scene: Scene) -> dict[str, float | None]:
    """Seconds that each site may be without an answer; None: as long as the fault lasts.

    The contract is read from the stacks' own output `sites`: it is the one that they were deployed with.
    """
    found: dict[str, float | None] = {}
    for stack in stack_files.names(scene.twin.project):
        told = engine.run(scene.twin, scene.tools, "stack", "output", "sites", "--json", "-s", stack)
        for hostname, site in json.loads(told).items():
            found[hostname] = _allowed(fault, site)
    return found


def _allowed(fault: Fault, site: Mapping[str, Any]) -> float | None:
    if fault.all_down:
        return None
    if fault.service and fault.service != site["service"]:
        return UNTOUCHED
    seconds: Mapping[str, int | None] = site["seconds"]
    known = [seconds[name] for name in fault.promises if name in seconds]
    if not known:
        return UNTOUCHED
    return None if None in known else max(float(max(each for each in known if each is not None)), UNTOUCHED)
