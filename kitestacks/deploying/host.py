"""One host's deployment: what it keeps is saved, the engine works, and what does not hold is put back with its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.types import duration_seconds
from kitestacks.deploying import visitors
from kitestacks.deploying.changes import Change, changes_of, with_old_images
from kitestacks.deploying.copies import Copies
from kitestacks.deploying.followers import followers
from kitestacks.exits import CommandError, Exit
from kitestacks.orphans_docker import SIMULATED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from components.fleet import Fleet
    from kitestacks.console import Console
    from kitestacks.deploying.engine import Engine
    from kitestacks.deploying.followers import Held
    from kitestacks.deploying.visitors import Ask


@dataclass(frozen=True, kw_only=True)
class HostDeployment:
    """One host that is to be deployed.

    Attributes:
        host: Its name.
        fleet: What the stack files say, seen from it.
        engine: What deploys it.
        console: Where progress is shown.
        changes: The services whose images change.
        copies: The copies of before, on the host.
        followers: The databases on other hosts that follow those of the changes.
        ask: How its sites are asked.
        patience: Seconds that they may take.
    """

    host: str
    fleet: Fleet
    engine: Engine
    console: Console
    changes: tuple[Change, ...]
    copies: Copies
    followers: tuple[Held, ...] = ()
    ask: Ask
    patience: float = visitors.LIMIT

    @classmethod
    def of(cls, host: str, fleet: Fleet, engine: Engine, console: Console, ask: Ask | None = None) -> HostDeployment:
        """What deploying a host from the files as they are now comes to; its sites are asked as this shell's visitors.

        Raises:
            CommandError: the engine does not know the stack.
        """
        outputs, facts = engine.outputs(host), engine.facts(host)
        changes = changes_of(fleet, outputs)
        found = (each for change in changes if change.folders for each in followers(fleet, change.service))
        return cls(
            host=host,
            fleet=fleet,
            engine=engine,
            console=console,
            changes=changes,
            followers=() if facts.docker.endswith(SIMULATED) else tuple(found),
            copies=Copies.on(host, endpoint=facts.docker, root=facts.data, installation=facts.installation),
            ask=ask or visitors.through_the_edge(),
        )

    @property
    def kept(self) -> tuple[Change, ...]:
        """The changes of services that keep data; simulated containers keep none."""
        if self.copies.endpoint.endswith(SIMULATED):
            return ()
        return tuple(change for change in self.changes if change.folders)

    def lines(self) -> list[str]:
        """What will be done, and for how long visitors may notice."""
        start = duration_seconds(self.fleet.own.host.start_timeout)
        found = []
        for change in self.changes:
            what = ", ".join(f"{change.old[setting]} -> {new}" for setting, new in change.new.items())
            how = "nothing is kept"
            if change in self.kept:
                how = (
                    f"its data is saved first; on {self.host} it is away while that is copied, then at most {start} s, "
                    f"and {start} s more if it has to go back"
                )
                if change.elsewhere:
                    names = ", ".join(dump.container for dump in change.elsewhere)
                    how += f"; then {names} is that of before too, for every host: what people did meanwhile is gone"
            found.append(f"{change.service}: {what}; {how}")
        return found

    def run(self) -> None:
        """Saves, deploys, and looks; puts back what does not hold.

        Raises:
            CommandError: it did not hold; the message says what failed and what is there now.
        """
        held: list[Held] = []
        try:
            for each in self.followers:
                each.hold()
                held.append(each)
            self._save()
        except CommandError:
            self._let_go(held)
            raise
        try:
            self.engine.up(self.console, self.host)
            self._hold()
        except CommandError as failure:
            if not self.changes:
                raise
            self._go_back(failure)
        except KeyboardInterrupt:
            raise self._interrupted() from None
        self._let_go(self.followers)

    def _save(self) -> None:
        saved: list[Change] = []
        try:
            for change in self.kept:
                with self.console.step(f"{self.host}: save the data of {change.service}"):
                    self.copies.save(change)
                saved.append(change)
        except CommandError:
            self.copies.start(saved)
            raise

    def _let_go(self, followers: Iterable[Held]) -> None:
        """What was held goes on; where it can't, that must not hide what the deployment has come to."""
        for each in followers:
            try:
                each.let_go()
            except CommandError as error:
                self.console.warn(f"{error.message}: {error.way_out}")

    def _hold(self) -> None:
        unwell = self.copies.unwell(self.kept)
        if unwell:
            raise CommandError(f"not healthy: {', '.join(unwell)}")
        here = [site for site in self.fleet.sites if self.host in site.hosts]
        with self.console.step(f"{self.host}: wait until its sites answer"):
            silent = visitors.silent(here, self.ask, self.patience)
        if silent:
            raise CommandError(f"no answer within {self.patience:g} s: {', '.join(silent)}")

    def _go_back(self, failure: CommandError) -> None:
        """The old images and the data of before, and then the engine once more."""
        file = self.engine.file(self.host)
        file.write_text(with_old_images(file.read_text(), self.changes))
        images = [f"  {path} is {old} again, in {file.name}" for path, old in _settings(self.changes)]
        told: list[str] = []
        try:
            for change in self.kept:
                with self.console.step(f"{self.host}: put back the data of {change.service}"):
                    left = self.copies.bring_back(change)
                told.append(f"  the data of {change.service} is that of before; what the new version left: {left}")
            self.engine.up(self.console, self.host, lifted=[path for path, _ in _settings(self.changes)])
            self._let_go(self.followers)
            state = f"{self.host} runs what it ran before:"
        except CommandError as second:
            self._last_help()
            state = f"{self.host} could not be put back by itself: {second.message}"
        raise CommandError(
            "\n".join([f"the new version on {self.host} did not hold: {failure.message}", state, *told, *images]),
            f"read why above; docker logs on {self.host} has the rest. Then pulumi preview -s {self.host}",
            Exit.RESOURCE,
        )

    def _last_help(self) -> None:
        try:
            self.copies.start(self.kept)
        except CommandError as error:
            self.console.warn(error.message)

    def _interrupted(self) -> CommandError:
        places = ", ".join(f"{self.copies.root}/.before-upgrade/{change.service}" for change in self.kept)
        saved = places or "nothing had to be saved"
        told = [f"interrupted while {self.host} was deployed; the data of before: {saved}"]
        return CommandError(
            "; ".join([*told, *(each.until for each in self.followers)]),
            f"pulumi cancel -s {self.host} --yes, then pulumi up -s {self.host}",
            Exit.CANCELLED,
        )


def _settings(changes: tuple[Change, ...]) -> list[tuple[str, str]]:
    return [
        (path, change.old[setting])
        for change in changes
        for path, setting in zip(change.paths, change.old, strict=True)
    ]


def deploy(
    hosts: list[str],
    fleet_of: Callable[[str], Fleet],
    engine: Engine,
    console: Console,
    *,
    asked: Callable[[HostDeployment], bool],
    ask: Ask | None = None,
) -> bool:
    """Deploys hosts one after the other; False if one was declined.

    Args:
        hosts: In which order.
        fleet_of: What the files say, seen from a host.
        engine: What deploys them.
        console: Where progress is shown.
        asked: Shows what will be done, and whether it shall be.
        ask: How sites are asked; as visitors of this shell unless given.

    Raises:
        CommandError: one did not hold; those after it are as they were.
    """
    for host in hosts:
        deployment = HostDeployment.of(host, fleet_of(host), engine, console, ask)
        if not asked(deployment):
            return False
        deployment.run()
    return True
