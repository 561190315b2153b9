"""Copies: a service's data as it was before an upgrade, made on its host and put back there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from shlex import quote
from typing import TYPE_CHECKING

from components.backup import Engine
from components.machine import Machine, StepError
from kitestacks.deploying.dumps import dump_lines, file_of, load_lines, sqlite_lines
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from components.backup import Dump
    from kitestacks.deploying.changes import Change

FOLDER = ".before-upgrade"
"""Below the host's data root: `<service>` as it was, and `<service>.failed`, what a failed version left."""
LIMIT = 6 * 3600.0
"""Seconds that copying may take."""


@dataclass(frozen=True, kw_only=True)
class Copies:
    """One host's copies of before.

    Args:
        host: The host's name.
        endpoint: Its Docker daemon.
        root: Where its data lies.
        installation: The mark on its containers.
        machine: How it is reached.
    """

    host: str
    endpoint: str
    root: str
    installation: str
    machine: Machine

    @classmethod
    def on(cls, host: str, *, endpoint: str, root: str, installation: str) -> Copies:
        """Those of a host that is reached as steps reach it."""
        machine = Machine(endpoint, LIMIT)
        return cls(host=host, endpoint=endpoint, root=root, installation=installation, machine=machine)

    def save(self, change: Change) -> str:
        """Dumps a service's databases, stops it, copies its folders; returns where they lie. It stays stopped.

        Hard links would not do: a database writes into its files in place. Where the file system can, `cp` shares the
        blocks and takes no time.

        Raises:
            CommandError: something is not whole, or there is no room; the service runs again, and nothing is changed.
        """
        script = [
            f"new={quote(self._place(change, '.new'))}; saved={quote(self._place(change))}; root={quote(self.root)}",
            'rm -rf "$new"; mkdir -p "$new/dumps" "$new/folders"; chmod 0700 "$new"',
            *self._room(change),
            *self._dumps(change.dumps),
            f"running=$({self._list(change, running=True)})",
            f'again() {{ [ -z "$running" ] || {self._docker} start $running >/dev/null; rm -rf "$new"; }}',
            "trap again EXIT",
            f'[ -z "$running" ] || {self._docker} stop $running >/dev/null',
            # Its own database is stopped with it; another service's runs on, and nothing of this host writes there now.
            *self._dumps(change.elsewhere),
            'cd "$root"',
            *(
                f'[ ! -e {each} ] || cp -a --reflink=auto --parents {each} "$new/folders/"'
                for each in map(quote, self._relative(change))
            ),
            *self._sqlite(change),
            'sync; rm -rf "$saved"; mv "$new" "$saved"; trap - EXIT',
        ]
        self._run(script, f"{change.service} on {self.host} could not be saved, and was not changed")
        return self._place(change)

    def bring_back(self, change: Change) -> str:
        """Puts the folders of before in the place of those of now; returns where those of now lie.

        Raises:
            CommandError: the host refuses; it says what, and nothing of the copy is lost.
        """
        failed = self._place(change, ".failed")
        script = [
            f"saved={quote(self._place(change))}; failed={quote(failed)}; root={quote(self.root)}",
            f"running=$({self._list(change)})",
            f'[ -z "$running" ] || {self._docker} stop $running >/dev/null',
            'rm -rf "$failed"; mkdir -p "$failed"; chmod 0700 "$failed"',
        ]
        for each in self._relative(change):
            above = quote(str(PurePosixPath(each).parent))
            folder = quote(each)
            script += [
                f'mkdir -p "$failed"/{above}; [ ! -e "$root"/{folder} ] || mv "$root"/{folder} "$failed"/{folder}',
                f'[ ! -e "$saved/folders"/{folder} ] || mv "$saved/folders"/{folder} "$root"/{folder}',
            ]
        for dump in change.elsewhere:
            file = f"{self._place(change)}/dumps/{file_of(dump)}"
            script += load_lines(dump, self._docker, self._physical(dump.container), file)
        self._run(script, f"the data of {change.service} on {self.host} could not be put back")
        return failed

    def start(self, changes: Iterable[Change]) -> None:
        """Starts whatever of these services is stopped; the last help where the engine can't.

        Raises:
            CommandError: the daemon refuses.
        """
        for change in changes:
            script = [f"all=$({self._list(change)})", f'[ -z "$all" ] || {self._docker} start $all >/dev/null']
            self._run(script, f"{change.service} on {self.host} could not be started")

    def unwell(self, changes: Iterable[Change]) -> list[str]:
        """The containers of these services that do not run or are not healthy, with what the daemon says of them."""
        shown: list[str] = []
        for change in changes:
            listed = self._run([self._list(change, form="{{.Names}}: {{.Status}}")], f"{self.host} does not answer")
            shown += [line for line in listed.splitlines() if "(healthy)" not in line]
        return shown

    def _room(self, change: Change) -> list[str]:
        folders = " ".join(quote(folder) for folder in change.folders)
        return [
            f"need=$(du -skc {folders} 2>/dev/null | tail -n 1 | cut -f 1)",
            "free=$(df -Pk \"$root\" | tail -n 1 | awk '{print $4}')",
            '[ "$free" -gt "$((need + need / 10))" ] || refuse "a copy needs $need KiB, and $free KiB are free"',
        ]

    def _dumps(self, dumps: Iterable[Dump]) -> list[str]:
        served = [dump for dump in dumps if dump.engine is not Engine.SQLITE]
        return [
            line
            for dump in served
            for line in dump_lines(dump, self._docker, self._physical(dump.container), file_of(dump))
        ]

    def _sqlite(self, change: Change) -> list[str]:
        files = [dump for dump in change.dumps if dump.engine is Engine.SQLITE]
        return [line for dump in files for line in sqlite_lines(self._on_host(dump.container, dump.database))]

    def _on_host(self, container: str, path: str) -> str:
        """Where a container's file lies below the data root."""
        shown = self.machine.docker("inspect", self._physical(container))
        mounts = json.loads(shown.out)[0]["Mounts"] if shown.code == 0 else []
        for mount in sorted(mounts, key=lambda each: -len(each["Destination"])):
            if PurePosixPath(path).is_relative_to(mount["Destination"]):
                within = PurePosixPath(path).relative_to(mount["Destination"])
                return str((PurePosixPath(mount["Source"]) / within).relative_to(self.root))
        raise CommandError(
            f"{path} of {container} lies in no folder of {self.host}", f"docker start {container}", Exit.RESOURCE
        )

    def _relative(self, change: Change) -> list[str]:
        return [str(PurePosixPath(folder).relative_to(self.root)) for folder in change.folders]

    def _place(self, change: Change, kind: str = "") -> str:
        return f"{self.root}/{FOLDER}/{change.service}{kind}"

    def _physical(self, container: str) -> str:
        plain = self.installation == "kitestacks"
        return container if plain else f"{self.installation}-{self.host}-{container}"

    @property
    def _docker(self) -> str:
        """On the host itself: there its daemon is at the usual socket, unless it is reached at another one."""
        return f"docker -H {quote(self.endpoint)}" if self.endpoint.startswith("unix://") else "docker"

    def _list(self, change: Change, *, running: bool = False, form: str = "{{.ID}}") -> str:
        marks = {"installation": self.installation, "host": self.host, "service": change.service}
        filters = " ".join(f"--filter label=kitestacks.{key}={quote(value)}" for key, value in marks.items())
        return f"{self._docker} ps {'' if running else '-a '}--format {quote(form)} {filters}"

    def _run(self, lines: Sequence[str], what: str) -> str:
        refuse = "refuse() { printf '%s\\n' \"$*\" >&2; exit 3; }"
        try:
            done = self.machine.shell("\n".join(["set -eu", refuse, *lines, ""]))
        except StepError as error:
            raise CommandError(f"{what}: {error}", _WAY_OUT, Exit.RESOURCE) from None
        if done.code:
            raise CommandError(f"{what}: {done.err.strip() or f'status {done.code}'}", _WAY_OUT, Exit.RESOURCE)
        return done.out


_WAY_OUT = "mend what it says, then the same command again"
