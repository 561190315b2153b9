"""The step that lets the wiki's database on one host take part in the ring: what one side writes, the other gets.

- One side has a wiki and the other has none, or one in which nobody ever did anything: the latter is filled.
- Both have one and never met: refused, because either could be the true one.
- They take part already: nothing is changed, and whoever has something left to apply is waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.services.bookstack.member import Member, Wiki

if TYPE_CHECKING:
    from components.machine import Machine
    from components.step_program import Given


def run(given: Given, machine: Machine) -> str:
    """Joins the ring, or sees that this side is in it and has applied everything.

    Raises:
        StepError: the database does not answer, replication is stopped, or two wikis claim to be the true one.
    """
    member = Member.of(given, machine)
    wiki, other = member.wiki(member.here), member.other()
    if member.follows() and (wiki is Wiki.USED or (other is not None and member.listens())):
        return member.settled(other)
    filled = not member.met(wiki, other) and member.take_or_keep(wiki, other)
    member.let_in()
    member.follow()
    if other is None:
        return f"ready for {member.peer}, which does not answer yet"
    if filled or other is Wiki.USED:
        member.caught_up()
    return f"{'filled from' if filled else 'joined with'} {member.peer}"
