"""The simulated cloud's command line: ``python -m rehearsal.cloud serve --state DIR``."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from importlib.metadata import PackageNotFoundError
from pathlib import Path

from .cloudflare import CLOUDFLARE
from .cloudflare.load_balancer import LEAST_INTERVAL
from .command import COMMAND
from .docker import DOCKER
from .random import RANDOM
from .server import serve
from .store import StateError, Store, claim, write_private
from .tailscale import TAILSCALE

PROVIDERS = (CLOUDFLARE, TAILSCALE, COMMAND, RANDOM)
"""What is always simulated; Docker comes with them where there is no daemon."""

_STOP_SECONDS = 2.0


def _zone(text: str) -> tuple[str, str]:
    zone_id, found, domain = text.partition("=")
    if not (zone_id and found and domain):
        message = f"must be ZONE_ID=domain, got {text!r} (for example 0123abcd=kitestacks.com)"
        raise argparse.ArgumentTypeError(message)
    return zone_id, domain


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m rehearsal.cloud", description="Simulated Pulumi providers.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("serve", help="serve the simulated cloud until SIGTERM")
    command.add_argument("--state", type=Path, required=True, metavar="DIR", help="folder for cloud.json and the ports")
    command.add_argument(
        "--simulate-docker", action="store_true", help="simulate Docker too: for a machine without a daemon"
    )
    command.add_argument("--real-data", action="store_true", help="run the steps of databases: theirs are real ones")
    command.add_argument("--account-id", metavar="ID", help="Cloudflare account that exists")
    command.add_argument(
        "--zone", type=_zone, action="append", default=[], metavar="ZONE_ID=DOMAIN", help="zone that exists; repeatable"
    )
    command.add_argument("--connect", metavar="HOST:PORT", help="where connectors dial; goes into tunnel tokens")
    command.add_argument("--plan", choices=LEAST_INTERVAL, help="the zone's plan, which limits load balancing")
    return parser.parse_args()


def _serve(arguments: argparse.Namespace) -> None:
    """Serve until a signal: claim the folder, start every provider, then say where they listen."""
    claimed = claim(arguments.state)
    store = Store(arguments.state, real_data=arguments.real_data)
    store.seed(arguments.account_id, dict(arguments.zone), arguments.connect, arguments.plan)
    providers = (*PROVIDERS, DOCKER) if arguments.simulate_docker else PROVIDERS
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    running = [(provider.name, *serve(provider, store)) for provider in providers]
    ports = arguments.state / "cloud.ports.json"
    write_private(ports, {name: port for name, _, port in running})
    stop.wait()
    ports.unlink(missing_ok=True)
    for stopped in [server.stop(_STOP_SECONDS) for _, server, _ in running]:
        stopped.wait()
    claimed.close()


def main() -> int:
    """Run the command line; a message and 1 when the cloud cannot be served."""
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    try:
        _serve(arguments)
    except PackageNotFoundError as error:
        sys.stderr.write(f"the Python package {error.name} is missing: pip install -r requirements.txt\n")
        return 1
    except StateError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
