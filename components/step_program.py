"""`python3 -m kitestacks step <module>`: runs one step of a service, as `pulumi up` does.

What the step needs comes as JSON on standard input: {"facts": {...}, "secrets": {...}}.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests

from components.machine import Machine, StepError
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

READY_LIMIT = 120
"""Seconds that a step waits for its service to answer."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a step is given.

    Attributes:
        facts: Plain values.
        secrets: Secret values; never to be printed.
    """

    facts: Mapping[str, Any]
    secrets: Mapping[str, str]


def configure(parser: argparse.ArgumentParser) -> None:
    """Names the one argument."""
    parser.add_argument("program", help="the step's module below components, for example services.forgejo.login_source")


def run(args: argparse.Namespace) -> int:
    """Runs the step and prints in one line what it did.

    Raises:
        CommandError: the step says why it could not.
    """
    if sys.stdin.isatty():
        raise CommandError("a step is given its values on standard input", "pulumi up runs it", Exit.CONFIGURATION)
    given = Given(**json.load(sys.stdin))
    try:
        module = importlib.import_module(f"components.{args.program}")
    except ModuleNotFoundError:
        raise CommandError(f"there is no step {args.program!r}", "pulumi up names them", Exit.CONFIGURATION) from None
    try:
        sys.stdout.write(f"{args.program}: {module.run(given, Machine(given.facts['endpoint']))}\n")
    except StepError as error:
        way_out = "mend what it says and type `pulumi up` again: the step looks first and goes on where it stopped"
        raise CommandError(f"step {args.program}: {error}", way_out, Exit.RESOURCE) from None
    except requests.RequestException as error:
        what = type(error).__name__
        raise CommandError(
            f"step {args.program}: no answer from the service ({what})", "pulumi up", Exit.RESOURCE
        ) from None
    return Exit.OK


def wait_until(ready: Callable[[], bool], what: str, limit: float = READY_LIMIT) -> None:
    """Waits for a condition; a refused connection counts as not yet.

    Raises:
        StepError: the limit, in seconds, is over.
    """
    end = time.monotonic() + limit
    while True:
        try:
            if ready():
                return
        except requests.RequestException:
            pass
        if time.monotonic() >= end:
            raise StepError(f"{what} did not answer within {limit:g} s")
        time.sleep(min(1.0, limit / 20))
