"""A generated fleet: the real one, with so many small services more on its last host, each with a site of its own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from rehearsal import stack_files
from rehearsal.twin import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATTERN = Path(__file__).with_name("small_service.py")
_IMAGE = "caddy:2.11.4-alpine"


def write(folder: Path, services: int) -> str:
    """Writes the fleet's stack files and its `components` into a folder; returns the stack that is large."""
    components = folder / "components"
    shutil.copytree(ROOT / "components", components, ignore=shutil.ignore_patterns("__pycache__"))
    pattern = _PATTERN.read_text()
    for number in _numbers(services):
        (components / "services" / f"svc_{number}.py").write_text(pattern.replace("SmallService", f"Svc{number}"))
    for path in ROOT.glob("Pulumi.*.yaml"):
        shutil.copy(path, folder)
    large = stack_files.names()[-1]
    file = folder / f"Pulumi.{large}.yaml"
    document = yaml.safe_load(file.read_text())
    document["config"][f"{stack_files.PREFIX}services"] |= {
        f"svc-{number}": {"image": _IMAGE, "site": {"hostname": f"svc-{number}.{stack_files.domain()}", "public": True}}
        for number in _numbers(services)
    }
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return large


def _numbers(services: int) -> Iterator[str]:
    return (f"{number:03}" for number in range(1, services + 1))
