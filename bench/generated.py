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
    _write_components(folder, services)
    for path in ROOT.glob("Pulumi.*.yaml"):
        shutil.copy(path, folder)
    large = stack_files.names()[-1]
    file = folder / f"Pulumi.{large}.yaml"
    document = yaml.safe_load(file.read_text())
    document["config"][f"{stack_files.PREFIX}services"] |= {
        f"svc-{number}": _block(number, stack_files.domain()) for number in _numbers(services)
    }
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return large


def write_fleet(folder: Path, hosts: int, sites: int) -> None:
    """Writes a fleet unlike the real one: so many hosts that share so many sites among them, and its `components`."""
    _write_components(folder, sites)
    numbers = list(_numbers(sites))
    for index in range(hosts):
        own = {f"svc-{number}": _block(number, "example.com") for number in numbers[index::hosts]}
        config: dict[str, object] = {
            "host": {
                "docker": "unix:///var/run/docker.sock",
                "data": "/srv/data",
                "tailscale-address": f"100.64.{index // 250}.{index % 250 + 1}",
            },
            "services": {"cloudflared": {"image": "cloudflare/cloudflared:2026.8.2"}} | own,
        }
        if index == 0:
            config["edge"] = {"domain": "example.com"}
        document = {"config": {f"{stack_files.PREFIX}{key}": value for key, value in config.items()}}
        (folder / f"Pulumi.host{index:03}.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


def _write_components(folder: Path, services: int) -> None:
    components = folder / "components"
    shutil.copytree(ROOT / "components", components, ignore=shutil.ignore_patterns("__pycache__"))
    pattern = _PATTERN.read_text()
    for number in _numbers(services):
        (components / "services" / f"svc_{number}.py").write_text(pattern.replace("SmallService", f"Svc{number}"))


def _block(number: str, domain: str) -> dict[str, object]:
    return {"image": _IMAGE, "site": {"hostname": f"svc-{number}.{domain}", "public": True}}


def _numbers(services: int) -> Iterator[str]:
    return (f"{number:03}" for number in range(1, services + 1))
