"""Alerts of what stands on two hosts: the wiki's text and pictures, and the logins; each names its runbook page."""

from __future__ import annotations

from components.monitoring.alert import Alert

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
