"""Followers: what another host's database would get of a version that is only being tried, and must not yet."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.host import physical_name
from components.machine import Machine, StepError
from components.services.bookstack.replication import SERVICE_NAME, Pair
from components.settings import service_class
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from components.fleet import Fleet
    from components.machine import Done

_LIMIT = 180.0
"""Seconds that one command may take; a database is stopped gently."""
_TELL = (
    "MYSQL_PWD=$(cat /run/secrets/root-password); export MYSQL_PWD; "
    'exec mariadb --protocol=SOCKET --user=root --batch --execute="$1"'
)


@dataclass(frozen=True, kw_only=True)
class Follower(ABC):
    """A database that follows the one of a host whose service gets another version.

    A version that does not hold goes back with the data of before. What it changed until then must not be on the other
    host: there nobody would take it back, and the two would differ from then on. So the other side is held, and goes on
    from where it was.

    Attributes:
        host: Where it is.
        of: The host that it follows.
        container: What people call it.
        physical: What Docker calls it.
        machine: How it is reached.
    """

    host: str
    of: str
    container: str
    physical: str
    machine: Machine

    def hold(self) -> None:
        """Keeps it from following.

        Raises:
            CommandError: it can't be told; nothing is changed.
        """
        self._ended(self.hold_it, f"{self.host} can't be kept from what the new version on {self.of} does to the data")

    def let_go(self) -> None:
        """Goes on following.

        Raises:
            CommandError: it can't be told.
        """
        self._ended(self.let_it_go, f"{self.host} does not follow {self.of} again by itself")

    @abstractmethod
    def hold_it(self) -> Done:
        """The one command that does it."""

    @abstractmethod
    def let_it_go(self) -> Done:
        """The one command that does it."""

    def _ended(self, command: Callable[[], Done], what: str) -> None:
        try:
            done = command()
            why = (done.err.strip() or f"status {done.code}") if done.code else ""
        except StepError as error:
            why = str(error)
        if why:
            raise CommandError(f"{what}: {why}", f"docker restart {self.container} on {self.host}", Exit.RESOURCE)


class Wiki(Follower):
    """The wiki's database: visitors go on there meanwhile; this side follows it, and it does not follow this side."""

    def hold_it(self) -> Done:
        """Stops following; the server runs on."""
        return self._tell("STOP SLAVE")

    def let_it_go(self) -> Done:
        """Follows again."""
        return self._tell("START SLAVE")

    def _tell(self, statement: str) -> Done:
        return self.machine.execute(self.physical, ("sh", "-c", _TELL, "sh", statement))


class Standby(Follower):
    """A copy that only follows, and that nobody reads: it is stopped, and the writer keeps its log for it."""

    def hold_it(self) -> Done:
        """Stops it."""
        return self.machine.docker("stop", "-t", str(int(_LIMIT)), self.physical)

    def let_it_go(self) -> Done:
        """Starts it."""
        return self.machine.docker("start", self.physical)


def followers(fleet: Fleet, service: str) -> Iterator[Follower]:
    """Those that follow what the fleet's own host writes of a service."""
    kind, here = service_class(service), fleet.here
    if kind.replicated and kind.writer(fleet) == here:
        for host in fleet.hosts_of(service):
            if host != here:
                yield Standby(**_place(fleet, host, service))
    pair = Pair.of(fleet) if service == SERVICE_NAME else None
    if pair and here in pair.hosts and pair.follows(pair.peer(here)):
        yield Wiki(**_place(fleet, pair.peer(here), f"{SERVICE_NAME}-db"))


def _place(fleet: Fleet, host: str, container: str) -> dict[str, Any]:
    return {
        "host": host,
        "of": fleet.here,
        "container": container,
        "physical": physical_name(fleet.own.installation, host, container),
        "machine": Machine(fleet.stacks[host].host.docker, _LIMIT),
    }
