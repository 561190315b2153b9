"""Copies: the data of an installation made by hand, copied aside on its own host while nothing writes to it."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.machine import StepError
from kitestacks.adopting.found import ASIDE
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from components.machine import Machine
    from kitestacks.adopting.plan import Pair


@dataclass(frozen=True, kw_only=True)
class Copies:
    """The folder beside the host's data root that holds the copies, and a note of how each container was.

    Attributes:
        machine: The host.
        root: Its data root.
    """

    machine: Machine
    root: str

    @property
    def folder(self) -> str:
        """Where they lie."""
        return f"{self.root.rstrip('/')}{ASIDE}"

    def owners(self, folders: Iterable[str]) -> dict[str, str]:
        """Numeric owner of each folder that is there.

        Raises:
            CommandError: the host does not let us look.
        """
        listed = " ".join(map(shlex.quote, folders))
        script = f'for each in {listed}; do [ ! -e "$each" ] || stat -c "%u:%g %n" "$each"; done\n'
        lines = self._shell(script if listed else "true\n", "look at the data folders").splitlines()
        return {path: owner for owner, _, path in (line.partition(" ") for line in lines)}

    def notes(self) -> dict[str, Any]:
        """How each container was before it was first touched, by name."""
        note = shlex.quote(f"{self.folder}/adoption.json")
        text = self._shell(f"[ ! -e {note} ] || cat {note}\n", "read the notes of an earlier run")
        return dict(json.loads(text)) if text.strip() else {}

    def note(self, notes: dict[str, Any]) -> None:
        """Writes that down, before anything is touched; it holds no secret."""
        folder, text = shlex.quote(self.folder), shlex.quote(json.dumps(notes, indent=1))
        self._shell(
            f"set -eu\nmkdir -p {folder}\nchmod 0700 {folder}\ncd {folder}\n"
            f"printf '%s\\n' {text} > adoption.json.part\nmv adoption.json.part adoption.json\n",
            "write the notes",
        )

    def room_for(self, sources: Sequence[str]) -> None:
        """Sees that the disk has room for copies of folders.

        Raises:
            CommandError: it has not; nothing was stopped.
        """
        if not sources:
            return
        listed, folder = " ".join(map(shlex.quote, sources)), shlex.quote(self.folder)
        script = f"set -eu\ndu -skc {listed} | tail -n 1 | cut -f1\ndf -Pk {folder} | awk 'NR == 2 {{print $4}}'\n"
        needed, free = map(int, self._shell(script, "measure the data").split())
        if needed > free:
            raise CommandError(
                f"{self.folder}: copies need {needed // 1024} MiB, {free // 1024} MiB are free; nothing was stopped",
                "make room; or save the data in another way, and say --no-copy",
                Exit.RESOURCE,
            )

    def copy(self, source: str, *, anew: bool) -> str:
        """Copies a folder, as a whole or not at all; what an earlier run has copied stays unless `anew`.

        Returns:
            Where the copy lies.
        """
        place = f"{self.folder}/{source.strip('/')}"
        source_, place_, part = (shlex.quote(each) for each in (source, place, f"{place}.part"))
        again = f"rm -rf {place_}\n" if anew else f"[ ! -e {place_} ] || exit 0\n"
        self._shell(
            f"set -eu\n{again}rm -rf {part}\nmkdir -p {shlex.quote(place.rpartition('/')[0])}\n"
            f"cp -a --reflink=auto {source_} {part}\nsync -f {part}\nmv {part} {place_}\n",
            f"copy {source}",
        )
        return place

    def put_away(self) -> str:
        """Gives the copies a name of their own, so that a later adoption copies anew; returns it."""
        folder = shlex.quote(self.folder)
        lines = ["set -eu", f"[ -e {folder} ] || exit 0", f"to={folder}-$(date -u +%Y%m%dT%H%M%SZ)"]
        script = "\n".join([*lines, f'mv {folder} "$to"', 'echo "$to"', ""])
        return self._shell(script, "put the copies away").strip()

    def _shell(self, script: str, what: str) -> str:
        try:
            done = self.machine.shell(script)
        except (StepError, OSError) as error:
            raise CommandError(f"could not {what}: {error}", "mend that, then the same command again") from error
        if done.code:
            said = done.err.strip() or done.out.strip()
            raise CommandError(f"could not {what}: {said}", "it needs root on the host (sudo without a password)")
        return done.out


def data_of(pair: Pair, root: str) -> tuple[str, ...]:
    """The folders that hold a container's data: what the declared one mounts, all below the data root, all volumes."""
    below = root.rstrip("/") + "/"
    return tuple(
        mount.source
        for mount in pair.old.mounts
        if mount.writable
        and mount.kind in ("bind", "volume")
        and (mount.kind == "volume" or f"{mount.source}/".startswith(below) or pair.takes_over(mount.target))
    )


def outermost(folders: Iterable[str]) -> list[str]:
    """The folders that lie in no other of them, each once."""
    kept: list[str] = []
    for folder in sorted(set(folders)):
        if not kept or not folder.startswith(kept[-1].rstrip("/") + "/"):
            kept.append(folder)
    return kept
