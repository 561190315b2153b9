"""Alerts: when Prometheus raises one, written by a small builder and checked by `promtool check rules`.

The form is that of `prometheus/prometheus:docs/configuration/alerting_rules.md`; the figures' names are those of
Node Exporter's own mixin and of cloudflared (`cloudflare/cloudflared:supervisor/metrics.go`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from components.monitoring.scrape import LOGIN_JOB, NODE_JOB

_FILES = 'fstype!~"tmpfs|ramfs|squashfs|overlay"'


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One rule.

    Attributes:
        name: As it is shown.
        expression: PromQL; each series that it yields is one alert.
        lasting: How long it must hold.
        severity: critical: somebody is locked out or data is at risk; warning: it will be.
        summary: One line for a person; `{{ $labels.host }}` is filled in.
        action: What to do.
    """

    name: str
    expression: str
    lasting: str
    severity: str
    summary: str
    action: str

    def document(self) -> dict[str, Any]:
        """As Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expression,
            "for": self.lasting,
            "labels": {"severity": self.severity},
            "annotations": {"summary": self.summary, "description": self.action},
        }


HOSTS = (
    Alert(
        name="HostDown",
        expression=f'up{{job="{NODE_JOB}"}} == 0',
        lasting="3m",
        severity="critical",
        summary="{{ $labels.host }} does not answer",
        action="Is it on, and in the tailnet? The runbook has a page for each host that is gone.",
    ),
    Alert(
        name="DiskFull",
        expression=f"node_filesystem_avail_bytes{{{_FILES}}} / node_filesystem_size_bytes{{{_FILES}}} < 0.10",
        lasting="10m",
        severity="critical",
        summary="{{ $labels.host }}: {{ $labels.mountpoint }} has {{ $value | humanizePercentage }} left",
        action="docker system df shows what images hold; du -x the data root.",
    ),
    Alert(
        name="DiskFullSoon",
        expression=f"predict_linear(node_filesystem_avail_bytes{{{_FILES}}}[6h], 24 * 3600) < 0",
        lasting="1h",
        severity="warning",
        summary="{{ $labels.host }}: {{ $labels.mountpoint }} is full within a day at this pace",
        action="Find what grows before it is full.",
    ),
    Alert(
        name="DiskReadOnly",
        expression=f"node_filesystem_readonly{{{_FILES}}} == 1",
        lasting="5m",
        severity="critical",
        summary="{{ $labels.host }}: {{ $labels.mountpoint }} is read-only",
        action="dmesg says why; a failing disk is the usual reason.",
    ),
    Alert(
        name="MemoryLow",
        expression="node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes < 0.10",
        lasting="10m",
        severity="warning",
        summary="{{ $labels.host }} has {{ $value | humanizePercentage }} of its memory left",
        action="docker stats shows which container took it.",
    ),
)
SERVICES = (
    Alert(
        name="TargetDown",
        expression=f'up{{job!~"{NODE_JOB}|{LOGIN_JOB}"}} == 0',
        lasting="5m",
        severity="warning",
        summary="{{ $labels.container }} on {{ $labels.host }} gives no figures",
        action="docker ps and docker logs on that host.",
    ),
)
_WIKI_RUNBOOK = "The runbook goes on under Wiki replication stopped."
REPLICATION = (
    Alert(
        name="ReplicationStopped",
        expression="mariadb_replication_stopped == 1",
        lasting="2m",
        severity="critical",
        summary="The wiki's database on {{ $labels.host }} no longer follows the other host's",
        action=_WIKI_RUNBOOK,
    ),
    Alert(
        name="ReplicationCutOff",
        expression="mariadb_replication_connected == 0 and mariadb_replication_stopped == 0",
        lasting="30m",
        severity="warning",
        summary="The wiki's database on {{ $labels.host }} hears nothing from the other host",
        action=f"It goes on by itself when the other host answers: docker ps there, then Tailscale. {_WIKI_RUNBOOK}",
    ),
    Alert(
        name="ReplicationLate",
        expression="mariadb_replication_lag_seconds > 300",
        lasting="10m",
        severity="warning",
        summary="The wiki's database on {{ $labels.host }} is {{ $value }} seconds behind",
        action=f"docker stats bookstack-db: too little memory or a slow disk. {_WIKI_RUNBOOK}",
    ),
    Alert(
        name="ReplicationFenced",
        expression="mariadb_replication_fenced == 1",
        lasting="2m",
        severity="critical",
        summary="The wiki's database on {{ $labels.host }} takes no writes, because the other host's is written",
        action=f"The files name another primary than that host was deployed with: pulumi up for it. {_WIKI_RUNBOOK}",
    ),
    Alert(
        name="WikiCopyStopped",
        expression="wiki_copy_stopped == 1",
        lasting="2m",
        severity="critical",
        summary="People wrote on {{ $labels.host }}'s copy of the wiki, so nothing is copied there any more",
        action=_WIKI_RUNBOOK,
    ),
    Alert(
        name="WikiCopyOld",
        expression="time() - wiki_copy_success_timestamp_seconds > 2 * wiki_copy_interval_seconds + 300",
        lasting="5m",
        severity="warning",
        summary="The copy of the wiki on {{ $labels.host }} is {{ $value | humanizeDuration }} old",
        action=f"docker logs bookstack-copy on that host says why. {_WIKI_RUNBOOK}",
    ),
    Alert(
        name="ReplicationUnknown",
        expression='time() - node_textfile_mtime_seconds{file=~".*/replication.prom"} > 600',
        lasting="5m",
        severity="warning",
        summary="The wiki's database on {{ $labels.host }} has said nothing of its replication for ten minutes",
        action="bookstack-db does not run, or is sick: docker restart bookstack-db && docker restart bookstack",
    ),
)
_LOGINS_RUNBOOK = "The runbook goes on under Replication stopped."
_COPIES_FILE = 'file=~".*/postgresql.prom"'
COPIES = (
    Alert(
        name="StandbyNotStreaming",
        expression="pg_replication_streaming == 0",
        lasting="10m",
        severity="critical",
        summary="The login's database on {{ $labels.host }} does not get what the other host writes",
        action=f"python3 -m kitestacks database status says which of the two is away. {_LOGINS_RUNBOOK}",
    ),
    Alert(
        name="StandbyLost",
        expression='pg_replication_slot_wal_status{wal_status="lost"} == 1',
        lasting="1m",
        severity="critical",
        summary="{{ $labels.slot_name }} was away for more than {{ $labels.host }} keeps of the login's database",
        action=f"That copy has to be made anew: database rejoin, then pulumi up, for its host. {_LOGINS_RUNBOOK}",
    ),
    Alert(
        name="StandbyNearlyLost",
        expression="pg_replication_slot_safe_wal_size_bytes < 1024 ^ 3",
        lasting="5m",
        severity="warning",
        summary="{{ $labels.host }} keeps {{ $value | humanize1024 }}B more of the login's database for "
        "{{ $labels.slot_name }}, and then no more",
        action=f"Bring that host back before its copy has to be made anew. {_LOGINS_RUNBOOK}",
    ),
    Alert(
        name="StandbyLate",
        # While nobody writes, the last transaction grows old and no byte is missing.
        expression="pg_replication_lag_bytes > 0 and pg_replication_last_replay_seconds > 300",
        lasting="10m",
        severity="warning",
        summary="The login's database on {{ $labels.host }} is {{ $value | humanize1024 }}B behind",
        action=f"docker stats authentik-db: too little memory or a slow disk. {_LOGINS_RUNBOOK}",
    ),
    Alert(
        name="StandbyUnknown",
        expression=f"time() - node_textfile_mtime_seconds{{{_COPIES_FILE}}} > 600",
        lasting="5m",
        severity="warning",
        summary="The login's database on {{ $labels.host }} has said nothing of its replication for ten minutes",
        action=f"It does not run, is fenced, or is sick: docker logs --tail 20 authentik-db. {_LOGINS_RUNBOOK}",
    ),
    Alert(
        name="TwoWriters",
        # What a copy left before it was stopped counts for nothing.
        expression="count(pg_replication_is_replica == 0 "
        f"and on (host) time() - node_textfile_mtime_seconds{{{_COPIES_FILE}}} < 120) > 1",
        lasting="5m",
        severity="critical",
        summary="The login's database is written on {{ $value }} hosts at once",
        action="docker stop authentik-db on the host that python3 -m kitestacks database status shows with the older "
        f"timeline; then database rejoin for it. {_LOGINS_RUNBOOK}",
    ),
)
_PICTURES_RUNBOOK = "The runbook goes on under Wiki pictures missing."
_FOLDER_ERROR = 8
"""The state of a folder that Syncthing does not touch (`syncthing/syncthing:lib/model/folderstate.go`)."""
PICTURES = (
    Alert(
        name="PicturesStopped",
        expression=f"syncthing_model_folder_state == {_FOLDER_ERROR}",
        lasting="5m",
        severity="critical",
        summary="The wiki's folder {{ $labels.folder }} on {{ $labels.host }} is not what it was: it is not carried",
        action=f"A disk that is not mounted looks like this; nothing was deleted. {_PICTURES_RUNBOOK}",
    ),
    Alert(
        name="PicturesCutOff",
        expression="syncthing_connections_active == 0",
        lasting="30m",
        severity="warning",
        summary="The wiki's pictures on {{ $labels.host }} get to no other host",
        action=f"It goes on by itself when the other one answers: docker ps there, then Tailscale. {_PICTURES_RUNBOOK}",
    ),
    Alert(
        name="PicturesLate",
        expression='sum by (host, folder) (syncthing_model_folder_summary{scope="need",type=~"files|deleted"}) > 0',
        lasting="30m",
        severity="warning",
        summary="{{ $labels.host }} lacks {{ $value }} changes of the wiki's folder {{ $labels.folder }}",
        action=f"docker logs bookstack-sync says which file, and why: a full disk, mostly. {_PICTURES_RUNBOOK}",
    ),
    Alert(
        name="PicturesUnknown",
        expression='time() - node_textfile_mtime_seconds{file=~".*/pictures.prom"} > 600',
        lasting="5m",
        severity="warning",
        summary="What carries the wiki's pictures on {{ $labels.host }} has said nothing for ten minutes",
        action="bookstack-sync does not run, or is sick: docker restart bookstack-sync",
    ),
)
EDGE = (
    Alert(
        name="LoginFailing",
        expression=f'up{{job="{LOGIN_JOB}"}} == 0',
        lasting="2m",
        severity="critical",
        summary="The login page does not answer, or its certificate is not good",
        action="Nobody can log in anywhere: docker ps on the hosts that have authentik, then the tunnel.",
    ),
    Alert(
        name="TunnelDown",
        expression="cloudflared_tunnel_ha_connections < 1",
        lasting="3m",
        severity="critical",
        summary="{{ $labels.container }} on {{ $labels.host }} has no connection to Cloudflare",
        action="docker restart {{ $labels.container }}; the runbook goes on under Tunnel down.",
    ),
)
BACKUPS = (
    Alert(
        name="BackupTooOld",
        expression="time() - kitestacks_backup_success_timestamp_seconds > 36 * 3600",
        lasting="30m",
        severity="critical",
        summary="{{ $labels.service }} on {{ $labels.host }} has no whole backup of the last 36 hours",
        action="python3 -m kitestacks backup status -s {{ $labels.host }} says why.",
    ),
    Alert(
        name="BackupFailed",
        expression="kitestacks_backup_failed == 1",
        lasting="10m",
        severity="warning",
        summary="The last backup of {{ $labels.service }} on {{ $labels.host }} failed",
        action="python3 -m kitestacks backup status -s {{ $labels.host }} says why; docs/backup.md goes on.",
    ),
    Alert(
        name="BackupDamaged",
        expression="kitestacks_backup_check_failed == 1",
        lasting="10m",
        severity="critical",
        summary="The backup of {{ $labels.host }} is damaged, or could not be checked",
        action="python3 -m kitestacks backup check -s {{ $labels.host }} says more; prune nothing until it is whole.",
    ),
    Alert(
        name="BackupUnchecked",
        expression="time() - (kitestacks_backup_check_success_timestamp_seconds > 0) > 15 * 86400",
        lasting="1h",
        severity="warning",
        summary="The backup of {{ $labels.host }} was not found whole for two weeks",
        action="python3 -m kitestacks backup check -s {{ $labels.host }}",
    ),
    Alert(
        name="RestoreNotProven",
        # The newest of all hosts: a service may be proven at home, on the host that keeps its backup, or on both.
        expression="time() - "
        "(max by (service, saved_host) (kitestacks_restore_proven_timestamp_seconds) > 0) > 45 * 86400",
        lasting="1h",
        severity="warning",
        summary="No restore of {{ $labels.service }} of {{ $labels.saved_host }} was proven for 45 days",
        action="python3 -m kitestacks restore-drill {{ $labels.service }} -s {{ $labels.saved_host }}",
    ),
    Alert(
        name="RestoreDrillFailed",
        expression="kitestacks_restore_drill_failed == 1",
        lasting="10m",
        severity="critical",
        summary="{{ $labels.service }} of {{ $labels.saved_host }} did not come back in the last drill on "
        "{{ $labels.host }}",
        action="python3 -m kitestacks restore-drill {{ $labels.service }} -s {{ $labels.saved_host }} "
        "--on {{ $labels.host }} says why.",
    ),
)
GROUPS = {
    "hosts": HOSTS,
    "services": SERVICES,
    "replication": REPLICATION,
    "copies": COPIES,
    "pictures": PICTURES,
    "edge": EDGE,
    "backups": BACKUPS,
}


def render() -> str:
    """The rule file."""
    groups = [{"name": name, "rules": [alert.document() for alert in alerts]} for name, alerts in GROUPS.items()]
    return yaml.safe_dump({"groups": groups}, sort_keys=False, width=120)
