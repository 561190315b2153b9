"""`database`: looks at the copies of Authentik's database, makes a former primary ready to follow, and switches.

What is promoted without the other host is a setting (`authentik.database: local`) and `pulumi up`; these are the ways
back, for which both hosts have to be there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from components.errors import ProgramError
from components.fleet_files import fleet_of_files
from components.machine import Machine, StepError
from components.services.authentik_db.standby import SCRIPT, CopyState, describe
from components.services.authentik_db.writer import DATABASE_SERVICE, LOCAL, USER_SERVICE, primary, switched_to, writer
from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    import argparse

    from components.fleet import Fleet

_STOP_SECONDS = 120


def configure(parser: argparse.ArgumentParser) -> None:
    """What to do, and on which host."""
    parser.add_argument(
        "verb",
        choices=("status", "rejoin", "switch"),
        help="status: how each copy stands; rejoin: set a former primary's data aside, so that it copies the one that "
        "writes; switch: let the host's copy write instead of the one that does, without losing a row",
    )
    parser.add_argument("-s", "--stack", help="the host that is to follow (rejoin) or to write (switch)")


def run(args: argparse.Namespace) -> int:
    """Does it, and says what to type next.

    Raises:
        CommandError: what is asked for would lose or split the data, or a host does not answer.
    """
    try:
        fleet = fleet_of_files(Path.cwd(), args.stack)
    except ProgramError as error:
        raise CommandError(str(error), "", Exit.CONFIGURATION) from None
    hosts = fleet.hosts_of(DATABASE_SERVICE)
    if not hosts:
        raise CommandError(f"no stack file here has {DATABASE_SERVICE}", "cd to the project", Exit.CONFIGURATION)
    if args.verb != "status" and args.stack not in hosts:
        raise CommandError(f"-s must name a host that has it: {', '.join(hosts)}", "", Exit.CONFIGURATION)
    copies = {host: Place(fleet=fleet, host=host) for host in hosts}
    try:
        lines = {"status": _status, "rejoin": _rejoin, "switch": _switch}[args.verb](fleet, copies)
    except StepError as error:
        raise CommandError(str(error), "python3 -m kitestacks database status", Exit.RESOURCE) from None
    console = Console()
    for line in lines:
        console.result(line)
    return Exit.OK


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a host's copy stands.

    Attributes:
        fleet: All stack files.
        host: Its host.
    """

    fleet: Fleet
    host: str

    @property
    def machine(self) -> Machine:
        """The host, as steps reach it."""
        return Machine(self.fleet.stacks[self.host].host.docker)

    @property
    def container(self) -> str:
        """What Docker calls it, found by its labels.

        Raises:
            StepError: there is none, or the daemon does not answer.
        """
        installation = self.fleet.stacks[self.host].installation
        marks = {"installation": installation, "host": self.host, "service": DATABASE_SERVICE}
        filters = [part for key, value in marks.items() for part in ("--filter", f"label=kitestacks.{key}={value}")]
        done = self.machine.docker("ps", "--all", "--format", "{{.Names}}", *filters)
        if done.code or not done.out.strip():
            raise StepError(f"{self.host} has no container {DATABASE_SERVICE}: {done.err.strip() or 'none is there'}")
        return done.out.split()[0]

    def state(self) -> CopyState:
        """How it stands.

        Raises:
            StepError: it does not say.
        """
        return CopyState.read(self.machine, self.container)

    def tell(self, *arguments: str) -> None:
        """A command of the `docker` program about its container, named last.

        Raises:
            StepError: it fails.
        """
        done = self.machine.docker(*arguments, self.container)
        if done.code:
            raise StepError(f"docker {' '.join(arguments)} on {self.host}: {done.err.strip()}")


def _status(fleet: Fleet, copies: dict[str, Place]) -> list[str]:
    lines = []
    for host, place in copies.items():
        try:
            state = place.state()
        except StepError as error:
            lines.append(f"{DATABASE_SERVICE} on {host} does not say how it stands: {error}")
            continue
        leads = next((name for name, peer in state.peers.items() if peer.role == "primary"), writer(fleet) or "")
        lines.append(describe(host, state, leads))
    return lines


def _rejoin(fleet: Fleet, copies: dict[str, Place]) -> list[str]:
    """Stops the copy and renames its data; nothing is deleted, and the next start copies the one that writes."""
    host, leads = fleet.here, writer(fleet) or ""
    if host == leads:
        way_out = f"for example `database: {LOCAL}` of {USER_SERVICE} in the file of the host that is to write"
        raise CommandError(f"the stack files let {host} write: its data is not to be set aside", way_out)
    if copies[leads].state().role != "primary":
        raise CommandError(f"{leads} does not write, so there is nothing that {host} could copy", "", Exit.RESOURCE)
    place = copies[host]
    place.tell("stop", "-t", str(_STOP_SECONDS))
    root = quote(f"{fleet.stacks[host].host.data}/{DATABASE_SERVICE}")
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    script = f'set -eu\nfor data in {root}/*/docker; do [ -d "$data" ] && mv "$data" "$data.before-{now}"; done\n'
    done = place.machine.shell(script)
    if done.code:
        raise CommandError(f"no data of {host} was set aside: {done.err.strip() or 'there is none'}", "", Exit.RESOURCE)
    return [
        f"the data of {host} lies aside now, in docker.before-{now}; delete it when you are sure",
        f"now: pulumi up -s {host}",
    ]


def _switch(fleet: Fleet, copies: dict[str, Place]) -> list[str]:
    """Stops the copy that writes, makes sure that all of it came across, and lets the other one write."""
    host = fleet.here
    if writer(fleet) != host:
        here, usual = switched_to(fleet), primary(fleet)
        way_out = f"write `database: {LOCAL}` into {USER_SERVICE} in Pulumi.{host}.yaml"
        if here and host == usual:
            way_out = f"take `database: {LOCAL}` of {USER_SERVICE} out of Pulumi.{here[0]}.yaml"
        raise CommandError(f"the stack files don't let {host} write yet", way_out, Exit.CONFIGURATION)
    state = copies[host].state()
    if state.role == "primary":
        return [f"{host} writes already"]
    old = next((name for name, peer in state.peers.items() if peer.role == "primary"), None)
    if old is None or not state.streaming:
        raise CommandError(
            f"{host} does not follow a copy that writes", "python3 -m kitestacks database status", Exit.RESOURCE
        )
    copies[old].tell("stop", "-t", str(_STOP_SECONDS))
    done = copies[host].machine.execute(copies[host].container, ("sh", SCRIPT, "promote", str(state.peers[old].place)))
    if done.code:
        copies[old].tell("start")
        raise CommandError(f"{host} was not promoted, {old} writes again: {done.err.strip()}", "", Exit.RESOURCE)
    return [f"{host} writes now, and has all that {old} wrote", f"now: pulumi up -s {host}, then pulumi up -s {old}"]
