"""Moves: containers made by hand are stopped and set aside, or brought back; each run goes on where one was cut off."""
# The Docker SDK brings no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kitestacks.adopting.copies import data_of, outermost
from kitestacks.adopting.found import ASIDE, inspect, look
from kitestacks.adopting.plan import is_database
from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kitestacks.adopting.copies import Copies
    from kitestacks.adopting.declared import Declared
    from kitestacks.adopting.found import FoundContainer
    from kitestacks.adopting.plan import Plan
    from kitestacks.console import Console

GRACE = 120
"""Seconds that a program gets to write everything down."""
AFTER = ".after"
"""Ends the name of a container of the program that made room for the old one again."""
_KILLED = 137
_PATIENCE = 180
_TURN = 0.5


@dataclass(frozen=True, kw_only=True)
class Moves:
    """What is done on a host.

    Attributes:
        client: Its Docker daemon.
        copies: Where its data is copied to.
        console: Where each step is shown.
    """

    client: Any
    copies: Copies
    console: Console

    def set_aside(self, plan: Plan, *, copy: bool) -> None:
        """Stops what is to be taken over, copies its data, and gives its names free; `plan` has nothing to settle.

        Raises:
            CommandError: the disk is too small, or a database did not stop by itself. What was stopped stays stopped.
        """
        pairs = [pair for pair in plan.pairs if not pair.aside]
        notes = self.copies.notes()
        fresh = {pair.old.name: _note(pair.old) for pair in pairs if pair.old.name not in notes}
        self.copies.note({**notes, **fresh})
        sources = outermost(source for pair in pairs for source in data_of(pair, self.copies.root))
        if copy:
            self.copies.room_for(sources)
        for pair in pairs:
            self._stop(pair.old)
        ran = any(pair.old.state == "running" for pair in pairs)
        for source in sources if copy else ():
            with self.console.step(f"copy {source}"):
                self.copies.copy(source, anew=ran)
        for pair in pairs:
            self.client.api.rename(pair.old.name, f"{pair.new.name}{ASIDE}")

    def bring_back(self, declared: Declared) -> list[str]:
        """Stops the program's containers, and starts those that were set aside under their old names.

        Returns:
            The names of what runs again.

        Raises:
            CommandError: nothing was set aside, a name is taken by a third container, or one does not start.
        """
        found, notes = look(self.client), self.copies.notes()
        aside = {name.removesuffix(ASIDE) for name, each in found.items() if name.endswith(ASIDE) and not each.ours}
        # One that has no predecessor any more was taken over for good, by an earlier adoption.
        noted = {name for name in notes if name in aside or (name in found and not found[name].ours)}
        names = sorted(noted | (aside & declared.containers.keys()))
        if not names:
            raise CommandError("nothing was set aside here", "python3 -m kitestacks adopt --help", Exit.CONFIGURATION)
        if third := [name for name in names if name in aside and name in found and not found[name].ours]:
            raise CommandError(
                f"{', '.join(third)}: neither the program's nor what was set aside; nothing was changed",
                "docker rename gives the name free",
                Exit.RESOURCE,
            )
        news = [found[name] for name in names if name in found and found[name].ours]
        for new in sorted(news, key=lambda each: is_database(each.image)):
            self._make_room(new, found)
        for name in names:
            if name in aside:
                self.client.api.rename(f"{name}{ASIDE}", name)
        started = sorted(names, key=lambda name: not is_database(inspect(self.client, name).image))
        for name in started:
            self._start(name, notes.get(name, {"restart": {"Name": "unless-stopped"}, "running": True}))
        self.await_health(name for name in started if notes.get(name, {"running": True})["running"])
        return started

    def await_health(self, names: Iterable[str]) -> None:
        """Waits until each container runs, and is healthy where it has a check.

        Raises:
            CommandError: one is not, within the limit.
        """
        for name in names:
            with self.console.step(f"wait for {name}"):
                end = time.monotonic() + _PATIENCE
                while not is_well(each := inspect(self.client, name)):
                    if time.monotonic() > end or each.state in ("exited", "dead"):
                        said = each.health or each.state
                        raise CommandError(f"{name} is {said}", f"docker logs {name}", Exit.RESOURCE)
                    time.sleep(_TURN)

    def _stop(self, old: FoundContainer) -> None:
        self.client.api.update_container(old.name, restart_policy={"Name": "no"})
        if old.state != "running":
            return
        with self.console.step(f"stop {old.name}", f"at most {GRACE} s"):
            self.client.api.stop(old.name, timeout=GRACE)
        if inspect(self.client, old.name).exit_code != _KILLED:
            return
        if is_database(old.image):
            raise CommandError(
                f"{old.name} did not stop within {GRACE} s and was killed: its data may need repair",
                f"docker start {old.name}, wait until docker logs {old.name} is quiet, then the same command again",
                Exit.RESOURCE,
            )
        self.console.warn(f"{old.name} did not stop by itself and was killed")

    def _make_room(self, new: FoundContainer, found: dict[str, FoundContainer]) -> None:
        """A container of the program keeps nothing inside, so an earlier one that made room is removed."""
        self._stop(new)
        spare = found.get(f"{new.name}{AFTER}")
        if spare is not None and spare.ours:
            self.client.api.remove_container(spare.name, v=False)
        self.client.api.rename(new.name, f"{new.name}{AFTER}")

    def _start(self, name: str, note: dict[str, Any]) -> None:
        self.client.api.update_container(name, restart_policy=note["restart"])
        if note["running"]:
            with self.console.step(f"start {name}"):
                self.client.api.start(name)


def is_well(container: FoundContainer) -> bool:
    """Whether it runs, and is healthy where it has a check: being restarted is not well."""
    return container.state == "running" and container.health in ("", "healthy")


def _note(old: FoundContainer) -> dict[str, Any]:
    restart = {"Name": old.restart, "MaximumRetryCount": old.retries}
    return {"restart": restart, "running": old.state == "running", "image": old.image}
