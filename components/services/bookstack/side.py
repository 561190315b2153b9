"""Side: one database of the ring, asked and changed by the client in this host's own database container."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.machine import StepError

if TYPE_CHECKING:
    from components.machine import Done, Machine

_CLIENT = "mariadb --no-auto-rehash --batch --connect-timeout=5"
_OWN = "--protocol=SOCKET"
_UNLOGGED = "--init-command='SET SESSION sql_log_bin = 0'"
"""What a step does to one side must not reach the other."""
_COMPLETE = "-- Dump completed"


class SilentError(StepError):
    """A side does not answer, or lets nobody in."""


@dataclass(frozen=True)
class Side:
    """A database.

    Attributes:
        machine: Where the container is.
        container: The container whose client is used.
        user: Who asks.
        password: Its password; it goes by standard input.
        address: Where it answers; empty: it is the container's own.
        port: Its port there.
    """

    machine: Machine
    container: str
    user: str
    password: str
    address: str = ""
    port: int = 0

    @property
    def _place(self) -> str:
        # WireGuard encrypts what goes between the hosts.
        return f"--protocol=TCP --skip-ssl -h {self.address} -P {self.port}" if self.address else _OWN

    def rows(self, query: str) -> list[list[str]]:
        """The answer, as text.

        Raises:
            SilentError: no connection.
            StepError: the query is refused.
        """
        return [line.split("\t") for line in self._run("--skip-column-names", query).splitlines()]

    def replication(self) -> dict[str, str]:
        """What the side says of the one that it follows, by MariaDB's own names; empty: it follows none."""
        lines = self._run("--vertical", "SHOW SLAVE STATUS").splitlines()
        pairs = (line.strip().partition(":") for line in lines if ":" in line)
        return {name: value.strip() for name, _, value in pairs}

    def change(self, *statements: str) -> None:
        """Runs statements that the other side is not told of.

        Raises:
            StepError: one of them is refused; those before it are done.
        """
        self._run(_UNLOGGED, ";\n".join(statements))

    def load(self, other: Side, database: str) -> None:
        """Replaces a database by the other side's, and takes over the position that belongs to it.

        The dump lies in a private file for as long as it takes: a pipe would hide a dump that ended early.

        Raises:
            StepError: the dump is incomplete, or is refused.
        """
        dump = f"mariadb-dump {other._place} -u {other.user} --single-transaction --master-data=1 --gtid {database}"
        script = (
            "set -e; umask 077; read -r there; read -r here; file=$(mktemp); trap 'rm -f \"$file\"' EXIT; "
            f'MYSQL_PWD="$there" {dump} >"$file"; tail -n 1 "$file" | grep -q "^{_COMPLETE}"; '
            f'MYSQL_PWD="$here" {_CLIENT} {self._place} -u {self.user} {_UNLOGGED} {database} <"$file"'
        )
        self._ended(self._execute(script, f"{other.password}\n{self.password}\n"), other)

    def _run(self, options: str, statements: str) -> str:
        script = f"read -r MYSQL_PWD; export MYSQL_PWD; exec {_CLIENT} {options} {self._place} -u {self.user}"
        ended = self._execute(script, f"{self.password}\n{statements};\n")
        # ERROR 1045 and 1130: access denied; 2002 to 2026: the client's own, no connection.
        if ended.code and self.address and any(f"ERROR {code}" in ended.err for code in ("1045", "1130", "20")):
            raise SilentError(f"{self.address} does not let {self.user} in")
        self._ended(ended, self)
        return ended.out

    def _execute(self, script: str, stdin: str) -> Done:
        return self.machine.execute(self.container, ("sh", "-c", script), stdin=stdin)

    def _ended(self, ended: Done, other: Side) -> None:
        if ended.code == 0:
            return
        said = ended.err.strip() or "no word of why"
        for secret in (self.password, other.password):
            said = said.replace(secret, "...")
        raise StepError(f"the database in {self.container}: {said}")
