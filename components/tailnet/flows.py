"""Flows: what has to reach what, declared where the need arises; the policy is derived from them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, order=True)
class Flow:
    """One connection that has to be possible.

    Attributes:
        source: Who opens it, as a selector (`tag:monk`, `ada@example.com`).
        destination: Who answers, as a selector (`tag:kscloud1`).
        port: The port that answers.
        protocol: `tcp`, `udp` or `sctp`.
        reason: What it is for, in words.
        path: Where it is declared, for who has to mend it.
    """

    source: str
    destination: str
    port: int
    protocol: str = "tcp"
    reason: str
    path: str = field(default="", compare=False)


@dataclass(frozen=True, kw_only=True, order=True)
class SshAccess:
    """One way in by Tailscale SSH; the network access to port 22 is a flow of its own.

    Attributes:
        source: Who logs in, as a selector.
        destination: Where, as a selector.
        users: The local users, `root` only where it is said.
        check: Log in to Tailscale anew before.
        path: Where it is declared.
    """

    source: str
    destination: str
    users: tuple[str, ...]
    check: bool = False
    path: str = field(default="", compare=False)
