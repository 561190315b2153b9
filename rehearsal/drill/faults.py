"""Faults: what can go wrong, how it is done to the rehearsal, and how it is put back as in real life."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.edge import SHARED
from rehearsal import stack_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.drill.scene import Scene


_CONNECTORS = ("cloudflared", f"cloudflared-{SHARED}")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        name: As it is typed: `make drill FAULT=<name>`.
        title: In a sentence.
        promises: The contract's names of what is gone; the longest of their seconds counts.
        strike: Does it.
        mend: Puts it back; does no harm where nothing was done.
        back: What puts it back in real life, in words.
        lasts: Seconds that it lasts; 0: it is over when `strike` returns.
        service: The one service whose site it touches; empty: whatever the promises speak of.
        all_down: Nothing is promised while it lasts, but that everything comes back.
    """

    name: str
    title: str
    promises: tuple[str, ...]
    strike: Callable[[Scene], None]
    mend: Callable[[Scene], None]
    back: str
    lasts: float = 10.0
    service: str = ""
    all_down: bool = False


def known(home: str = "monk", cloud: str = "kscloud1") -> dict[str, Fault]:
    """Every fault by its name, for the rehearsed pair of hosts."""
    return {
        fault.name: fault
        for fault in (
            _host_gone(home),
            _host_gone(cloud),
            _connector_gone(home),
            _sick(home),
            _hung(home),
            _database(home),
            _tailnet_cut(),
            _restart(home, cloud),
            _mode(cloud, home),
            _upgrade(cloud, home),
        )
    }


def _host_gone(host: str) -> Fault:
    return Fault(
        name=f"{host}-gone",
        title=f"{host} loses its power",
        promises=(f"{host} gone",),
        strike=lambda scene: scene.kill(scene.containers(host)),
        mend=lambda scene: scene.start(scene.containers(host)),
        back="the machine starts, and its Docker daemon starts what ran before",
    )


def _connector_gone(host: str) -> Fault:
    return Fault(
        name="connector-gone",
        title=f"{host}'s connectors die",
        promises=(f"connector of {host} gone",),
        strike=lambda scene: scene.kill(scene.containers(host, *_CONNECTORS)),
        mend=lambda scene: scene.start(scene.containers(host, *_CONNECTORS)),
        back=f"docker restart {' '.join(_CONNECTORS)}",
    )


def _sick(host: str) -> Fault:
    return Fault(
        name="app-sick",
        title=f"the wiki on {host} runs and answers 500",
        promises=(f"copy on {host} sick",),
        strike=lambda scene: scene.make_sick(scene.containers(host, "bookstack")),
        mend=lambda scene: scene.make_well(scene.containers(host, "bookstack")),
        back="docker restart bookstack",
        service="bookstack",
    )


def _hung(host: str) -> Fault:
    return Fault(
        name="app-hung",
        title=f"the wiki on {host} takes requests and never answers",
        promises=(f"copy on {host} sick",),
        strike=lambda scene: scene.pause(scene.containers(host, "bookstack")),
        mend=lambda scene: scene.unpause(scene.containers(host, "bookstack")),
        back="docker restart bookstack",
        service="bookstack",
        lasts=15.0,
    )


def _database(host: str) -> Fault:
    def strike(scene: Scene) -> None:
        scene.kill(scene.containers(host, "bookstack-db"))
        scene.make_sick(scene.containers(host, "bookstack"))

    def mend(scene: Scene) -> None:
        scene.start(scene.containers(host, "bookstack-db"))
        scene.make_well(scene.containers(host, "bookstack"))

    return Fault(
        name="database-crash",
        title=f"the wiki's database on {host} crashes, so the wiki there answers 500",
        promises=(f"copy on {host} sick",),
        strike=strike,
        mend=mend,
        back="docker restart bookstack-db && docker restart bookstack",
        service="bookstack",
    )


def _tailnet_cut() -> Fault:
    return Fault(
        name="tailnet-cut",
        title="the hosts can't reach each other over the private network",
        promises=("tailnet cut",),
        strike=lambda scene: scene.cut_tailnet(),
        mend=lambda scene: scene.mend_tailnet(),
        back="sudo systemctl restart tailscaled",
    )


def _restart(*hosts: str) -> Fault:
    def strike(scene: Scene) -> None:
        for host in hosts:
            scene.kill(scene.containers(host))
        mend(scene)

    def mend(scene: Scene) -> None:
        for host in hosts:
            scene.start(scene.containers(host))

    return Fault(
        name="restart",
        title="both hosts restart at once",
        promises=(),
        all_down=True,
        strike=strike,
        mend=mend,
        back="both machines start",
        lasts=0.0,
    )


def _mode(foundation: str, other: str) -> Fault:
    def switch(scene: Scene, mode: str) -> None:
        if mode == "load-balancer" and not stack_files.balanced():
            scene.edit(foundation, "edge", mode, {"plan": "enterprise"})
        scene.edit(foundation, "edge", "failover", mode)
        scene.deploy(foundation)
        scene.deploy(other)

    def strike(scene: Scene) -> None:
        switch(scene, "load-balancer" if _declared_mode() == "replicas" else "replicas")

    return Fault(
        name="edge-mode",
        title="the edge changes its way of failing over, and back",
        promises=tuple(f"connector of {host} gone" for host in (foundation, other)),
        strike=strike,
        mend=lambda scene: switch(scene, _declared_mode()),
        back="the setting of before, and `pulumi up`",
        lasts=5.0,
    )


def _upgrade(*hosts: str) -> Fault:
    """No fault at all but the commonest change: done right, visitors notice nothing."""

    def strike(scene: Scene) -> None:
        newer = f"{scene.twin.installation}-portal:newer"
        scene.tag(hosts[0], "portal", newer)
        for host in hosts:
            scene.set_image(host, "portal", f"{scene.image(host, 'portal')}{_NEWER}", newer)
        scene.roll(*hosts)

    def mend(scene: Scene) -> None:
        for host in hosts:
            scene.set_image(host, "portal", scene.image(host, "portal").removesuffix(_NEWER))
        scene.roll(*hosts)
        scene.untag(f"{scene.twin.installation}-portal:newer")

    return Fault(
        name="upgrade",
        title="the portal gets another image on every host",
        promises=tuple(f"copy on {host} sick" for host in hosts),
        strike=strike,
        mend=mend,
        back="the image of before, and `make deploy`",
        service="portal",
        lasts=1.0,
    )


_NEWER = "-newer"
"""What a drilled image's tag ends with."""


def _declared_mode() -> str:
    return stack_files.failover()
