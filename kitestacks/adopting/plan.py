"""Plan: an installation made by hand against what is declared, and everything that has to be settled between them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from components.errors import Problem
from kitestacks.adopting.found import ASIDE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitestacks.adopting.declared import Declared, DeclaredContainer
    from kitestacks.adopting.found import FoundContainer

POSTGRES_OLD = "/var/lib/postgresql/data"
POSTGRES_NEW = "/var/lib/postgresql"
"""From version 18 on, the data lies in `<version>/docker` below it (`docker-library/docs:postgres/content.md`)."""


class When(Enum):
    """When a finding has to be settled.

    Attributes:
        BEFORE: Now; nothing is stopped until it is.
        STOPPED: After `--do`, while nothing runs, and before `pulumi up`.
        LATER: It loses nothing.
    """

    BEFORE = "before --do"
    STOPPED = "between --do and up"
    LATER = "to know"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One difference.

    Attributes:
        when: When it has to be settled.
        problem: Where it is, what must hold, and the way out.
    """

    when: When
    problem: Problem


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A container made by hand, and the declared one that takes its place.

    Attributes:
        old: What runs.
        new: What is declared.
    """

    old: FoundContainer
    new: DeclaredContainer

    @property
    def aside(self) -> bool:
        """Whether the old one is set aside already."""
        return self.old.name != self.new.name

    def takes_over(self, target: str) -> bool:
        """Whether the declared container mounts what the old one has at a path."""
        return target in self.new.mounts or (target == POSTGRES_OLD and POSTGRES_NEW in self.new.mounts)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What would be taken over.

    Attributes:
        pairs: What is to be taken over, programs before the databases that they use; some may be set aside already.
        taken: Containers of the program whose predecessors still stand aside.
        others: Containers that no declaration speaks of; they are left alone.
        findings: All differences.
    """

    pairs: tuple[Pair, ...]
    taken: tuple[FoundContainer, ...]
    others: tuple[FoundContainer, ...]
    findings: tuple[Finding, ...]

    def at(self, when: When) -> list[Problem]:
        """The findings of one moment."""
        return [finding.problem for finding in self.findings if finding.when is when]


def finding(when: When, path: str, rule: str, way_out: str) -> Finding:
    """A finding in one line."""
    return Finding(when=when, problem=Problem(path=path, rule=rule, way_out=way_out))


def pairs_of(declared: Declared, found: Mapping[str, FoundContainer]) -> tuple[Pair, ...]:
    """The containers made by hand that have a declared one's name, or had it until they were set aside."""
    pairs = []
    for name, new in declared.containers.items():
        old = found.get(name) or found.get(f"{name}{ASIDE}")
        if old is not None and not old.ours:
            pairs.append(Pair(old=old, new=new))
    return tuple(sorted(pairs, key=lambda pair: is_database(pair.new.image)))


def is_database(image: str) -> bool:
    """Whether others lose their footing when it stops, and it must not be killed."""
    return any(name in image for name in ("postgres", "mariadb", "mysql", "redis", "valkey"))
