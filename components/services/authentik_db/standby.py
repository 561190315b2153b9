"""How a copy of the database stands, asked of the running container; and the guard of what a plan makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pulumi

from components.errors import Problem, ProgramError
from components.force import FORCE, is_forced
from components.machine import Machine, StepError
from components.services.authentik_db.writer import DATABASE_SERVICE, LOCAL, USER_SERVICE, primary, switched_to, writer
from components.types import duration_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from components.fleet import Fleet

SCRIPT = "/usr/local/share/kitestacks/copy.sh"
"""Where a copy's own start program lies in its container."""
STATUS = ("sh", SCRIPT, "status")
PATH = f"services.{USER_SERVICE}.database"
"""The setting that decides which copy writes; its guards are lifted by this name."""
_PATIENCE = 30
"""Seconds that a plan waits for an answer; the script itself gives each silent peer ten."""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """What another host's copy answered.

    Attributes:
        role: primary, standby, gone, closed or unclear.
        timeline: The number of its history; 0: not known.
        place: Bytes of log from the beginning of time.
    """

    role: str
    timeline: int
    place: int


@dataclass(frozen=True, kw_only=True)
class CopyState:
    """How a copy stands.

    Attributes:
        role: primary or standby.
        timeline: The number of its history; each promotion begins a new one.
        place: Bytes of log that it has.
        streaming: It gets what is written, right now.
        tables: How many it has.
        age: Seconds since the last transaction that it has; 0 for a primary.
        peers: The others, by host.
        slots: How well the log is kept for each follower: reserved, extended, unreserved or lost.
    """

    role: str
    timeline: int
    place: int
    streaming: bool
    tables: int
    age: int
    peers: Mapping[str, Peer] = field(default_factory=dict)
    slots: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, machine: Machine, container: str) -> CopyState:
        """Asks a running copy.

        Raises:
            StepError: the daemon, the container or the copy does not answer.
        """
        done = machine.execute(container, STATUS)
        lines = (line.partition("=") for line in done.out.splitlines())
        said = {key: value for key, found, value in lines if found}
        if done.code or "role" not in said:
            raise StepError((done.err.strip() or f"{container} says nothing of it").splitlines()[-1])
        return cls(
            role=said["role"],
            timeline=int(said["timeline"]),
            place=int(said["place"]),
            streaming=said["streaming"] != "0",
            tables=int(said["tables"]),
            age=int(said["age"]),
            peers={key: _peer(value) for key, value in _below("peer.", said)},
            slots=dict(_below("slot.", said)),
        )

    def behind(self, host: str) -> int | None:
        """Bytes that it lacks of what another host's copy has written; None: that one can't be asked."""
        peer = self.peers.get(host)
        return max(0, peer.place - self.place) if peer and peer.timeline else None


def _peer(text: str) -> Peer:
    role, timeline, place = text.split()
    return Peer(role=role, timeline=int(timeline), place=int(place))


def _below(prefix: str, said: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((key.removeprefix(prefix), value) for key, value in said.items() if key.startswith(prefix))


def describe(here: str, state: CopyState, follows: str) -> str:
    """One line about a copy, for a person."""
    if state.role == "primary":
        kept = ", ".join(f"for {name} {status}" for name, status in state.slots.items())
        return f"{DATABASE_SERVICE} on {here} writes, timeline {state.timeline}; log kept: {kept or 'for nobody'}"
    last = f"its last transaction is {span(state.age)} old"
    behind = state.behind(follows)
    missing = "how much it lacks can't be known" if behind is None else f"it lacks {behind} bytes"
    how = "follows" if state.streaming else "does NOT follow"
    return f"{DATABASE_SERVICE} on {here} {how} {follows}: {missing}, {last}"


def span(seconds: int) -> str:
    """Seconds as people say them."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def check_promotion(fleet: Fleet, container: str, resource: pulumi.Resource) -> None:
    """With a plan: says how far this host's copy is behind, and refuses what would lose or split the data.

    Raises:
        ProgramError: the plan promotes a copy that is empty, stale or not alone, or ends the only one that writes.
    """
    if not pulumi.runtime.is_dry_run():
        return
    here, writes = fleet.here, writer(fleet) or ""
    try:
        state = CopyState.read(Machine(fleet.own.host.docker, limit=_PATIENCE), container)
    except StepError as error:
        pulumi.log.info(f"how far {DATABASE_SERVICE} on {here} is behind can't be known: {error}", resource)
        rules = list(_unknown(fleet))
    else:
        usual = writes if writes != here else primary(fleet) or ""
        follows = next((host for host, peer in state.peers.items() if peer.role == "primary"), usual)
        pulumi.log.info(describe(here, state, follows), resource)
        rules = list(refusals(fleet, state))
    if rules and not is_forced(PATH):
        insist = f"insist once with {FORCE}={PATH}"
        problems = [Problem(path=PATH, rule=rule, way_out=f"{way_out}; or {insist}") for rule, way_out in rules]
        raise ProgramError(f"Pulumi.{here}.yaml", problems)


def _unknown(fleet: Fleet) -> Iterator[tuple[str, str]]:
    if fleet.here in switched_to(fleet):
        rule = f"must not be {LOCAL!r} while nobody can tell whether the copy on {fleet.here} has the data"
        yield rule, f"docker start {DATABASE_SERVICE} on {fleet.here}, and look again"


def refusals(fleet: Fleet, state: CopyState) -> Iterator[tuple[str, str]]:
    """What must not be made of a running copy: the rule, and the way out."""
    here, writes = fleet.here, writer(fleet)
    writing = [host for host, peer in state.peers.items() if peer.role == "primary"]
    if state.role == "primary" and writes != here:
        if not any(state.peers[host].timeline > state.timeline for host in writing):
            rule = f"must still let {here} write: no other copy does, and what only {here} has would be left behind"
            yield rule, f"switch first: python3 -m kitestacks database switch -s {writes}"
        return
    if state.role == "primary" or writes != here:
        return
    if writing:
        rule = f"must not promote the copy on {here} while {writing[0]} writes: two would write apart"
        yield rule, f"for a planned switch: python3 -m kitestacks database switch -s {here}"
    if not state.tables:
        yield (
            f"must not promote the copy on {here}: it is empty",
            f"let it copy first: pulumi up -s {here} without this",
        )
    oldest = fleet.own.service_settings[DATABASE_SERVICE].stale_after
    if state.age > duration_seconds(oldest):
        rule = f"must not promote the copy on {here}: its last transaction is {span(state.age)} old, more than {oldest}"
        yield rule, "if the other host has been gone for that long, nothing later exists"
