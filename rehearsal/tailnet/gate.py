"""Gate: whom the simulated tailnet's policy lets through, asked anew whenever the policy or the hosts change."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from components.tailnet.evaluate import Evaluator
from components.tailnet.parties import Device, Tailnet
from components.tailnet.policy import policy_of
from rehearsal.cloud import hujson
from rehearsal.cloud.store import DEVICES

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Gate:
    """The policy and the hosts of one rehearsal, as their files say at the moment.

    Attributes:
        state: The rehearsal's folder.
    """

    state: Path

    def hosts(self) -> dict[str, dict[str, str]]:
        """Each host's `address`, where it listens, and `reached-at`, where others reach it."""
        found: dict[str, dict[str, str]] = _read(self.state / DEVICES)
        return found

    def lets(self, source: str, destination: str, port: int) -> bool:
        """Whether a host may open a TCP port of another.

        A tailnet without a policy lets everything through, and a host reaches itself without the tailnet.
        """
        names = tuple(self.hosts())
        if source not in names or destination not in names:
            return False
        policy = _read(self.state / "cloud.json").get("tailscale", {}).get("policy")
        return policy is None or source == destination or _verdict(policy, names, source, destination, port)


def _read(file: Path) -> dict[str, dict[str, str]]:
    """A file that another process replaces whole; one that is not there yet says nothing."""
    try:
        content: dict[str, dict[str, str]] = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content


@lru_cache(maxsize=4096)
def _verdict(policy: str, names: tuple[str, ...], source: str, destination: str, port: int) -> bool:
    tailnet = Tailnet(devices=tuple(Device(name=name, tags=(f"tag:{name}",)) for name in names))
    parties = {device.name: tailnet.party(device) for device in tailnet.devices}
    evaluator = Evaluator(policy_of(hujson.loads(policy)), tailnet)
    return evaluator.reach(parties[source], parties[destination], port).allowed
