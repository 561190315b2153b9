"""Fleets: how long the contract takes to read and check large fleets, which every plan of every host pays for."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench import generated
from rehearsal.twin import ROOT

SIZES = ((10, 60), (50, 300))
"""Hosts, and the sites that they share among them."""
_PROGRAM = """
import json, sys, time
from pathlib import Path
from components import contract
from components.fleet_files import fleet_of_files
from components.sites import site_reports
began = time.perf_counter()
fleet = fleet_of_files(Path(sys.argv[1]))
read = time.perf_counter()
contract.check_files(fleet)
assert len(site_reports(fleet)) == int(sys.argv[2])
print(json.dumps([read - began, time.perf_counter() - read]))
"""


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """One generated fleet; median seconds.

    Attributes:
        hosts: Its hosts.
        sites: Their sites together.
        read: Reading all stack files.
        checked: The contract and the report of every site.
    """

    hosts: int
    sites: int
    read: float
    checked: float


def measure(hosts: int, sites: int, runs: int) -> Fleet:
    """Writes the fleet and checks it in fresh interpreters."""
    with tempfile.TemporaryDirectory(prefix="kitestacks-bench-") as name:
        folder = Path(name)
        generated.write_fleet(folder, hosts, sites)
        command = [sys.executable, "-c", _PROGRAM, name, str(sites)]
        environment = {"PYTHONPATH": f"{folder}:{ROOT}"}
        turns = [
            json.loads(subprocess.run(command, cwd=name, env=environment, capture_output=True, check=True).stdout)
            for _ in range(runs)
        ]
    read, checked = (statistics.median(each) for each in zip(*turns, strict=True))
    return Fleet(hosts=hosts, sites=sites, read=read, checked=checked)
