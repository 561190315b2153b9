"""Alerts: when Prometheus raises one, written by a small builder and checked by `promtool check rules`.

The form is that of `prometheus/prometheus:docs/configuration/alerting_rules.md`; the figures' names are those of
Node Exporter's own mixin and of cloudflared (`cloudflare/cloudflared:supervisor/metrics.go`).
"""

from __future__ import annotations

import yaml

from components.monitoring.alert import Alert
from components.monitoring.copies_alerts import COPIES, PICTURES, REPLICATION
from components.monitoring.scrape import LOGIN_JOB, NODE_JOB

_FILES = 'fstype!~"tmpfs|ramfs|squashfs|overlay"'


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
