"""Runs the real engine in the rehearsal's project: own state, own passphrase, simulated clouds attached."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    from rehearsal.twin import Twin
    from toolchain import Toolchain


def environment(twin: Twin, tools: Toolchain) -> dict[str, str]:
    """What the engine needs to know, on top of this process's environment; it holds no secret, only where one lies."""
    ports: dict[str, int] = json.loads((twin.state / "cloud.ports.json").read_text())
    return tools.env() | {
        # Without `metadata=skip` each state file has a second one beside it, whose writing a killed engine leaves
        # half done, and the stack is then unreadable.
        "PULUMI_BACKEND_URL": f"file://{twin.backend}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(twin.passphrase),
        "PULUMI_DEBUG_PROVIDERS": ",".join(f"{name}:{port}" for name, port in sorted(ports.items())),
        "KITESTACKS_REHEARSAL": str(twin.state),
    }


def run_inside(twin: Twin, tools: Toolchain, arguments: list[str]) -> None:
    """Becomes the engine, as if `pulumi` had been typed in the rehearsal's project; does not come back."""
    os.chdir(twin.project)
    os.execve(  # noqa: S606 - no shell is wanted
        tools.engine, ["pulumi", *arguments], os.environ | environment(twin, tools)
    )


def run(twin: Twin, tools: Toolchain, *arguments: str, given: str | None = None) -> str:
    """One short engine command in the rehearsal's project; returns what it printed.

    `given` goes to its standard input, where nobody can read it.

    Raises:
        CommandError: it failed.
    """
    result = subprocess.run(
        [tools.engine, "--non-interactive", *arguments],
        cwd=twin.project,
        env=os.environ | environment(twin, tools),
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        what = f"pulumi {' '.join(arguments[:2])} failed:\n{result.stderr.strip()}"
        raise CommandError(what, "make rehearsal-down rehearsal", Exit(result.returncode))
    return result.stdout


def toolchain_or_stop() -> Toolchain:
    """The toolchain that is there.

    Raises:
        CommandError: there is none.
    """
    from toolchain import find  # noqa: PLC0415 - the wrapper pays for every import at every preview

    tools = find()
    if tools is None:
        raise CommandError("there is no Pulumi engine here", "make toolchain", Exit.CONFIGURATION)
    return tools
