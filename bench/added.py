"""Added: what backups add to each host, in containers, in memory that they may take, and in time of a preview."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from bench import world
from bench.cost import Cost, median
from components.backup_plan import SERVER, SERVICE
from components.fleet_files import fleet_of_files
from components.types import mebibytes
from rehearsal import stack_files
from rehearsal.twin import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.comparison import Comparison
    from kitestacks.console import Console

BACKUPS = (SERVICE, SERVER)
"""The services that are there for backups alone; each is one container."""


@dataclass(frozen=True, kw_only=True)
class Added:
    """What backups add to one host.

    Attributes:
        stack: The host's.
        containers: How many.
        mebibytes: The sum of their limits.
        preview: A preview with them.
        without: A preview without them.
    """

    stack: str
    containers: int
    mebibytes: int
    preview: Cost
    without: Cost


def measure(console: Console, real: Sequence[Comparison], runs: int) -> list[Added]:
    """Deploys the real stacks once more without backups, and sets each preview beside the one that was measured."""
    fleet = fleet_of_files(ROOT)
    found = []
    with tempfile.TemporaryDirectory(prefix="kitestacks-bench-") as folder:
        _write_without(Path(folder))
        with world.opened(console, files=Path(folder)) as opened:
            for stack in stack_files.names():
                program = opened.real(stack)
                with console.step(f"measure {stack} without backups"):
                    program.deploy()
                    without = median([program.preview() for _ in range(runs)])
                blocks = fleet.stacks[stack].service_settings
                limits = [mebibytes(blocks[name].memory) for name in BACKUPS if name in blocks]
                preview = next(each for each in real if each.stack == stack).commands["preview"].ours
                found.append(
                    Added(
                        stack=stack,
                        containers=len(limits),
                        mebibytes=sum(limits),
                        preview=preview,
                        without=without,
                    )
                )
    return found


def _write_without(folder: Path) -> None:
    (folder / "components").symlink_to(ROOT / "components")
    for file in ROOT.glob("Pulumi.*.yaml"):
        document = yaml.safe_load(file.read_text())
        services = document["config"][f"{stack_files.PREFIX}services"]
        document["config"][f"{stack_files.PREFIX}services"] = {
            name: block for name, block in services.items() if name not in BACKUPS
        }
        (folder / file.name).write_text(yaml.safe_dump(document, sort_keys=False))
