"""Gets what `pulumi preview` and `pulumi up` need on a machine: the engine, the Docker provider, the language host.

Each piece comes by the first way that works: what is on PATH, a mirror the user names, Pulumi's download site, and
last a build from Go modules. All of it lies under `.kitestacks`, with a record of where it came from and its checksum;
a file that is not as recorded is got again. The language host is Pulumi's own where the engine brought one, else this
project's.
"""

from __future__ import annotations

import fcntl
import os
import shlex
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kitestacks import paths
from kitestacks.exits import CommandError, Exit
from toolchain import caddy, docker_provider, engine, fetch, files, promtool, restic, syncthing, versions
from toolchain.files import BIN, FOLDER, HOME, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kitestacks.console import Console

    Ways = dict[str, Callable[[], Path]]

__all__ = ["Toolchain", "caddy", "ensure", "find", "promtool", "restic", "syncthing"]

PARALLEL = 32
"""Resource operations at a time. Most of an update is waiting for health checks, so it is far above the core count."""

BUILT = "Go modules"
PIECES = ("engine", "docker-provider")
ACQUISITION = "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"
HOST = BIN / engine.LANGUAGE_HOST
SETTINGS = FOLDER / "env.sh"


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """A complete toolchain.

    Attributes:
        engine: The `pulumi` program.
        bin: The folder to put on PATH.
        home: The engine's own folder: plugins, and credentials if the user logs in.
        offline: Whether Pulumi's download site was out of reach, so that waiting for it makes no sense.
        pieces: The record: piece to file, version, source and why.
    """

    engine: Path
    bin: Path
    home: Path
    offline: bool
    pieces: dict[str, Any]

    def settings(self) -> dict[str, str]:
        """The engine's variables, PATH not among them. What the user has set already is left as it is."""
        wanted = {
            "PULUMI_HOME": str(self.home),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_PARALLEL": str(PARALLEL),
        }
        if self.offline:
            wanted[ACQUISITION] = "true"
        return wanted

    def env(self) -> dict[str, str]:
        """What to add to a process's environment, so that the plain word `pulumi` works in it.

        A variable that the caller's environment sets already is left to it, but for PULUMI_HOME: the plugins are there.
        """
        search = [str(self.bin), str(self.engine.parent), str(paths.VENV / "bin"), os.environ.get("PATH", os.defpath)]
        kept = {
            name: value for name, value in self.settings().items() if name == "PULUMI_HOME" or name not in os.environ
        }
        return {"PATH": os.pathsep.join(dict.fromkeys(search)), **kept}


def find() -> Toolchain | None:
    """The toolchain that is there, or None when a piece is missing or not as recorded. No network, no work."""
    record = files.load()
    needed = [record.get(piece) for piece in PIECES]
    if any(each is None or files.fault(each) for each in needed) or _host_is_stale(record):
        return None
    return _of(record)


def ensure(*, allow_build: bool, console: Console, mirror: str | None = None, from_source: bool = False) -> Toolchain:
    """The toolchain, whatever has to be done for it.

    Args:
        allow_build: Whether a build from Go modules, about ten minutes, may be one of the ways.
        console: Where the progress goes.
        mirror: Folder or http(s) address with ready archives; KITESTACKS_TOOLCHAIN_MIRROR unless given.
        from_source: Build from Go modules although another way would do.

    Raises:
        CommandError: A piece cannot be had by any way; the message has the reason of each.
    """
    mirror = mirror or os.environ.get(fetch.MIRROR_VARIABLE) or None
    with _one_at_a_time():
        if from_source or not _is_whole("engine", console):
            ways = _engine_ways(mirror, console)
            _get("engine", _allowed(ways, build=allow_build, fetch=not from_source), console)
        _write_host()
        if from_source or not _is_whole("docker-provider", console):
            ways = _provider_ways(_of(files.load()), mirror, console)
            _get("docker-provider", _allowed(ways, build=allow_build, fetch=not from_source), console)
        toolchain = _of(files.load())
        _write_settings(toolchain)
        engine.without_logs()
    return toolchain


def _engine_ways(mirror: str | None, console: Console) -> Ways:
    ways: Ways = {"PATH": engine.from_path}
    if mirror:
        ways["mirror"] = lambda: engine.from_mirror(mirror, console)
    ways["Pulumi's release"] = lambda: engine.from_site(console)
    ways[BUILT] = lambda: engine.from_source(console)
    return ways


def _provider_ways(made: Toolchain, mirror: str | None, console: Console) -> Ways:
    program, env = made.engine, made.env()
    ways: Ways = {}
    if mirror:
        ways["mirror"] = lambda: docker_provider.from_mirror(mirror, program, env, console)
    ways["Pulumi's release"] = lambda: docker_provider.from_site(program, env, console)
    ways[BUILT] = lambda: docker_provider.from_source(program, env, console)
    return ways


def _allowed(ways: Ways, *, build: bool, fetch: bool) -> Ways:
    return {name: way for name, way in ways.items() if (build if name == BUILT else fetch)}


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    paths.private(paths.STATE)
    with (paths.STATE / "toolchain.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _of(record: dict[str, Any]) -> Toolchain:
    sources = {record[piece]["source"] for piece in PIECES if piece in record}
    return Toolchain(
        engine=Path(record["engine"]["file"]),
        bin=BIN,
        home=HOME,
        offline=BUILT in sources or "mirror" in sources,
        pieces=record,
    )


def _is_whole(piece: str, console: Console) -> bool:
    recorded = files.load().get(piece)
    if recorded is None:
        return False
    fault = files.fault(recorded)
    if fault is not None:
        console.line(f"{piece}: {recorded['file']}: {fault}: getting it again")
    return fault is None


def _get(piece: str, ways: Ways, console: Console) -> None:
    """Take the first way that works, say which and why, and put it on the record."""
    reasons: list[str] = []
    for way, attempt in ways.items():
        try:
            file = attempt()
        except (UnavailableError, CommandError, OSError) as error:
            reasons.append(f"{way}: {str(error).splitlines()[0]}")
            if isinstance(error, CommandError):
                console.line(str(error))
            continue
        version = (
            versions.DOCKER_PROVIDER if piece == "docker-provider" else ".".join(map(str, engine.version_of(file)))
        )
        why = "; ".join(reasons) or "the first way"
        files.save(piece, files.entry(file, version=version, source=way, why=why))
        console.line(f"{piece}: {version} by {way} ({why})")
        return
    raise CommandError(
        f"{piece}: no way to get it works\n" + "\n".join(f"  {reason}" for reason in reasons),
        f"make toolchain, or name a mirror: {fetch.MIRROR_VARIABLE}=<folder or address>",
        Exit.CONFIGURATION,
    )


def _launcher() -> str:
    """The language host as the engine starts it: the project's interpreter on this project's own file."""
    python, host = (
        shlex.quote(str(each)) for each in (paths.VENV / "bin" / "python", Path(__file__).parent / "language_host.py")
    )
    missing = shlex.quote(f"error: {paths.VENV} is missing; python3 -m kitestacks venv makes it")
    return f'#!/bin/sh\n[ -x {python} ] || {{ echo {missing} >&2; exit 1; }}\nexec {python} -P {host} "$@"\n'


def _host_is_stale(record: dict[str, Any]) -> bool:
    if record["engine"]["source"] in ("PATH", "Pulumi's release"):
        return False
    return not HOST.is_file() or HOST.read_text() != _launcher()


def _write_host() -> None:
    if _host_is_stale(files.load()):
        with files.whole(HOST) as part:
            part.write_text(_launcher())


def _write_settings(toolchain: Toolchain) -> None:
    """What the file `activate` reads, so that a shell gets the same variables as `env` gives a process."""
    folders = os.pathsep.join(dict.fromkeys([str(toolchain.bin), str(toolchain.engine.parent)]))
    lines = {"KITESTACKS_PATH": folders, **toolchain.settings()}
    text = "".join(f"{name}={shlex.quote(value)}\n" for name, value in lines.items())
    if not SETTINGS.is_file() or SETTINGS.read_text() != text:
        with files.whole(SETTINGS, mode=0o600) as part:
            part.write_text(text)
