"""The step of `data: copy`: lets the other host copy the primary's wiki, and on that host makes a copy at once.

The copies are made by `copy.sh`, now and then, in a container of their own. The step makes one before the wiki starts,
and again when the wiki's image is another: then the primary has migrated, and here nothing is left to migrate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.machine import StepError
from components.services.bookstack.member import Member, Wiki
from components.services.bookstack.replication import COPY_SCRIPT

if TYPE_CHECKING:
    from components.machine import Machine
    from components.step_program import Given

COPIER = "copier"
"""The account that puts copies in place; it may touch the wiki's database and the copier's own."""
_WRITTEN, _SILENT, _EMPTY = 3, 4, 5
"""What `copy.sh` ends with."""
_OWN = ("kitestacks_new", "kitestacks_old", "kitestacks_written", "kitestacks_copy")
_MADE = (
    "CREATE TABLE IF NOT EXISTS kitestacks_copy.made "
    "(fingerprint CHAR(64) PRIMARY KEY, made TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)"
)


def run(given: Given, machine: Machine) -> str:
    """Lets the accounts in, and copies where this host is not the primary.

    Raises:
        StepError: the database does not answer, people wrote on this host's copy, or the primary is silent while the
            copy here is in use.
    """
    member = Member.of(given, machine)
    member.let_in()
    if member.first:
        return f"may be copied by {member.peer}"
    _let_copier_in(member)
    done = machine.execute(given.facts["copier"], ("bash", COPY_SCRIPT, "once"))
    said = (done.err.strip() or "no word of why").splitlines()[-1]
    if done.code == 0:
        return said
    if done.code == _WRITTEN:
        raise StepError(f"{said}: the runbook says how to carry it over, or to give it up")
    if done.code in (_SILENT, _EMPTY) and member.wiki(member.here) is not Wiki.USED:
        return f"ready for {member.peer}, which {'does not answer' if done.code == _SILENT else 'has no wiki'} yet"
    if done.code == _SILENT:
        raise StepError(
            f"{member.peer} does not answer, so nobody knows what it has migrated: bring it back first "
            f"(docker start {member.here.container}, there)"
        )
    raise StepError(f"no copy was made, and the one of before stays: {said}")


def _let_copier_in(member: Member) -> None:
    account = f"'{COPIER}'@'%'"
    member.here.change(
        f"CREATE OR REPLACE USER {account} IDENTIFIED BY '{member.there.password}'",
        *(f"GRANT ALL ON {name}.* TO {account}" for name in (member.database, *_OWN)),
        "CREATE DATABASE IF NOT EXISTS kitestacks_copy",
        _MADE,
    )
