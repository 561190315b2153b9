"""`adopt`: takes over an installation made by hand, on the same folders; shows the plan and changes nothing unasked."""
# The Docker SDK brings no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import contextlib
import json
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docker.client import DockerClient
from docker.errors import DockerException

from components.errors import ProgramError
from components.fleet_files import fleet_of_files
from components.machine import Machine
from kitestacks.adopting.copies import Copies
from kitestacks.adopting.declared import Declared
from kitestacks.adopting.found import ASIDE, OWN_LABEL, look
from kitestacks.adopting.moves import Moves, is_well
from kitestacks.adopting.plan import Plan, When
from kitestacks.adopting.rules import plan_of
from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit
from kitestacks.paths import ROOT

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from components.fleet import Fleet

_UNIX = "unix://"
_COPY_SECONDS = 6 * 3600
_AGAIN = "mend that, then the same command again: it goes on where it was"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("-s", "--stack", required=True, help="the host on which the installation runs")
    parser.add_argument("--folder", default=str(ROOT), help="where the stack files lie, if not here")
    parser.add_argument("--do", action="store_true", help="stop the old containers, copy their data, set them aside")
    parser.add_argument("--no-copy", action="store_true", help="with --do: the data was saved in another way")
    parser.add_argument("--back", action="store_true", help="stop the new containers, start the old ones again")
    parser.add_argument("--json", action="store_true", help="for scripts; without --do and --back")


def run(args: argparse.Namespace) -> int:
    """Shows the plan; with --do sets the old containers aside, with --back brings them back.

    Raises:
        CommandError: the stack files or the daemon do not answer, or something has to be settled first.
    """
    if args.do + args.back + args.json > 1:
        raise CommandError("--do, --back and --json exclude each other", "say one of them", Exit.CONFIGURATION)
    folder, console = Path(args.folder), Console()
    declared = Declared.of(_fleet(folder, args.stack), folder)
    with _daemon(declared.fleet.own.host.docker) as client:
        adoption = Adoption.of(client, declared, console)
        if args.back:
            adoption.back()
            return Exit.OK
        plan = adoption.plan()
        if args.json:
            console.result(json.dumps(as_json(declared, plan), indent=2))
        elif args.do:
            adoption.do(plan, copy=not args.no_copy)
        else:
            console.result("\n".join(as_text(declared, plan)))
    return Exit.OK


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """A host that is taken over.

    Attributes:
        declared: What the program would make there.
        client: Its Docker daemon.
        moves: What can be done.
    """

    declared: Declared
    client: Any
    moves: Moves

    @classmethod
    def of(cls, client: Any, declared: Declared, console: Console) -> Adoption:  # noqa: ANN401 - the SDK has no types
        """By the host's own settings."""
        host = declared.fleet.own.host
        copies = Copies(machine=Machine(host.docker, limit=_COPY_SECONDS), root=host.data)
        return cls(declared=declared, client=client, moves=Moves(client=client, copies=copies, console=console))

    def plan(self) -> Plan:
        """Looks, and changes nothing."""
        networks = {each["Name"]: OWN_LABEL in (each["Labels"] or {}) for each in self.client.api.networks()}
        owners = self.moves.copies.owners(self.declared.folders)
        return plan_of(self.declared, look(self.client), owners, networks)

    def do(self, plan: Plan, *, copy: bool) -> None:
        """Sets aside, and says what comes next.

        Raises:
            CommandError: something has to be settled first; nothing was changed.
        """
        host, console = self.declared.fleet.here, self.moves.console
        faults = [str(problem) for problem in plan.at(When.BEFORE)]
        if self.declared.doubt:
            faults.append(f"pulumi preview -s {host}: what would be made has to be known ({self.declared.doubt})")
        if faults:
            listed = "\n  ".join(faults)
            raise CommandError(
                f"{len(faults)} to settle before anything is stopped; nothing was changed.\n  {listed}",
                f"settle them, then python3 -m kitestacks adopt -s {host} --do",
                Exit.CONFIGURATION,
            )
        if any(not pair.aside for pair in plan.pairs):
            self.moves.set_aside(plan, copy=copy)
        for line in next_lines(self.declared, plan, self.moves.copies.folder if copy else ""):
            console.result(line)

    def back(self) -> None:
        """Brings back, and says what is left to know."""
        names, host = self.moves.bring_back(self.declared), self.declared.fleet.here
        kept = self.moves.copies.put_away()
        self.moves.console.result(f"as before: {', '.join(names)}")
        if kept:
            self.moves.console.result(f"the copies of the data lie in {kept}; what was written since is in the folders")
        self.moves.console.result(f"before the next pulumi up: python3 -m kitestacks adopt -s {host} --do")


def next_lines(declared: Declared, plan: Plan, copies: str) -> Iterator[str]:
    """What to do now, in order."""
    host = declared.fleet.here
    if not plan.pairs:
        yield from _taken_lines(plan, host)
        return
    yield f"set aside: {', '.join(pair.new.name for pair in plan.pairs)}" + (f"; copies: {copies}" if copies else "")
    yield from (f"now, while nothing runs: {problem}" for problem in plan.at(When.STOPPED))
    yield f"then: pulumi up -s {host}"
    yield f"then: python3 -m kitestacks adopt -s {host}  (says whether the new ones are well)"
    yield f"way back: python3 -m kitestacks adopt -s {host} --back"


def as_text(declared: Declared, plan: Plan) -> Iterator[str]:
    """The plan for people."""
    host = declared.fleet.here
    if declared.doubt:
        yield f"read from the stack files alone, which name not all containers: {declared.doubt}"
    for pair in plan.pairs:
        mark = "set aside already" if pair.aside else "to set aside"
        yield f"{mark:<17}  {pair.old.name}  {pair.old.image} -> {pair.new.image}"
    yield from (f"left alone         {other.name}" for other in plan.others)
    for when in When:
        problems = plan.at(when)
        yield from [f"{when.value}:"] if problems else []
        yield from (f"  {problem}" for problem in problems)
    if not plan.pairs:
        yield from _taken_lines(plan, host)
    elif plan.at(When.BEFORE):
        yield f"settle what stands under `{When.BEFORE.value}`; nothing was changed"
    else:
        yield f"nothing was changed; to do it: python3 -m kitestacks adopt -s {host} --do"


def _taken_lines(plan: Plan, host: str) -> Iterator[str]:
    if not plan.taken:
        yield f"{host} runs nothing made by hand that has a declared container's name"
        return
    for each in plan.taken:
        yield f"taken over         {each.name}  {each.health or each.state}"
    if all(map(is_well, plan.taken)):
        olds = " ".join(f"{each.name}{ASIDE}" for each in plan.taken)
        yield f"all well; look at each site, and after some days: docker rm {olds}  (without -v)"
    else:
        yield f"not all are well; way back: python3 -m kitestacks adopt -s {host} --back"


def as_json(declared: Declared, plan: Plan) -> dict[str, Any]:
    """The plan for scripts."""
    return {
        "host": declared.fleet.here,
        "doubt": declared.doubt,
        "containers": [
            {"name": pair.new.name, "running": pair.old.image, "declared": pair.new.image, "aside": pair.aside}
            for pair in plan.pairs
        ],
        "taken": [{"name": each.name, "state": each.health or each.state} for each in plan.taken],
        "others": [each.name for each in plan.others],
        "findings": [{"when": each.when.value, **asdict(each.problem)} for each in plan.findings],
    }


def _fleet(folder: Path, host: str) -> Fleet:
    if not (folder / f"Pulumi.{host}.yaml").is_file():
        raise CommandError(f"there is no Pulumi.{host}.yaml", "name one of the hosts", Exit.NO_SUCH_STACK)
    try:
        return fleet_of_files(folder, host)
    except ProgramError as error:
        raise CommandError(str(error), "mend what it says", Exit.CONFIGURATION) from None


@contextlib.contextmanager
def _daemon(endpoint: str) -> Iterator[DockerClient]:
    """The host's daemon.

    Raises:
        CommandError: it does not answer, or refuses.
    """
    try:
        if endpoint.startswith(_UNIX):
            # The SDK leaves its socket open when nobody listens, which Python complains about long afterwards.
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(endpoint.removeprefix(_UNIX))
        client = DockerClient(base_url=endpoint, use_ssh_client=endpoint.startswith("ssh://"), timeout=60)
        with contextlib.closing(client):
            client.ping()
            yield client
    except (DockerException, OSError) as error:
        raise CommandError(f"the Docker daemon at {endpoint}: {error}", _AGAIN, Exit.RESOURCE) from error
