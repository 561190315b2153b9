"""Follower: a database on another host that gets, by itself, what a service writes on this one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Follower:
    """One such database, and how it is kept from following for a while.

    Attributes:
        host: Where it is.
        container: Its container, as people call it.
        hold: The words of docker's command that hold it; what it does not get meanwhile is kept for it.
        let_go: Those after which it goes on from where it was.
    """

    host: str
    container: str
    hold: tuple[str, ...]
    let_go: tuple[str, ...]
