"""The step of `data: read-only`: one side's database is written, the other's follows it and takes no writes.

Every database starts read-only. The primary's is opened by this step, and by its health check after a restart; never
while the other side is written. Another `site.primary` in the stack files makes the follower the writer: first the old
writer's host is deployed, which closes it, then the new one's, which opens it once it has everything.

A writer that is gone can't be asked what it wrote last. Its follower is opened only if the owner insists.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.force import FORCE
from components.machine import StepError
from components.services.bookstack.member import Member, Wiki
from components.services.bookstack.replication import PRIMARY

if TYPE_CHECKING:
    from components.machine import Machine
    from components.step_program import Given

_OPEN, _CLOSED = "SET GLOBAL read_only = 0", "SET GLOBAL read_only = 1"


def run(given: Given, machine: Machine) -> str:
    """Makes this side the writer, or the follower, as the stack files say.

    Raises:
        StepError: the database does not answer, replication is stopped, the other side is still written, or this side
            may lack what the other one wrote.
    """
    member = Member.of(given, machine)
    return _write(member, insisted=bool(given.facts["insisted"])) if member.first else _follow(member)


def _write(member: Member, *, insisted: bool) -> str:
    wiki, other = member.wiki(member.here), member.other()
    if other is not None and _is_writer(member):
        raise StepError(
            f"{member.peer} is still written, and a second writer would split the wiki: first `pulumi up -s "
            f"{member.peer}`, which closes it there"
        )
    if member.follows():
        _has_everything(member, other, insisted=insisted)
        member.here.change("STOP SLAVE", "RESET SLAVE ALL")
    elif not member.lets_in() and not member.met(wiki, other):
        member.take_or_keep(wiki, other)
    member.let_in()
    member.here.change(_OPEN)
    return "is written" if other is not None else f"is written, ready for {member.peer}, which does not answer"


def _is_writer(member: Member) -> bool:
    """Whether the other side takes writes that nobody would bring here; a new fleet's first side follows already."""
    return member.there.rows("SELECT @@GLOBAL.read_only") == [["0"]] and not member.there.replication()


def _has_everything(member: Member, other: Wiki | None, *, insisted: bool) -> None:
    """This side has applied what the writer wrote; or, insisted on, all that ever arrived."""
    if other is not None:
        member.caught_up()
        return
    member.apply_what_arrived()
    if not insisted:
        raise StepError(
            f"{member.peer} does not answer, so nobody knows whether this host has all that was written there: bring "
            f"it back, or insist once with {FORCE}={PRIMARY}"
        )


def _follow(member: Member) -> str:
    member.here.change(_CLOSED)
    wiki, other = member.wiki(member.here), member.other()
    if member.follows() and (wiki is Wiki.USED or (other is not None and member.listens())):
        member.let_in()
        return member.settled(other)
    filled = not member.met(wiki, other) and member.take_or_keep(wiki, other)
    member.let_in()
    member.follow()
    if other in (None, Wiki.NONE) and wiki is not Wiki.USED:
        # A new fleet's first host: somebody has to make the tables, and the health check closes it afterwards.
        member.here.change(_OPEN)
        return f"ready for {member.peer}, which has no wiki yet"
    if other is None:
        return f"ready for {member.peer}, which does not answer"
    member.caught_up()
    return f"filled from {member.peer}" if filled else f"follows {member.peer}"
