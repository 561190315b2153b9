"""`kitestacks toolchain`: get the engine, the Docker provider and the language host, and say where each came from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import toolchain
from kitestacks.console import Console
from kitestacks.exits import Exit
from toolchain import files
from toolchain.fetch import MIRROR_VARIABLE

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `kitestacks toolchain`."""
    parser.add_argument(
        "--mirror", metavar="DIR", help=f"folder or http(s) address with ready archives (also {MIRROR_VARIABLE})"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--from-source", action="store_true", help="build all of it from Go modules, about 10 min")
    how.add_argument("--fetch-only", action="store_true", help="never build: PATH, mirror or download")
    parser.add_argument("--caddy", action="store_true", help="also build Caddy, for the rehearsal's images")
    parser.add_argument("--promtool", action="store_true", help="also build promtool, for the tests of the monitoring")
    parser.add_argument(
        "--restic", action="store_true", help="also build restic and what goes with it, for those of backups"
    )
    parser.add_argument("--syncthing", action="store_true", help="also build Syncthing, for those of pictures")
    parser.add_argument("--json", action="store_true", help="print the record as JSON")


def run(args: argparse.Namespace) -> int:
    """Get everything and report it."""
    console = Console()
    made = toolchain.ensure(
        allow_build=not args.fetch_only, console=console, mirror=args.mirror, from_source=args.from_source
    )
    pieces = dict(made.pieces)
    for wanted, program in (
        (args.caddy, toolchain.caddy.CADDY),
        (args.promtool, toolchain.promtool.PROMTOOL),
        (args.restic, toolchain.restic.RESTIC),
        (args.restic, toolchain.restic.REST_SERVER),
        (args.restic, toolchain.restic.SUPERCRONIC),
        (args.syncthing, toolchain.syncthing.SYNCTHING),
    ):
        if wanted:
            program.ensure(console)
            pieces = files.load()
    if args.json:
        report = {"bin": str(made.bin), "home": str(made.home), "offline": made.offline, "pieces": pieces}
        console.result(json.dumps(report, indent=2))
        return Exit.OK
    for name, piece in pieces.items():
        console.line(f"{name:<16} {piece['version']:<8} by {piece['source']}: {piece['file']}")
    console.line("source activate, and the plain word pulumi works in this shell")
    return Exit.OK
