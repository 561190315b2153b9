"""The step that lets the wiki's database on one host take part in the ring: what one side writes, the other gets.

It changes its own side only. The other is read, with the one account that may follow it. What may happen:

- One side has a wiki and the other has none, or one in which nobody ever did anything: the latter is filled.
- Both have one and never met: refused, because either could be the true one.
- They take part already: nothing is changed, and whoever has something left to apply is waited for.

Facts: `MariaDB/mariadb-docs:server/ha-and-performance/standard-replication/gtid.md`. Each side's log holds its own
changes alone (`log_slave_updates` is off), so a position is one number: how far the other side has come.
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
_RETRY = 5
"""Seconds between two tries to reach the other side."""


class Wiki(IntEnum):
    """How much of a wiki a side has; the lower one gives way."""

    NONE = 0
    UNTOUCHED = 1
    """Tables, as the app makes them, and nobody has done anything."""
    USED = 2


def run(given: Given, machine: Machine) -> str:
    """Joins the ring, or sees that this side is in it and has applied everything.

    Raises:
        StepError: the database does not answer, replication is stopped, or two wikis claim to be the true one.
    """
    facts, container = given.facts, given.facts["container"]
    ready = ("healthcheck.sh", "--connect", "--innodb_initialized")
    wait_until(lambda: machine.execute(container, ready).code == 0, f"database {container}")
    here = Side(machine, container, "root", given.secrets["root-password"])
    password = given.secrets["replication-password"]
    there = Side(machine, container, USER, password, address=facts["address"], port=facts["port"])
    return _Ring(facts["database"], facts["peer"], bool(facts["first"]), here, there).join()


@dataclass(frozen=True)
class _Ring:
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

    def join(self) -> str:
        """Looks, and does what is missing."""
        wiki, other = self._wiki(self.here), self._other()
        status = self.here.replication()
        member = status.get("Master_Host") == self.there.address and status.get("Master_Port") == str(self.there.port)
        if member and (wiki is Wiki.USED or (other is not None and status["Slave_IO_Running"] != "No")):
            return self._settled(other)
        if wiki is Wiki.USED and other is Wiki.USED:
            raise StepError(
                f"this host and {self.peer} both have a wiki that people use, and they never met: move the database's "
                "folder of the one that is to be given up aside, on its host, as the runbook says"
            )
        fills = other is not None and (wiki < other or (wiki == other == Wiki.UNTOUCHED and not self.first))
        if fills:
            self._fill()
        else:
            self._begin_here(other)
        self._let_in()
        self._follow()
        if other is None:
            return f"ready for {self.peer}, which does not answer yet"
        if fills or other is Wiki.USED:
            self._caught_up()
        return f"{'filled from' if fills else 'joined with'} {self.peer}"

    def _wiki(self, side: Side) -> Wiki:
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

    def _other(self) -> Wiki | None:
        """What the other side has; None: it does not answer, or knows nobody yet who may follow it."""
        try:
            return self._wiki(self.there)
        except SilentError:
            return None

    def _settled(self, other: Wiki | None) -> str:
        """Takes part already: both threads run, and what the other side wrote is here before the app is changed."""
        self._running()
        if other is None:
            raise StepError(
                f"{self.peer} does not answer, so nobody knows what it has written or migrated: bring it back first "
                f"(docker start {self.here.container}, there)"
            )
        self._caught_up()
        return f"in step with {self.peer}"

    def _running(self) -> None:
        """Starts what somebody stopped; what stopped by itself is a person's to decide."""
        status = self.here.replication()
        if status["Slave_SQL_Running"] != "Yes" and status["Last_SQL_Errno"] != "0":
            raise StepError(f"replication from {self.peer} is stopped, see the runbook: {status['Last_SQL_Error']}")
        if "No" in (status["Slave_SQL_Running"], status["Slave_IO_Running"]):
            self.here.change("START SLAVE")

    def _caught_up(self) -> None:
        """Waits for everything that the other side has written so far."""
        ((wanted,),) = self.there.rows("SELECT @@GLOBAL.gtid_binlog_pos")
        waited = f"SELECT MASTER_GTID_WAIT('{wanted}', 1)"

        def here() -> bool:
            status = self.here.replication()
            for thread in ("SQL", "IO"):
                if status[f"Slave_{thread}_Running"] == "No" and status[f"Last_{thread}_Errno"] != "0":
                    why = status[f"Last_{thread}_Error"]
                    raise StepError(f"replication from {self.peer} is stopped, see the runbook: {why}")
            return self.here.rows(waited) == [["0"]]

        wait_until(here, f"what {self.peer} has written")

    def _begin_here(self, other: Wiki | None) -> None:
        """This side's wiki stays as it is.

        Its log begins anew after a mark: whoever follows from before it, without having been filled, is refused. What
        the other side has logged so far belongs to what it gives up.
        """
        ((domain, server, position),) = self.here.rows(
            "SELECT @@GLOBAL.gtid_domain_id, @@GLOBAL.server_id, @@GLOBAL.gtid_binlog_pos"
        )
        number = int(position.rpartition("-")[2] or 0) + 1
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
        return next((each for each in positions.split(",") if each.partition("-")[0] == domain), "")

    def _forget(self) -> None:
        """Whatever this side followed before; and nobody follows it until it has its data.

        Who follows it already is cut off: on a log that begins anew, that connection would go on and never say a word.
        """
        cut = (f"DROP USER IF EXISTS '{USER}'@'%'", f"KILL CONNECTION USER '{USER}'@'%'")
        self.here.change("STOP SLAVE", "RESET SLAVE ALL", *cut)

    def _let_in(self) -> None:
        account = f"'{USER}'@'%'"
        self.here.change(
            f"CREATE USER {account} IDENTIFIED BY '{self.there.password}'",
            f"GRANT {_GRANTS} ON *.* TO {account}",
            f"GRANT {_DUMP_GRANTS} ON {self.database}.* TO {account}",
            # The health check's: without a password, by being the container's own user.
            "CREATE USER IF NOT EXISTS mysql@localhost IDENTIFIED VIA unix_socket",
            "GRANT SLAVE MONITOR ON *.* TO mysql@localhost",
        )

    def _follow(self) -> None:
        """The private network encrypts, so the connection itself does not."""
        self.here.change(
            f"CHANGE MASTER TO MASTER_HOST = '{self.there.address}', MASTER_PORT = {self.there.port}, "
            f"MASTER_USER = '{USER}', MASTER_PASSWORD = '{self.there.password}', MASTER_SSL = 0, "
            f"MASTER_CONNECT_RETRY = {_RETRY}, MASTER_USE_GTID = slave_pos",
            "START SLAVE",
        )
