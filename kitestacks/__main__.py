"""`python3 -m kitestacks <command>`: the table of commands, and how each is entered and left.

A command is a module with `configure(parser)` and `run(args) -> int`; it is imported only when it is used. This file
and what it imports run on an old Python too, so that a user of one is told instead of shown a syntax error.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from typing import NamedTuple

from kitestacks import venv
from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit

OLDEST_PYTHON = (3, 11)


class Command(NamedTuple):
    """One line of the table."""

    module: str
    help: str
    example: str
    bare: bool = False
    """Whether it runs before there is a virtual environment, on the standard library alone."""


COMMANDS = {
    "doctor": Command("kitestacks.doctor", "list all that this machine lacks", "doctor", bare=True),
    "venv": Command("kitestacks.venv", "make the virtual environment .venv", "venv --dev", bare=True),
    "toolchain": Command("toolchain.command", "get the Pulumi engine and the Docker provider", "toolchain"),
    "rehearsal": Command("rehearsal.command", "bring both hosts up on this machine", "rehearsal up"),
    "drill": Command("rehearsal.drill.command", "take parts away and measure who answers", "drill monk-gone"),
    "deploy": Command("kitestacks.deploy", "update the hosts one by one, with a way back for data", "deploy"),
    "adopt": Command("kitestacks.adopt", "take over what was made by hand, on the same folders", "adopt -s monk"),
    "orphans": Command("kitestacks.orphans", "find what an interrupted update left behind", "orphans -s monk"),
    "backup": Command("kitestacks.backup_command", "what is saved; save, check or prune", "backup status -s monk"),
    "restore": Command("kitestacks.restore", "bring a service back", "restore bookstack -s monk --dry-run"),
    "restore-drill": Command("kitestacks.restore_drill", "prove that it comes back", "restore-drill bookstack -s monk"),
    "kit": Command("kitestacks.kit", "the recovery kit: all that an empty machine needs", "kit make kit.age"),
    "database": Command(
        "kitestacks.database", "look at the copies of Authentik's database, rejoin, switch", "database status"
    ),
    "check": Command("kitestacks.check", "linter, type checker and tests", "check"),
    "step": Command("components.step_program", "run one step of a service, as up does", "step folders_step"),
    "sites": Command("components.sites_command", "what is promised of each site when a part is gone", "sites --why"),
    "schema": Command("components.schema_command", "write the JSON schema of the stack files", "schema"),
    "runbook": Command("components.runbook.command", "write RUNBOOK.md from the stack files", "runbook"),
    "bench": Command("bench.command", "compare the program with a bare one", "bench"),
}


def parser_of(name: str) -> argparse.ArgumentParser:
    """The full parser of one command, its module imported."""
    command = COMMANDS[name]
    parser = argparse.ArgumentParser(
        prog=f"kitestacks {name}",
        usage=argparse.SUPPRESS,
        description=f"example: python3 -m kitestacks {command.example}\n\n{command.help}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    importlib.import_module(command.module).configure(parser)
    return parser


def overview() -> str:
    """The help of the whole: one line per command."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "example: python3 -m kitestacks rehearsal up",
            "",
            *lines,
            "",
            "python3 -m kitestacks <command> --help says more.",
            "Exit codes are Pulumi's: 0 ok, 1 other, 2 configuration, 3 authentication, 4 resource, 5 policy,",
            "6 no such stack, 7 no changes, 8 cancelled, 9 timeout, 255 internal.",
        ]
    )


def dispatch(arguments: list[str], console: Console) -> int:
    """Find the command, enter the virtual environment if it needs one, run it.

    Raises:
        CommandError: There is no such command, or the command failed in a way its user can mend.
    """
    name = arguments[0] if arguments else "--help"
    if name in ("-h", "--help", "help"):
        console.result(overview())
        return Exit.OK
    if name not in COMMANDS:
        raise CommandError(f"there is no command {name!r}", "python3 -m kitestacks --help", Exit.CONFIGURATION)
    if sys.version_info < OLDEST_PYTHON and name != "doctor":
        wanted = ".".join(map(str, OLDEST_PYTHON))
        raise CommandError(
            f"Python {wanted} or newer is needed, this is {sys.version.split()[0]}",
            f"python{wanted} -m kitestacks {name} (python3 -m kitestacks doctor says how to get it)",
            Exit.CONFIGURATION,
        )
    if not COMMANDS[name].bare:
        venv.enter(arguments, console)
    parser = parser_of(name)
    return int(importlib.import_module(COMMANDS[name].module).run(parser.parse_args(arguments[1:])))


def main(arguments: list[str]) -> int:
    """Run a command and turn every way it can end into an exit code and words."""
    console = Console()
    debug = os.environ.get("KITESTACKS_DEBUG", "") not in ("", "0")
    try:
        return dispatch(arguments, console)
    except CommandError as failure:
        if debug:
            traceback.print_exc()
        console.error(failure)
        return failure.exit_code
    except KeyboardInterrupt:
        console.line(f"stopped: {' '.join(arguments)} was interrupted; what it had finished stays")
        # Python remembers an interrupt in code that it compiled from text, as dataclasses do at import, and would end
        # this process by the signal whatever the exit code; the next such code lets it forget.
        exec("")  # noqa: S102
        return Exit.CANCELLED
    except Exception as fault:  # noqa: BLE001 - the last line of defence: an internal fault is told, not dumped
        if debug:
            traceback.print_exc()
        console.error(_internal(fault))
        return Exit.INTERNAL


def _internal(fault: Exception) -> CommandError:
    return CommandError(
        f"internal fault: {type(fault).__name__}: {fault}",
        "KITESTACKS_DEBUG=1 shows where; please report it",
        Exit.INTERNAL,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
