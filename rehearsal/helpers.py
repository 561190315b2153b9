"""Which helpers a rehearsal needs and how they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal import processes, stack_files

if TYPE_CHECKING:
    from rehearsal.twin import Twin

NAMES = ("edge", "cloud", "tailnet")


def names(twin: Twin) -> tuple[str, ...]:
    """The helpers of a rehearsal; simulated containers open no connections that could be let through."""
    return NAMES if twin.docker is not None else NAMES[:-1]


def wake(twin: Twin) -> None:
    """Starts whichever helper does not run: after a reboot the rehearsal goes on where it was.

    Raises:
        CommandError: one did not start.
    """
    processes.start(twin, "edge", lambda: _edge(twin))
    processes.start(twin, "cloud", lambda: _cloud(twin))
    if "tailnet" in names(twin):
        processes.start(twin, "tailnet", lambda: ["--installation", twin.installation])


def _edge(twin: Twin) -> list[str]:
    doors = [f"127.0.0.1:{twin.port}", *([twin.public_edge] if twin.docker is not None else [])]
    return [*(word for door in doors for word in ("--listen", door)), "--connect", twin.connect]


def _cloud(twin: Twin) -> list[str]:
    zone = f"{twin.zone_id}={stack_files.domain()}"
    arguments = ["--account-id", twin.account_id, "--zone", zone, "--connect", twin.connect]
    arguments += ["--plan", stack_files.plan()]
    arguments += ["--real-data"] if twin.real_data else []
    return arguments + (["--simulate-docker"] if twin.docker is None else [])


def rest(twin: Twin) -> list[str]:
    """Ends the helpers that run, and names them."""
    return [name for name in reversed(NAMES) if processes.stop(twin, name)]
