"""Added: what replication and backups add to each host, in containers, in memory that they may take, and in time.

A part's cost is the difference between the fleet as its files say and the same fleet without that part, both deployed.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from bench import world
from bench.comparison import interleaved
from components.backup_plan import SERVER, SERVICE
from components.fleet_files import fleet_of_files
from components.model import StateClass
from components.settings import service_class
from rehearsal import stack_files
from rehearsal.twin import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.cost import Cost
    from components.fleet import Fleet
    from kitestacks.console import Console

    Blocks = dict[str, dict[str, Any]]
    """A host's service blocks, as they stand in its file."""

_WHOLE = "all"
_ONLY_OF_SEVERAL = ("data", "primary")
_ONLY_OF_SHARED = ("shared", "primary")


@dataclass(frozen=True, kw_only=True)
class Added:
    """What one part adds to one host.

    Attributes:
        part: The part.
        stack: The host's.
        added: Containers that are there for it.
        whole: All containers of the host.
        preview: A preview with it.
        without: A preview without it.
    """

    part: str
    stack: str
    added: world.Size
    whole: world.Size
    preview: Cost
    without: Cost


def without_replication(fleet: Fleet, host: str, blocks: Blocks) -> Blocks:
    """One copy alone of whatever one copy writes and others follow; the host that is first keeps it."""
    kept = {}
    for name, block in blocks.items():
        first = _first(fleet, name)
        if first is None:
            kept[name] = block
        elif first == host:
            alone = {key: value for key, value in block.items() if key not in _ONLY_OF_SEVERAL}
            if "site" in block:
                alone["site"] = {key: value for key, value in block["site"].items() if key not in _ONLY_OF_SHARED}
            kept[name] = alone
    return kept


def _first(fleet: Fleet, service: str) -> str | None:
    """The host whose copy comes first; None: it is not replicated."""
    kind = service_class(service)
    if kind.state is not StateClass.PRIMARY_STANDBY or len(fleet.hosts_of(service)) == 1:
        return None
    site = fleet.site_of(service)
    return kind.writer(fleet) or (fleet.ranked(site)[0] if site else None)


def without_backups(fleet: Fleet, host: str, blocks: Blocks) -> Blocks:  # noqa: ARG001 - as every part
    """No service that is there for backups alone."""
    return {name: block for name, block in blocks.items() if name not in (SERVICE, SERVER)}


PARTS: Mapping[str, Callable[[Fleet, str, Blocks], Blocks]] = {
    "replication": without_replication,
    "backups": without_backups,
}
"""What a host's blocks are without each part."""


def measure(console: Console, opened: world.World, runs: int) -> list[Added]:
    """Deploys the fleet once more without each part, and previews them all in turns beside the one that is there.

    Args:
        console: Where progress goes.
        opened: The real stacks, deployed.
        runs: How often each is previewed; the median counts.
    """
    fleet = fleet_of_files(ROOT)
    found = []
    with ExitStack() as worlds:
        fleets = {_WHOLE: opened}
        for part in PARTS:
            folder = Path(worlds.enter_context(tempfile.TemporaryDirectory(prefix="kitestacks-bench-")))
            write(folder, fleet, part)
            fleets[part] = worlds.enter_context(world.opened(console, files=folder))
            for stack in stack_files.names():
                with console.step(f"deploy {stack} without {part}"):
                    fleets[part].real(stack).deploy()
        for stack in stack_files.names():
            with console.step(f"measure {stack} without {' and without '.join(PARTS)}") as step:
                cases = {part: each.real(stack).preview for part, each in fleets.items()}
                costs = interleaved(cases, runs, step.note)
            whole = opened.size(stack)
            found += [
                Added(
                    part=part,
                    stack=stack,
                    added=whole - fleets[part].size(stack),
                    whole=whole,
                    preview=costs[_WHOLE],
                    without=costs[part],
                )
                for part in PARTS
            ]
    return found


def write(folder: Path, fleet: Fleet, part: str) -> None:
    """Writes the fleet's stack files without a part into a folder, and a link to its `components`."""
    (folder / "components").symlink_to(ROOT / "components")
    key = f"{stack_files.PREFIX}services"
    for host in fleet.stacks:
        file = f"Pulumi.{host}.yaml"
        document = yaml.safe_load((ROOT / file).read_text())
        document["config"][key] = PARTS[part](fleet, host, document["config"][key])
        (folder / file).write_text(yaml.safe_dump(document, sort_keys=False))
