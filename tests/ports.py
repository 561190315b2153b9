"""Ports for the servers of tests, which begin to listen some time after a port was found."""

from __future__ import annotations

import os
import random
from itertools import cycle

from rehearsal import ports

_PROCESSES = 8
"""Processes of tests that may run side by side without sharing a port."""
_PROCESS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PROCESSES
_OURS = ports.OURS[_PROCESS::_PROCESSES]
_IN_TURN = cycle(random.sample(_OURS, len(_OURS)))


def free_port() -> int:
    """A free loopback port, given to nobody else of this run until all others were given, too."""
    return ports.free_port("127.0.0.1", _IN_TURN)
