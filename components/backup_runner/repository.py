"""Repository: restic, called with its secrets in files and variables of its own, and its exit codes put into words.

The exit codes are those of `restic/restic:doc/075_scripting.rst`, from version 0.17 on.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from components.backup_runner.plan import BackupError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from components.backup_runner.plan import Plan

MISSING = 10
_LOCKED = 11
_WRONG_PASSWORD = 12
_WORDS = {
    3: "the backup is incomplete: some files could not be read",
    MISSING: "there is no repository at {where}",
    _LOCKED: "the repository is locked by another run",
    _WRONG_PASSWORD: "wrong password: this key does not open the repository",
    130: "interrupted",
    -2: "interrupted",
    -9: "killed",
    -15: "interrupted",
}


class ResticError(BackupError):
    """How a call of restic ended.

    Args:
        code: Its exit code.
        message: In words.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Repository:
    """One repository and one of its passwords.

    Args:
        plan: The host's.
        where: The repository, as restic names it; the plan's if empty. One in a folder is another host's: it is read,
            and nothing is written into it, no lock either.
        password: A file that holds a password; the machine's own if None.
    """

    def __init__(self, plan: Plan, where: str = "", password: Path | None = None) -> None:
        self._plan = plan
        self.where = where or plan.repository
        self._password = password or plan.secrets / "repository-password"

    def make(self) -> None:
        """Makes the repository, which the other words open as well.

        Raises:
            BackupError: its server does not answer, or refuses.
        """
        self._restic("init")
        self.admit()

    def admit(self) -> None:
        """Sees to it that the other words open the repository; trying each is the one proof that it does.

        The owner's always; that of the host that proves the restores where there is one.
        """
        for name in ("recovery", *(["proving"] if self._plan.shown else [])):
            word = self._plan.secrets / f"{name}-password"
            try:
                Repository(self._plan, self.where, word)._restic("cat", "config")  # noqa: SLF001 - its own kind
            except ResticError as error:
                if error.code != _WRONG_PASSWORD:
                    raise
                self._restic("key", "add", "--new-password-file", str(word), "--host", name)

    def save(self, service: str, paths: Sequence[Path], excluded: Iterable[Path]) -> dict[str, Any]:
        """Saves paths as one snapshot; returns restic's own summary of it.

        Raises:
            BackupError: there is no snapshot, or not of all.
        """
        self.reach()
        without = [part for path in excluded for part in ("--exclude", str(path))]
        told = self._making(
            *("backup", "--json", "--host", self._plan.host, "--tag", service),
            *without,
            *map(str, paths),
        )
        summaries = [each for each in map(json.loads, told.splitlines()) if each.get("message_type") == "summary"]
        if not summaries or not summaries[-1].get("snapshot_id"):
            raise BackupError("restic ended well and told of no snapshot")
        return dict(summaries[-1])

    def snapshots(self, host: str, service: str = "") -> list[dict[str, Any]]:
        """The snapshots of a host, the oldest first."""
        self.reach()
        tagged = ["--tag", service] if service else []
        return list(json.loads(self._restic("snapshots", "--json", "--host", host, *tagged)))

    def bring(self, snapshot: str, target: Path) -> int:
        """Writes a snapshot below a folder and reads it again; returns the number of files.

        Raises:
            BackupError: it can't be read, or is not what it was.
        """
        told = self._restic("restore", snapshot, "--json", "--verify", "--target", str(target))
        summaries = [each for each in map(json.loads, told.splitlines()) if each.get("message_type") == "summary"]
        return int(summaries[-1]["total_files"])

    def check(self, part: str) -> None:
        """Checks the repository's structure, and a part of its data by reading it.

        Args:
            part: `n/t`, of which t runs cover all, or a percentage.

        Raises:
            BackupError: it is damaged.
        """
        self.reach()
        self.admit()
        self._unlocked("check", "--read-data-subset", part)

    def copy_from(self, other: Repository) -> None:
        """Copies what is new in another repository; made with its chunker, so that equal data stays equal."""
        source = ["--from-repo", other.where, "--from-password-file", str(other._password)]
        try:
            self._restic("cat", "config")
        except ResticError as error:
            if error.code != MISSING:
                raise
            self._restic("init", *source, "--copy-chunker-params")
        self._restic("copy", *source)

    def reach(self) -> None:
        """Whether its server answers: restic itself asks one that does not for minutes.

        Raises:
            BackupError: it does not.
        """
        if not self.where.startswith("rest:"):
            return
        address = urlsplit(self.where.removeprefix("rest:"))
        try:
            socket.create_connection((address.hostname or "", address.port or 8000), timeout=10).close()
        except OSError as error:
            raise BackupError(f"the backup server {address.netloc} does not answer: {error}") from None

    def _making(self, *arguments: str) -> str:
        """Makes the repository first, where there is none."""
        try:
            return self._unlocked(*arguments)
        except ResticError as error:
            if error.code != MISSING:
                raise
        self.make()
        return self._restic(*arguments)

    def _unlocked(self, *arguments: str) -> str:
        """Takes away what a run that was killed left locked; another that is alive is waited for."""
        try:
            return self._restic(*arguments)
        except ResticError as error:
            if error.code != _LOCKED:
                raise
        self._restic("unlock")
        return self._restic(*arguments, "--retry-lock", "5m")

    def _restic(self, *arguments: str) -> str:
        lock = ["--no-lock"] if self.where.startswith("/") else []
        command = ["restic", "--repo", self.where, "--password-file", str(self._password), *lock, *arguments]
        try:
            done = subprocess.run(
                command, env=self._environment(), capture_output=True, text=True, timeout=self._plan.limit, check=False
            )
        except subprocess.TimeoutExpired as late:
            said = (late.stderr or b"").decode(errors="replace").strip().splitlines()
            why = f": {said[-1]}" if said else ""
            raise ResticError(1, f"restic {arguments[0]} did not end within {self._plan.limit} s{why}") from None
        if done.returncode:
            words = _WORDS.get(done.returncode, "").format(where=self.where)
            raise ResticError(done.returncode, ": ".join(filter(None, (words, _said(done.stderr)))))
        return done.stdout

    def _environment(self) -> dict[str, str]:
        secrets = self._plan.secrets
        words = {
            "RESTIC_REST_PASSWORD": "upload-password",
            "AWS_ACCESS_KEY_ID": "copy-id",
            "AWS_SECRET_ACCESS_KEY": "copy-key",
        }
        files = {name: secrets / file for name, file in words.items()}
        found = {name: file.read_text().strip() for name, file in files.items() if file.exists()}
        # restic collects what it sends in files, for which the container's own /tmp in memory is too small.
        places = {"RESTIC_CACHE_DIR": self._plan.own / "cache", "TMPDIR": self._plan.own / "tmp"}
        places["TMPDIR"].mkdir(mode=0o700, exist_ok=True)
        names = {name: str(place) for name, place in places.items()}
        return {**os.environ, "RESTIC_REST_USERNAME": self._plan.host, **names, **found}


def _said(stderr: str) -> str:
    """The last thing that restic says, out of its JSON where it speaks it."""
    lines = [line for line in stderr.strip().splitlines() if line.strip()]
    for line in reversed(lines):
        try:
            told = json.loads(line)
        except ValueError:
            return line
        error = told.get("error") or {}
        message = told.get("message") or (error.get("message") if isinstance(error, dict) else "")
        if message:
            return str(message)
    return ""
