"""`pulumi` as a rehearsal's shell finds it: the real engine, in the rehearsal's project, on stack files rendered anew.

So the literal `pulumi preview -s monk` plans the real `Pulumi.monk.yaml` against the rehearsed cloud, and can't reach
the real one.
"""

from __future__ import annotations

import sys

from kitestacks.exits import CommandError, Exit
from rehearsal import engine, helpers, stack_files, twin

_LEAVES_FILES_ALONE = "config"
"""`pulumi config` speaks of the rehearsed file itself: what it sets there stays until a real file changes."""


def main(arguments: list[str]) -> int:
    """Says in words why the engine can't be run, if it can't; otherwise does not come back."""
    try:
        _become_the_engine(arguments)
    except CommandError as error:
        sys.stderr.write(f"error: {error.message}\n  way out: {error.way_out}\n")
        return error.exit_code
    return Exit.OK


def _become_the_engine(arguments: list[str]) -> None:
    """Renders what is stale and wakes the helpers if they sleep, before the engine takes over."""
    found = twin.load(twin.state_folder())
    if found is None:
        raise CommandError("there is no rehearsal here", "make rehearsal", Exit.CONFIGURATION)
    tools = engine.toolchain_or_stop()
    if _LEAVES_FILES_ALONE not in arguments and stack_files.stale(found):
        from kitestacks.console import Console  # noqa: PLC0415 - only an edit pays for building images
        from rehearsal import session  # noqa: PLC0415

        session.render(found, Console())
    helpers.wake(found)
    engine.run_inside(found, tools, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
