"""`rehearsal up | status | down`: the laptop twin."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console as Terminal
from rich.table import Table

from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit
from rehearsal import helpers, processes, session, stack_files, twin
from rehearsal.daemon import HOST, Daemon
from rehearsal.sites import ask, local_address

if TYPE_CHECKING:
    import argparse

    from rehearsal.twin import Twin

_WIDTH = 120
"""Of a report that goes to a file or a pipe, where nobody says how wide it may be."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="up | status | down")
    up = actions.add_parser("up", help="bring both hosts up on this machine")
    up.add_argument("--port", type=int, default=8080, help="where the local edge answers (8080)")
    up.add_argument("--installation", default="rehearsal", help="the mark on containers and networks (rehearsal)")
    up.add_argument("--simulated", action="store_true", help="simulate containers although there is a Docker daemon")
    up.add_argument(
        "--data",
        choices=("played", "real"),
        default="played",
        help="real: real databases, replication and backups, with a small wiki that uses them (played)",
    )
    status = actions.add_parser("status", help="hosts, containers, sites")
    status.add_argument("--json", action="store_true", help="for scripts")
    actions.add_parser("down", help="take everything away that the rehearsal made")


def run(args: argparse.Namespace) -> int:
    """Does what was asked.

    Raises:
        CommandError: with what went wrong and the way out.
    """
    if args.action == "up":
        return _up(args)
    found = twin.load(twin.state_folder())
    if found is None:
        if args.action == "down":
            Console().line("nothing to take down: there is no rehearsal")
            return Exit.OK
        raise CommandError("there is no rehearsal", "make rehearsal", Exit.CONFIGURATION)
    if args.action == "down":
        for line in session.down(found):
            Console().line(line)
        return Exit.OK
    return _show(_status(found), as_json=args.json)


def _up(args: argparse.Namespace) -> int:
    console = Console()
    found = session.begin(
        console,
        state=twin.state_folder(),
        installation=args.installation,
        port=args.port,
        simulated=args.simulated,
        real_data=args.data == "real",
    )
    session.up(console, found)
    _show(_status(found), as_json=False)
    first = next(iter(stack_files.hostnames()), None)
    if first:
        console.result(
            f"\nOpen        {local_address(found, first)}\n"
            f"or, where .localhost names are not known:  curl -H 'Host: {first}' http://127.0.0.1:{found.port}/"
        )
    console.result("Try         source rehearsal/activate && pulumi preview -s monk\nTake down   make rehearsal-down")
    return Exit.OK


def _status(found: Twin) -> dict[str, Any]:
    """Everything there is to see, in plain values."""
    daemon = Daemon.find() if found.docker else None
    containers = daemon.containers(found.installation) if daemon else []
    hosts: dict[str, list[dict[str, str]]] = {name: [] for name in stack_files.names()}
    for container in containers:
        state = container.attrs["State"]
        hosts.setdefault(container.labels[HOST], []).append(
            {
                "name": str(container.name),
                "status": str(container.status),
                "health": str(state.get("Health", {}).get("Status", "")),
            }
        )
    sites = {}
    for hostname, on in stack_files.hostnames().items():
        answer = ask(found, hostname)
        sites[hostname] = {
            "address": local_address(found, hostname),
            "hosts": on,
            "status": answer.status,
            "by": answer.by,
            "fault": answer.fault,
        }
    return {
        "containers": "real" if found.docker else "simulated",
        "helpers": {name: processes.pid_of(found, name) for name in helpers.names(found)},
        "hosts": hosts,
        "sites": sites,
    }


def _show(status: dict[str, Any], *, as_json: bool) -> int:
    well = all(site["status"] == 200 for site in status["sites"].values()) and all(status["helpers"].values())  # noqa: PLR2004
    if as_json:
        Console().result(json.dumps(status, indent=2))
        return Exit.OK if well else Exit.RESOURCE
    table = Table(box=None, pad_edge=False)
    for heading in ("host", "container", "state"):
        table.add_column(heading)
    for host, containers in status["hosts"].items():
        for container in containers or [{"name": f"({status['containers']})", "status": "", "health": ""}]:
            table.add_row(host, container["name"], container["health"] or container["status"])
    for name, pid in status["helpers"].items():
        table.add_row("this machine", f"rehearsal {name}", f"running, pid {pid}" if pid else "not running")
    for hostname, site in status["sites"].items():
        state = f"{site['status']} by {site['by']}" if site["status"] else "no answer"
        table.add_row("+".join(site["hosts"]), hostname, state + (f", fault {site['fault']}" if site["fault"] else ""))
    Terminal(width=None if sys.stdout.isatty() else _WIDTH).print(table)
    return Exit.OK if well else Exit.RESOURCE
