"""A rehearsal from beginning to end: prepared, brought up by the real engine, looked at, taken down."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import toolchain
from kitestacks.exits import CommandError, Exit
from rehearsal import engine, helpers, stack_files, twin
from rehearsal.daemon import Daemon
from rehearsal.images.build import ensure as ensure_images
from rehearsal.ports import free_port
from rehearsal.sites import wait_until_answering

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kitestacks.console import Console
    from rehearsal.twin import Twin

_CLOUDFLARE, _TAILSCALE = "cloudflare:apiToken", "tailscale:apiKey"
_SECRET = "rehearsal-token-that-opens-nothing"  # noqa: S105 - what the simulated services take
_LAUNCHER = "bin/pulumi"
_ANEW = "make rehearsal-down rehearsal"


def begin(
    console: Console,
    *,
    state: Path,
    installation: str = "rehearsal",
    port: int = 8080,
    simulated: bool = False,
    real_data: bool = False,
) -> Twin:
    """The rehearsal that lives in a folder, or a new one; says whether its containers are real.

    Raises:
        CommandError: the rehearsal that is there is of another kind.
    """
    daemon = None if simulated else Daemon.find()
    endpoint = daemon.endpoint if daemon else None
    found = twin.load(state)
    if found is not None and found.docker != endpoint:
        was, now = (f"containers on {each}" if each else "simulated containers" for each in (found.docker, endpoint))
        raise CommandError(f"this rehearsal was made with {was}, now there are {now}", _ANEW)
    if found is not None and found.real_data != real_data:
        was, now = ("real data" if each else "played data" for each in (found.real_data, real_data))
        raise CommandError(
            f"this rehearsal was made with {was}, now it is to have {now}",
            f"{_ANEW}{' DATA=real' if real_data else ''}",
        )
    if real_data and endpoint is None:
        raise CommandError("real data needs real containers", "start a Docker daemon, then the same command again")
    if found is None:
        address = daemon.gateway() if daemon else "127.0.0.1"
        connect = f"{address}:{free_port(address)}"
        found = twin.Twin(state=state, installation=installation, port=port, connect=connect, docker=endpoint)
        found = replace(found, real_data=real_data)
        found.save()
        _write_launcher(found)
    if endpoint is None and not simulated:
        console.warn(
            "no Docker daemon answers: containers are simulated (start one, then: make rehearsal-down rehearsal)"
        )
    return found


def prepare(console: Console, found: Twin, root: Path = twin.ROOT) -> toolchain.Toolchain:
    """Everything that `pulumi up` needs: engine, images, helpers, rehearsed project, stacks and their secrets.

    Raises:
        CommandError: a part could not be had.
    """
    tools = toolchain.ensure(allow_build=True, console=console)
    render(found, console, root)
    with console.step("start the simulated cloud and the local edge"):
        helpers.wake(found)
    with console.step("make the stacks") as step:
        for stack in stack_files.names(root):
            step.note(stack)
            stack_files.share_salt(found, stack)
            engine.run(found, tools, "stack", "select", "--create", stack)
            set_secrets(found, tools, stack, root)
    return tools


def set_secrets(found: Twin, tools: toolchain.Toolchain, stack: str, root: Path = twin.ROOT) -> None:
    """Sets, encrypted, the secrets that a stack can't do without and does not have.

    Those that its owner would bring along are made up.
    """
    from components.secrets import GIVEN  # noqa: PLC0415 - brings Pulumi along, which `down` need not wait for

    text = (found.project / f"Pulumi.{stack}.yaml").read_text()
    needed = {_CLOUDFLARE: _SECRET} | ({_TAILSCALE: _SECRET} if f"{stack_files.PREFIX}tailnet:" in text else {})
    owners = sorted(stack_files.owner_secrets(stack, root))
    needed |= {f"{GIVEN}:{name}": f"rehearsal-{secrets.token_hex(16)}" for name in owners}
    for key, value in needed.items():
        if f"{key}:" not in text:
            engine.run(found, tools, "config", "set", "--secret", key, "-s", stack, given=value)


def up(console: Console, found: Twin) -> None:
    """Brings every host up with the real engine, the foundation first, and waits until every site answers.

    Raises:
        CommandError: a host did not come up (the end of the engine's log is in the message), or a site does not answer.
    """
    tools = prepare(console, found)
    for stack in stack_files.names():
        deploy(console, found, tools, stack)
    with console.step("wait until every site answers"):
        wait_until_answering(found, stack_files.hostnames())


def deploy(console: Console, found: Twin, tools: toolchain.Toolchain, stack: str) -> None:
    """`pulumi up` for one host.

    Raises:
        CommandError: it failed; with the end of its log.
    """
    _unlock(found, tools, stack)
    console.run(
        [tools.engine, "up", "--yes", "--skip-preview", "--non-interactive", "-s", stack],
        title=f"{stack}: pulumi up",
        log=found.logs / f"up-{stack}.log",
        env=engine.environment(found, tools),
        cwd=found.project,
        way_out=f"source rehearsal/activate, then pulumi up -s {stack}; or start over: make rehearsal-down rehearsal",
    )


def render(found: Twin, console: Console, root: Path = twin.ROOT) -> None:
    """Writes the rehearsed project; builds the images that the stack files name and this machine lacks."""
    swapped: dict[str, str] = {}
    if found.docker is not None:
        swapped = ensure_images(
            stack_files.images(root),
            console,
            build_caddy=lambda: toolchain.caddy.ensure(console),
            real_data=found.real_data,
        )
    stack_files.render(found, swapped, _doors(found, root), root)


def _doors(found: Twin, root: Path) -> dict[str, str]:
    """Where each rehearsed host is reached from the other's containers; nowhere if there are none."""
    daemon = Daemon.find() if found.docker is not None else None
    return {host: daemon.door(found.installation, host) for host in stack_files.names(root)} if daemon else {}


def down(found: Twin) -> Iterator[str]:
    """Takes away everything that carries the rehearsal's mark, and its folder; yields what it did.

    It asks neither the engine nor the state, so it works after any accident.
    """
    ended = helpers.rest(found)
    yield f"ended: {', '.join(ended)}" if ended else "no helper was running"
    if found.docker is not None:
        daemon = Daemon.find()
        if daemon is None:
            raise CommandError(
                "the Docker daemon does not answer, and the rehearsal's containers may still be there",
                "start the daemon, then: make rehearsal-down",
                Exit.RESOURCE,
            )
        yield f"removed: {daemon.clear(found.installation)} containers and networks"
    shutil.rmtree(found.state)
    yield f"removed: {found.state}"


def _write_launcher(found: Twin) -> None:
    launcher = found.state / _LAUNCHER
    launcher.parent.mkdir(mode=0o700, exist_ok=True)
    python = twin.ROOT / ".venv" / "bin" / "python"
    variables = f'PYTHONPATH="{twin.ROOT}" KITESTACKS_REHEARSAL="{found.state}"'
    launcher.write_text(f'#!/bin/sh\n{variables} exec "{python}" -m rehearsal.pulumi "$@"\n')
    launcher.chmod(0o700)


def _unlock(found: Twin, tools: toolchain.Toolchain, stack: str) -> None:
    """Frees a stack that a killed run left locked; a rehearsal has one user, so no live run is cut off by it."""
    if any((found.backend / ".pulumi" / "locks").rglob("*.json")):
        engine.run(found, tools, "cancel", "--yes", "-s", stack)
