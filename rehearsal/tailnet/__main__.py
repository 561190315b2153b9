"""The command line of the rehearsed private network: `python -m rehearsal.tailnet serve --state DIR`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from functools import partial
from pathlib import Path

from rehearsal.cloud.store import write_private
from rehearsal.daemon import DaemonError, container_networks
from rehearsal.tailnet.gate import Gate
from rehearsal.tailnet.relay import Relay


async def serve(state: Path, installation: str) -> None:
    """Runs the relay until SIGTERM or SIGINT; `tailnet.json` says that it is ready."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    relay = Relay(Gate(state), partial(container_networks, installation))
    await relay.look()
    ready = state / "tailnet.json"
    write_private(ready, {"pid": os.getpid()})
    try:
        await relay.run(stop)
    finally:
        ready.unlink(missing_ok=True)


def main() -> int:
    """Runs the command; the exit status."""
    parser = argparse.ArgumentParser(
        prog="rehearsal.tailnet", description="Does for a rehearsal what Tailscale does between the hosts."
    )
    command = parser.add_subparsers(required=True).add_parser("serve", help="run until SIGTERM")
    command.add_argument("--state", type=Path, required=True, metavar="DIR", help="folder with cloud.json")
    command.add_argument("--installation", required=True, metavar="NAME", help="the mark on the containers' networks")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(serve(options.state, options.installation))
    except DaemonError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
