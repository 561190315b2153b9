"""Followers: what another host's database would get of a version that is only being tried, and must not yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.host import physical_name
from components.machine import Machine, StepError
from components.services.bookstack.replication import SERVICE_NAME, Pair
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    from components.fleet import Fleet

_LIMIT = 60.0
_TELL = (
    "MYSQL_PWD=$(cat /run/secrets/root-password); export MYSQL_PWD; "
    'exec mariadb --protocol=SOCKET --user=root --batch --execute="$1"'
)


@dataclass(frozen=True, kw_only=True)
class Follower:
    """The wiki's database on the other host, which follows the one of a host that gets another version.

    A version that does not hold goes back with the data of before. What it migrated until then must not be on the other
    host: there nobody would take it back, and the two would differ from then on. So the other side stops following,
    while visitors go on there and this side follows it; then it goes on from where it stopped.

    Attributes:
        host: Where it is.
        of: The host that it follows.
        container: What Docker calls it.
        machine: How it is reached.
    """

    host: str
    of: str
    container: str
    machine: Machine

    @classmethod
    def find(cls, fleet: Fleet, service: str) -> Follower | None:
        """The one that follows what the fleet's own host writes of a service; None: nobody does."""
        pair = Pair.of(fleet) if service == SERVICE_NAME else None
        here = fleet.here
        if pair is None or here not in pair.hosts or not pair.follows(pair.peer(here)):
            return None
        peer = pair.peer(here)
        return cls(
            host=peer,
            of=here,
            container=physical_name(fleet.own.installation, peer, f"{SERVICE_NAME}-db"),
            machine=Machine(fleet.stacks[peer].host.docker, _LIMIT),
        )

    def hold(self) -> None:
        """Stops following.

        Raises:
            CommandError: it does not answer; nothing is changed.
        """
        self._tell("STOP SLAVE", f"{self.host} can't be kept from what the new version on {self.of} does to the data")

    def let_go(self) -> None:
        """Goes on following.

        Raises:
            CommandError: it does not answer.
        """
        self._tell("START SLAVE", f"{self.host} does not follow {self.of} again by itself")

    def _tell(self, statement: str, what: str) -> None:
        try:
            done = self.machine.execute(self.container, ("sh", "-c", _TELL, "sh", statement))
            why = done.err.strip() if done.code else ""
        except StepError as error:
            why = str(error)
        if why:
            raise CommandError(f"{what}: {why}", f"docker restart {SERVICE_NAME}-db on {self.host}", Exit.RESOURCE)
