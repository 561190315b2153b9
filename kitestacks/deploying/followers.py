"""Followers: what another host's database would get of a version that is only being tried, and must not yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.machine import Machine, StepError
from components.settings import service_class
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from components.fleet import Fleet
    from components.follower import Follower

_LIMIT = 240.0
"""Seconds that one command may take; a database is stopped gently."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """A database that follows the one of a host whose service gets another version.

    A version that does not hold goes back with the data of before. What it changed until then must not be on the other
    host: there nobody would take it back, and the two would differ from then on. So the other side is held, and goes on
    from where it was.

    Attributes:
        follower: The database.
        of: The host that it follows.
        machine: How its host is reached.
    """

    follower: Follower
    of: str
    machine: Machine

    @property
    def until(self) -> str:
        """What it comes to if it is never let go."""
        return f"{self.follower.host} does not follow {self.of} until docker restart {self.follower.container} there"

    def hold(self) -> None:
        """Keeps it from following.

        Raises:
            CommandError: it can't be told; nothing is changed.
        """
        what = f"{self.follower.host} can't be kept from what the new version on {self.of} does to the data"
        self._tell(self.follower.hold, what)

    def let_go(self) -> None:
        """Goes on following.

        Raises:
            CommandError: it can't be told.
        """
        self._tell(self.follower.let_go, f"{self.follower.host} does not follow {self.of} again by itself")

    def _tell(self, words: Sequence[str], what: str) -> None:
        try:
            done = self.machine.docker(*words)
            why = (done.err.strip() or f"status {done.code}") if done.code else ""
        except StepError as error:
            why = str(error)
        if why:
            way_out = f"docker restart {self.follower.container} on {self.follower.host}"
            raise CommandError(f"{what}: {why}", way_out, Exit.RESOURCE)


def followers(fleet: Fleet, service: str) -> Iterator[Held]:
    """Those that follow what the fleet's own host writes of a service, as the service says."""
    for follower in service_class(service).followers(fleet):
        machine = Machine(fleet.stacks[follower.host].host.docker, _LIMIT)
        yield Held(follower=follower, of=fleet.here, machine=machine)
