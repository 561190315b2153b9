"""The step that adds Forgejo's first administrator and its login source, which only Forgejo's own command can add.

The command takes passwords as arguments alone. They reach the container by standard input, and become arguments only
inside it, where nobody but Forgejo runs.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from components.machine import StepError
from components.step_program import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.machine import Done, Machine
    from components.step_program import Given

_NOTE = "/var/lib/gitea/custom/kitestacks-login-source"
"""What the login source was last set to, as a digest: Forgejo's command shows its name, and nothing else of it."""


def run(given: Given, machine: Machine) -> str:
    """Makes the administrator or sets his password; adds the login source or sets it anew, where either differs.

    Raises:
        StepError: Forgejo does not answer, or refuses something.
    """
    forgejo = _Forgejo(given, machine)
    wait_until(forgejo.is_up, f"Forgejo in {forgejo.container}")
    done = [forgejo.keep_admin()]
    if given.facts["source"]:
        done.append(forgejo.keep_source())
    return "; ".join(done)


class _Forgejo:
    def __init__(self, given: Given, machine: Machine) -> None:
        self.container = given.facts["container"]
        self._facts = given.facts
        self._secrets = given.secrets
        self._machine = machine
        self._address = f"http://127.0.0.1:{given.facts['port']}"

    def is_up(self) -> bool:
        asked = ("curl", "-fsS", "-o", "/dev/null", f"{self._address}/api/healthz")
        return self._machine.execute(self.container, asked).code == 0

    def keep_admin(self) -> str:
        name, password = self._facts["admin"], self._secrets["admin-password"]
        listed = self._must(["forgejo", "admin", "user", "list"], "list its users")
        if name not in _column(listed.out, 1):
            options = ["--admin", "--username", name, "--email", self._facts["email"], "--must-change-password=false"]
            self._must(
                ["sh", "-c", 'read -r P; exec forgejo admin user create --password "$P" "$@"', "sh", *options],
                f"make {name}",
                password,
            )
            return f"administrator {name} is made"
        if self._lets_in(name, password):
            return f"administrator {name} is there"
        options = ["--username", name, "--must-change-password=false"]
        self._must(
            ["sh", "-c", 'read -r P; exec forgejo admin user change-password --password "$P" "$@"', "sh", *options],
            f"set the password of {name}",
            password,
        )
        return f"the password of {name} is set"

    def keep_source(self) -> str:
        name = self._facts["source"]
        listed = self._must(["forgejo", "admin", "auth", "list"], "list its login sources")
        found = [line[0] for line in _rows(listed.out) if line[1] == name]
        if len(found) > 1:
            raise StepError(
                f"Forgejo has {len(found)} login sources called {name}: delete all but one, "
                f"`docker exec {self.container} forgejo admin auth delete --id {found[-1]}`"
            )
        if not found:
            self._set_source("add-oauth", [])
            self._write_note()
            return f"login source {name} is added"
        if self._note() == self._digest():
            return f"login source {name} is as it should be"
        self._set_source("update-oauth", ["--id", found[0]])
        self._restart()
        self._write_note()
        return f"login source {name} is set anew, and Forgejo has started with it"

    def _set_source(self, action: str, which: Sequence[str]) -> None:
        script = f'read -r KEY; read -r SECRET; exec forgejo admin auth {action} --key "$KEY" --secret "$SECRET" "$@"'
        secrets = [self._secrets["client-id"], self._secrets["client-secret"]]
        self._must(["sh", "-c", script, "sh", *which, *self._options()], "set its login source", *secrets)

    def _options(self) -> list[str]:
        return [
            *("--name", self._facts["source"]),
            *("--provider", "openidConnect"),
            *("--auto-discover-url", self._facts["discovery"]),
            *("--scopes", "email", "--scopes", "profile"),
            *("--group-claim-name", "groups"),
            *("--admin-group", self._facts["admin_group"]),
            "--skip-local-2fa",
        ]

    def _restart(self) -> None:
        """Ends Forgejo, which Docker starts again: it goes on with the source that it read at its start."""
        before = self._started()
        self._machine.execute(self.container, ("forgejo", "manager", "shutdown"))
        wait_until(lambda: self._started() not in ("", before) and self.is_up(), f"Forgejo in {self.container}")

    def _started(self) -> str:
        """When the container's first process began, in the kernel's ticks; empty while there is none."""
        return self._machine.execute(self.container, ("cut", "-d", " ", "-f", "22", "/proc/1/stat")).out.strip()

    def _lets_in(self, name: str, password: str) -> bool:
        """Whether the password opens the account; curl reads it as configuration from standard input."""
        asked = ("curl", "-fsS", "-o", "/dev/null", "-K", "-", f"{self._address}/api/v1/user")
        return self._machine.execute(self.container, asked, stdin=f'user = "{name}:{password}"\n').code == 0

    def _digest(self) -> str:
        said = json.dumps([self._options(), self._secrets["client-id"], self._secrets["client-secret"]])
        return hashlib.sha256(said.encode()).hexdigest()

    def _note(self) -> str:
        return self._machine.execute(self.container, ("cat", _NOTE)).out.strip()

    def _write_note(self) -> None:
        self._must(["sh", "-c", f"cat > {_NOTE}"], "keep a note of its login source", self._digest())

    def _must(self, command: Sequence[str], what: str, *lines: str) -> Done:
        """Runs a command with these lines on its standard input; what it says when it fails is shown without them."""
        done = self._machine.execute(self.container, command, stdin="".join(f"{line}\n" for line in lines))
        if done.code:
            said = done.err.strip() or done.out.strip()
            for line in lines:
                said = said.replace(line, "...")
            raise StepError(f"Forgejo in {self.container} could not {what}: {said}")
        return done


def _rows(table: str) -> list[list[str]]:
    """The lines of a table of Forgejo's command, which begin with a number; what it logs besides begins with a day."""
    rows = [line.split() for line in table.splitlines()]
    return [row for row in rows if len(row) > 1 and row[0].isdigit()]


def _column(table: str, index: int) -> set[str]:
    return {row[index] for row in _rows(table)}
