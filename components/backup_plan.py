"""Backup plan: what of a host is saved and where to, made from what its services declare."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from components.errors import Problem
from components.metrics import LEFT_FOR_PROMETHEUS
from components.types import duration_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.backup import Backup
    from components.fleet import Fleet
    from components.host import Host

SERVICE = "backup"
SERVER = "backup-server"
SERVER_PORT = 8000
METRICS_FOLDER = f"{LEFT_FOR_PROMETHEUS}/{SERVICE}"
_EXPORTER = "node-exporter"


def keeper_of(fleet: Fleet, host: str, to: str | None) -> str | None:
    """The host that keeps another's backup; None: no other has a server, or several have and none is named."""
    others = [each for each in fleet.hosts_of(SERVER) if each != host]
    if to is not None:
        return to if to in others else None
    return others[0] if len(others) == 1 else None


def kept_for(fleet: Fleet, host: str) -> tuple[str, ...]:
    """The hosts whose backup lies on a host."""
    return tuple(each for each in fleet.hosts_of(SERVICE) if _keeper(fleet, each) == host)


def proves(fleet: Fleet, host: str) -> bool:
    """Whether a host proves the restores of those whose backup it keeps."""
    return host in fleet.hosts_of(SERVICE) and fleet.stacks[host].service_settings[SERVICE].prove_others


def proven_on(fleet: Fleet, host: str) -> tuple[str, ...]:
    """The hosts whose restores are proven on a host by schedule: itself only where the one that keeps it does not."""
    others = kept_for(fleet, host) if proves(fleet, host) else ()
    keeper = _keeper(fleet, host)
    return others if keeper is None or proves(fleet, keeper) else (*others, host)


def _keeper(fleet: Fleet, host: str) -> str | None:
    return keeper_of(fleet, host, fleet.stacks[host].service_settings[SERVICE].to)


def plan_of(fleet: Fleet, host: Host, settings: Any, *, secrets: str) -> dict[str, Any]:  # noqa: ANN401 - a block
    """What the runner on a host is told, as `components/backup_runner/plan.py` reads it.

    Services that say `disposable`, and with them what each makes anew by itself, are not in it.
    """
    keeper = keeper_of(fleet, host.name, settings.to)
    assert keeper is not None  # noqa: S101 - the contract has made sure
    return {
        "host": host.name,
        "installation": fleet.own.installation,
        "root": host.settings.data,
        "data": "/data",
        "secrets": secrets,
        "metrics": str(PurePosixPath("/data", METRICS_FOLDER, "backup.prom")) if fleet.has(_EXPORTER) else "",
        "repository": f"rest:http://{fleet.private_address(keeper)}:{SERVER_PORT}/{host.name}/",
        "copy_to": settings.copy_to.repository if settings.copy_to else "",
        "limit": duration_seconds(settings.limit),
        "patience": duration_seconds(host.settings.start_timeout),
        "keeps": {other: list(fleet.kept_on(other)) for other in kept_for(fleet, host.name)},
        "proves": list(proven_on(fleet, host.name)),
        "shown": proves(fleet, keeper),
        "services": {name: _kept(host, kept) for name, kept in fleet.kept_on(host.name).items()},
    }


def _kept(host: Host, kept: Backup) -> dict[str, Any]:
    databases = [
        {"engine": dump.engine.value, "container": host.physical_name(dump.container), "database": dump.database}
        for dump in kept.dumps
    ]
    return {"databases": databases, "folders": list(kept.folders), "not_alone": kept.not_alone}


def problems(fleet: Fleet) -> Iterator[Problem]:
    """A backup that stays on its own host burns with it."""
    for host in fleet.hosts_of(SERVICE):
        to = fleet.stacks[host].service_settings[SERVICE].to
        if _keeper(fleet, host) is not None:
            continue
        others = [each for each in fleet.hosts_of(SERVER) if each != host]
        at = f"{fleet.at(host)}services.{SERVICE}.to"
        if to is not None:
            yield Problem(
                path=at,
                rule=f"must name another host that has {SERVER}, got {to!r}",
                way_out=f"hosts that have one: {', '.join(others) or 'none'}",
            )
        elif others:
            yield Problem(
                path=at,
                rule=f"must say which host keeps the backup: {' and '.join(others)} could",
                way_out=f"for example `to: {others[0]}`",
            )
        else:
            yield Problem(
                path=f"{fleet.at(host)}services.{SERVICE}",
                rule=f"must have {SERVER} on another host: a backup on its own host burns with it",
                way_out=f"add `{SERVER}: {{image: restic/rest-server:0.14.0}}` to another host's file",
            )
