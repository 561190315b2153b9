"""`orphans`: finds what a killed engine made and did not write down, shows it, and removes it on demand.

An engine that dies between a provider's answer and its own note leaves a thing whose name is taken. It is found by the
marks of ownership that the program gives, compared with the state of every stack, and removed only with --remove.
Nothing found here holds data: containers keep theirs in the host's folders, tunnels and DNS records have none.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kitestacks import orphans_cloudflare, orphans_docker
from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit
from kitestacks.stack_state import StackState

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("-s", "--stack", required=True, help="the host whose update was interrupted")
    parser.add_argument("--remove", action="store_true", help="remove what is found; without it, it is only shown")
    parser.add_argument("--json", action="store_true", help="for scripts")


def run(args: argparse.Namespace) -> int:
    """Shows, and with --remove removes, what carries the stack's marks and stands in no stack's state.

    Raises:
        CommandError: the engine, the daemon or Cloudflare does not answer.
    """
    state = StackState.read(args.stack)
    found = [*orphans_docker.find(state), *orphans_cloudflare.find(state)]
    for orphan in found if args.remove else ():
        try:
            orphan.remove()
        except OSError as error:
            what = f"{orphan.kind} {orphan.name} could not be removed: {error}"
            raise CommandError(what, "mend that, then the same command again", Exit.RESOURCE) from error
    console = Console()
    if args.json:
        listed = [{"kind": each.kind, "name": each.name, "id": each.id} for each in found]
        console.result(json.dumps({"removed": args.remove, "orphans": listed}, indent=2))
        return Exit.OK
    for each in found:
        console.result(f"{'removed' if args.remove else 'found'}  {each.kind} {each.name} ({each.id})")
    if not found:
        console.result(f"nothing of {args.stack} is unknown to its stack")
    elif args.remove:
        console.result(f"now: pulumi up -s {args.stack}")
    else:
        console.result(f"remove them: python3 -m kitestacks orphans -s {args.stack} --remove")
    return Exit.OK
