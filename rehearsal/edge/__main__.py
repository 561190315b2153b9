"""The command line of the local edge: `python -m rehearsal.edge serve --state DIR`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from ipaddress import ip_address
from pathlib import Path

from rehearsal.edge.server import EdgeError, serve


def private_address(text: str) -> tuple[str, int]:
    """An address that nobody outside this machine reaches.

    Raises:
        argparse.ArgumentTypeError: it is another, or none.
    """
    host, _, port = text.rpartition(":")
    try:
        address, number = ip_address(host), int(port)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be an IP address and a port, as 127.0.0.1:8080; got {text!r}") from None
    if address.is_unspecified or not address.is_private:
        raise argparse.ArgumentTypeError(f"must be a loopback address or a Docker bridge's gateway; got {text!r}")
    return host, number


def main() -> int:
    """Runs the command; the exit status."""
    parser = argparse.ArgumentParser(
        prog="rehearsal.edge", description="Does for a rehearsal what Cloudflare's network does."
    )
    command = parser.add_subparsers(required=True).add_parser("serve", help="run until SIGTERM")
    command.add_argument("--state", type=Path, required=True, metavar="DIR", help="folder with cloud.json")
    command.add_argument(
        "--listen",
        type=private_address,
        action="append",
        metavar="IP:PORT",
        help="for visitors, first a loopback address; repeatable (127.0.0.1:8080)",
    )
    command.add_argument(
        "--connect", type=private_address, default="172.17.0.1:7844", metavar="IP:PORT", help="for connectors"
    )
    command.add_argument(
        "--nearest", metavar="TEXT", help="ask connectors with this in their name first; else they take turns"
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(serve(options.state, options.listen or [("127.0.0.1", 8080)], options.connect, options.nearest))
    except EdgeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
