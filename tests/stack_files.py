"""Copies of the real stack files that a test edits before it runs the program on them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from components.fleet_files import fleet_of_files

if TYPE_CHECKING:
    from components.fleet import Fleet

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "kitestacks:"


@dataclass(frozen=True)
class StackFiles:
    """A folder with stack files."""

    folder: Path

    @classmethod
    def copied_to(cls, folder: Path) -> StackFiles:
        """The project's real stack files, copied."""
        for path in ROOT.glob("Pulumi*.yaml"):
            (folder / path.name).write_text(path.read_text())
        return cls(folder)

    def edit(self, stack: str, path: str, value: Any) -> StackFiles:  # noqa: ANN401 - any YAML value
        """Sets what stands at a dotted path below `config`; None takes it out."""
        file = self.folder / f"Pulumi.{stack}.yaml"
        document = yaml.safe_load(file.read_text()) if file.exists() else {"config": {}}
        first, *rest = path.split(".")
        keys = [PREFIX + first, *rest]
        block = document["config"]
        for key in keys[:-1]:
            block = block.setdefault(key, {})
        if value is None:
            block.pop(keys[-1], None)
        else:
            block[keys[-1]] = json.loads(json.dumps(value))
        file.write_text(yaml.safe_dump(document, sort_keys=False))
        return self

    def fleet(self, here: str) -> Fleet:
        """What the files declare, seen from one host, without the engine."""
        return fleet_of_files(self.folder, here)

    def keep(self, *services: str) -> StackFiles:
        """Takes every other service out of all files, so that a test speaks of these alone."""
        for file in self.folder.glob("Pulumi.*.yaml"):
            document = yaml.safe_load(file.read_text())
            blocks = document["config"][f"{PREFIX}services"]
            document["config"][f"{PREFIX}services"] = {name: blocks[name] for name in blocks if name in services}
            file.write_text(yaml.safe_dump(document, sort_keys=False))
        return self

    def add_host(self, stack: str, like: str = "monk", address: str = "100.64.0.9") -> StackFiles:
        """Another host's file, with the host and the connector of an existing one, and no site."""
        config = yaml.safe_load((self.folder / f"Pulumi.{like}.yaml").read_text())["config"]
        services = {"cloudflared": config[f"{PREFIX}services"]["cloudflared"]}
        document = {"config": {f"{PREFIX}host": config[f"{PREFIX}host"], f"{PREFIX}services": services}}
        (self.folder / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump(document))
        return self.edit(stack, "host.tailscale-address", address)
