"""A host whose scripts really run here, and whose `docker` is a small script that keeps containers in two files."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.machine import Done, Machine
from kitestacks.deploying.copies import Copies

if TYPE_CHECKING:
    from pathlib import Path

_DOCKER = """#!/bin/sh
[ "$1" = -H ] && shift 2
word=$1; shift
echo "$word $*" >> "$PLAYED/said"
case $word in
ps) case " $* " in
    *Status*) sed "s/$/: Up 3 seconds (healthy)/" "$PLAYED/running"; sed "s/$/: Exited (1)/" "$PLAYED/stopped";;
    *" -a "*) cat "$PLAYED/running" "$PLAYED/stopped";;
    *) cat "$PLAYED/running";;
    esac;;
stop) cat "$PLAYED/running" >> "$PLAYED/stopped"; : > "$PLAYED/running";;
start) cat "$PLAYED/stopped" >> "$PLAYED/running"; : > "$PLAYED/stopped";;
exec) [ "$1" = -i ] && shift; shift; exec "$@";;
esac
"""


@dataclass
class PlayedHost(Machine):
    """One host on this machine, below a folder of a test.

    Attributes:
        folder: Where it lives: `bin` on its PATH, `disk` for its data.
        mounts: What `docker inspect` says of every container's folders.
    """

    folder: Path
    mounts: dict[str, str]

    @classmethod
    def made(cls, folder: Path, running: str = "app") -> PlayedHost:
        """A host with a running container."""
        host = cls(folder, {})
        (folder / "bin").mkdir()
        host.disk.mkdir()
        (folder / "running").write_text(f"{running}\n")
        (folder / "stopped").write_text("")
        host.program("docker", _DOCKER)
        return host

    @property
    def disk(self) -> Path:
        """Its data root."""
        return self.folder / "disk"

    @property
    def running(self) -> list[str]:
        """The containers that run."""
        return (self.folder / "running").read_text().split()

    @property
    def said(self) -> list[str]:
        """The words with which `docker` was called, in order."""
        file = self.folder / "said"
        return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []

    def program(self, name: str, script: str) -> None:
        """Puts a program on its PATH."""
        file = self.folder / "bin" / name
        file.write_text(script)
        file.chmod(0o755)

    def copies(self) -> Copies:
        """Its copies of before."""
        return Copies(host="monk", endpoint="unix:///x", root=str(self.disk), installation="kitestacks", machine=self)

    def shell(self, script: str) -> Done:
        """Runs a script here."""
        path = f"{self.folder}/bin:{os.environ['PATH']}"
        environment = os.environ | {"PATH": path, "PLAYED": str(self.folder)}
        done = subprocess.run(["sh", "-s"], input=script, env=environment, capture_output=True, text=True, check=False)
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)

    def docker(self, *arguments: str, stdin: str = "") -> Done:  # noqa: ARG002 - as the real one
        """Says where folders lie."""
        mounts = [{"Source": source, "Destination": target} for target, source in self.mounts.items()]
        return Done(code=0, out=json.dumps([{"Mounts": mounts}]), err="")
