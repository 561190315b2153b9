"""Member: one of the two databases of the wiki, as the step on its host sees it and the other one.

It changes its own side only. The other is read, with the one account that may follow it. Each side's log holds its own
changes alone (`log_slave_updates` is off), so a position is one number: how far the other side has come.

Facts: `MariaDB/mariadb-docs:server/ha-and-performance/standard-replication/gtid.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from components.backup_runner.marks import CANARY_TABLE
from components.machine import StepError
from components.services.bookstack.side import Side, SilentError
from components.step_program import wait_until

if TYPE_CHECKING:
    from components.machine import Machine
    from components.step_program import Given

USER = "replication"
"""The account with which the other side follows this one, and fills itself."""
_FILLING = "kitestacks_filling"
"""A database that is there while a side is being filled: what an interrupted run left is no wiki."""
_GRANTS = "REPLICATION SLAVE, BINLOG MONITOR, SLAVE MONITOR"
_DUMP_GRANTS = "SELECT, SHOW VIEW, TRIGGER, LOCK TABLES, EVENT"
_GIVE_UP = (
    "move the database's folder of the one that is to be given up aside, on its host, as the runbook says; what is in "
    "it can be read there"
)
_RETRY = 5
"""Seconds between two tries to reach the other side."""


class Wiki(IntEnum):
    """How much of a wiki a side has; the lower one gives way."""

    NONE = 0
    UNTOUCHED = 1
    """Tables, as the app makes them, and nobody has done anything."""
    USED = 2


@dataclass(frozen=True)
class Member:
    """Both sides, as one of them sees them.

    Attributes:
        database: The wiki's database.
        peer: The other host.
        first: Whether this side is the primary, which keeps its wiki where both are untouched.
        here: This side, as its administrator.
        there: The other side, as whoever may follow it.
    """

    database: str
    peer: str
    first: bool
    here: Side
    there: Side

    @classmethod
    def of(cls, given: Given, machine: Machine) -> Member:
        """This side as a step is given it, once its database answers.

        Raises:
            StepError: it does not.
        """
        facts, container = given.facts, given.facts["container"]
        ready = ("healthcheck.sh", "--connect", "--innodb_initialized")
        wait_until(lambda: machine.execute(container, ready).code == 0, f"database {container}")
        here = Side(machine, container, "root", given.secrets["root-password"])
        password = given.secrets["replication-password"]
        there = Side(machine, container, USER, password, address=facts["address"], port=facts["port"])
        return cls(facts["database"], facts["peer"], bool(facts["first"]), here, there)

    def follows(self) -> bool:
        """Whether this side is told to follow the other one, however well it does."""
        status = self.here.replication()
        return (status.get("Master_Host"), status.get("Master_Port")) == (self.there.address, str(self.there.port))

    def wiki(self, side: Side) -> Wiki:
        """How much of a wiki a side has."""
        # The backup's own mark is no wiki.
        named = f"= '{self.database}' AND table_name <> '{CANARY_TABLE}'"
        query = "SELECT COUNT(*), SUM(table_name = 'activities') FROM information_schema.tables WHERE table_schema "
        ((tables, activities),) = side.rows(query + named)
        filling = side.rows(f"SHOW DATABASES LIKE '{_FILLING}'")
        if tables == "0" or filling:
            return Wiki.NONE
        # BookStack writes down there who did what (`BookStackApp/BookStack:app/Activity/Models/Activity.php`).
        nobody = f"SELECT 1 FROM {self.database}.activities LIMIT 1"  # noqa: S608 - a name of ours
        if activities == "1" and not side.rows(nobody):
            return Wiki.UNTOUCHED
        return Wiki.USED

    def other(self) -> Wiki | None:
        """What the other side has; None: it does not answer, or knows nobody yet who may follow it."""
        try:
            return self.wiki(self.there)
        except SilentError:
            return None

    def settled(self, other: Wiki | None) -> str:
        """Takes part already: both threads run, and what the other side wrote is here before the app is changed.

        Raises:
            StepError: replication is stopped, or the other side does not answer.
        """
        self._running()
        if other is None:
            raise StepError(
                f"{self.peer} does not answer, so nobody knows what it has written or migrated: bring it back first "
                f"(docker start {self.here.container}, there)"
            )
        self.caught_up()
        return f"in step with {self.peer}"

    def _running(self) -> None:
        """Starts what somebody stopped; what stopped by itself is a person's to decide."""
        status = self.here.replication()
        if status["Slave_SQL_Running"] != "Yes" and status["Last_SQL_Errno"] != "0":
            raise StepError(f"replication from {self.peer} is stopped, see the runbook: {status['Last_SQL_Error']}")
        if "No" in (status["Slave_SQL_Running"], status["Slave_IO_Running"]):
            self.here.change("START SLAVE")

    def caught_up(self) -> None:
        """Waits for everything that the other side has written so far.

        Raises:
            StepError: replication is stopped, or it takes too long.
        """
        ((wanted,),) = self.there.rows("SELECT @@GLOBAL.gtid_binlog_pos")
        self._wait_for(wanted, f"what {self.peer} has written")

    def _wait_for(self, position: str, what: str) -> None:
        waited = f"SELECT MASTER_GTID_WAIT('{position}', 1)"

        def here() -> bool:
            status = self.here.replication()
            for thread in ("SQL", "IO"):
                if status[f"Slave_{thread}_Running"] == "No" and status[f"Last_{thread}_Errno"] != "0":
                    why = status[f"Last_{thread}_Error"]
                    raise StepError(f"replication from {self.peer} is stopped, see the runbook: {why}")
            return self.here.rows(waited) == [["0"]]

        wait_until(here, what)

    def lets_in(self) -> bool:
        """Whether the other side may follow this one, which begins with its log."""
        asked = f"SELECT 1 FROM mysql.user WHERE user = '{USER}'"  # noqa: S608 - a name of ours
        return bool(self.here.rows(asked))

    def apply_what_arrived(self) -> None:
        """Waits until nothing of what was fetched from the other side is left.

        Raises:
            StepError: replication is stopped, or it takes too long.
        """
        arrived = self.here.replication()["Gtid_IO_Pos"]
        self._wait_for(arrived, f"what arrived from {self.peer}")

    def listens(self) -> bool:
        """Whether it hears the other side, or tries to."""
        return self.here.replication()["Slave_IO_Running"] != "No"

    def met(self, wiki: Wiki, other: Wiki | None) -> bool:
        """Whether both wikis in use are one: the other side has all that this one ever wrote, and they may go on.

        Raises:
            StepError: they never met, or each has what the other lacks; a person decides which is given up.
        """
        if wiki is not Wiki.USED or other is not Wiki.USED:
            return False
        ((domain, log),) = self.here.rows("SELECT @@GLOBAL.gtid_domain_id, @@GLOBAL.gtid_binlog_pos")
        ((peers,),) = self.there.rows("SELECT @@GLOBAL.gtid_domain_id")
        ((known,),) = self.here.rows("SELECT @@GLOBAL.gtid_slave_pos")
        own, seen = _of(domain, log), self._seen_by_other(domain)
        if not seen and not _of(peers, known):
            raise StepError(
                f"this host and {self.peer} both have a wiki that people use, and they never met: {_GIVE_UP}"
            )
        if own != seen and self.there.replication():
            wait_until(lambda: self._seen_by_other(domain) == own, f"{self.peer}, which lacks changes of this host,")
        elif own != seen:
            lost = _number(own) - _number(seen)
            raise StepError(f"{self.peer} went on without the last {lost} changes of this host: {_GIVE_UP}")
        return True

    def take_or_keep(self, wiki: Wiki, other: Wiki | None) -> bool:
        """Fills this side where the other has more of a wiki, else keeps its own; whether it was filled."""
        fills = other is not None and (wiki < other or (wiki == other == Wiki.UNTOUCHED and not self.first))
        if fills:
            self._fill()
        else:
            self._begin_here(other)
        return fills

    def _begin_here(self, other: Wiki | None) -> None:
        """This side's wiki stays as it is.

        Its log begins anew after a mark: whoever follows from before it, without having been filled, is refused. What
        the other side has logged so far belongs to what it gives up.
        """
        ((domain, server, position),) = self.here.rows(
            "SELECT @@GLOBAL.gtid_domain_id, @@GLOBAL.server_id, @@GLOBAL.gtid_binlog_pos"
        )
        number = _number(position) + 1
        ((known,),) = self.there.rows("SELECT @@GLOBAL.gtid_binlog_pos") if other is not None else [[""]]
        self._forget()
        self.here.change(
            "RESET MASTER",
            # In this order: a position that lacks a domain of the log is refused.
            f"SET GLOBAL gtid_slave_pos = '{known}'",
            f"SET GLOBAL gtid_binlog_state = '{domain}-{server}-{number}'",
        )

    def _fill(self) -> None:
        """Takes over the other side's wiki, and goes on counting where the other side saw this one's last change."""
        ((domain,),) = self.here.rows("SELECT @@GLOBAL.gtid_domain_id")
        self._forget()
        # Of what it has fetched from this side's predecessor, nothing may be left to apply.
        wait_until(lambda: self._seen_by_other(domain, "Gtid_IO_Pos") == self._seen_by_other(domain), self.peer)
        seen = self._seen_by_other(domain)
        self.here.change(
            f"CREATE DATABASE IF NOT EXISTS {_FILLING}",
            "RESET MASTER",
            f"DROP DATABASE IF EXISTS {self.database}",
            f"CREATE DATABASE {self.database}",
        )
        self.here.load(self.there, self.database)
        self.here.change(f"SET GLOBAL gtid_binlog_state = '{seen}'", f"DROP DATABASE {_FILLING}")

    def _seen_by_other(self, domain: str, column: str = "") -> str:
        """How far the other side has come in this side's changes: applied, or as a column of its status says."""
        if column:
            status = self.there.replication()
            positions = status.get(column) or self._seen_by_other(domain)
        else:
            ((positions,),) = self.there.rows("SELECT @@GLOBAL.gtid_slave_pos")
        return _of(domain, positions)

    def _forget(self) -> None:
        """Whatever this side followed before; and nobody follows it until it has its data.

        Who follows it already is cut off: on a log that begins anew, that connection would go on and never say a word.
        """
        cut = (f"DROP USER IF EXISTS '{USER}'@'%'", f"KILL CONNECTION USER '{USER}'@'%'")
        self.here.change("STOP SLAVE", "RESET SLAVE ALL", *cut)

    def let_in(self) -> None:
        """From now on the other side may follow this one, and the health check may look at what it says."""
        account = f"'{USER}'@'%'"
        self.here.change(
            f"CREATE OR REPLACE USER {account} IDENTIFIED BY '{self.there.password}'",
            f"GRANT {_GRANTS} ON *.* TO {account}",
            f"GRANT {_DUMP_GRANTS} ON {self.database}.* TO {account}",
            # The health check's: without a password, by being the container's own user.
            "CREATE USER IF NOT EXISTS mysql@localhost IDENTIFIED VIA unix_socket",
            "GRANT SLAVE MONITOR, READ_ONLY ADMIN ON *.* TO mysql@localhost",
        )

    def follow(self) -> None:
        """The private network encrypts, so the connection itself does not."""
        self.here.change(
            "STOP SLAVE",
            f"CHANGE MASTER TO MASTER_HOST = '{self.there.address}', MASTER_PORT = {self.there.port}, "
            f"MASTER_USER = '{USER}', MASTER_PASSWORD = '{self.there.password}', MASTER_SSL = 0, "
            f"MASTER_CONNECT_RETRY = {_RETRY}, MASTER_USE_GTID = slave_pos",
            "START SLAVE",
        )


def _of(domain: str, positions: str) -> str:
    """One side's part of a position; empty: nothing of it."""
    return next((each for each in positions.split(",") if each.partition("-")[0] == domain), "")


def _number(position: str) -> int:
    """How many changes of its side a position counts."""
    return int(position.rpartition("-")[2] or 0)
