-- What a copy says of its replication, as Prometheus reads it. Where postgres_exporter has a figure of the same meaning,
-- the name is its (prometheus-community/postgres_exporter:collector/pg_replication.go, pg_replication_slot.go).

\echo # HELP pg_replication_is_replica Whether this copy follows another; 0: it writes.
\echo # TYPE pg_replication_is_replica gauge
SELECT 'pg_replication_is_replica ' || pg_is_in_recovery()::integer;

-- Of a copy that follows. The seconds grow while nobody writes, so they mean something only together with the bytes.

\echo # HELP pg_replication_streaming Whether a copy that follows gets what is written.
\echo # TYPE pg_replication_streaming gauge
SELECT 'pg_replication_streaming ' || count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'
HAVING pg_is_in_recovery();

\echo # HELP pg_replication_lag_bytes Bytes of log that a copy knows of and has not applied; only while it is streaming.
\echo # TYPE pg_replication_lag_bytes gauge
SELECT 'pg_replication_lag_bytes ' || greatest(0, latest_end_lsn - pg_last_wal_replay_lsn())
FROM pg_stat_wal_receiver
WHERE status = 'streaming';

\echo # HELP pg_replication_last_replay_seconds Age of the last transaction that a copy which follows has applied.
\echo # TYPE pg_replication_last_replay_seconds gauge
SELECT 'pg_replication_last_replay_seconds ' || extract(epoch FROM now() - coalesce(
    pg_last_xact_replay_timestamp(), (pg_control_checkpoint()).checkpoint_time))::bigint
WHERE pg_is_in_recovery();

-- Of the copy that writes. A name of a slot is that of the follower's host.

\echo # HELP pg_replication_followers Copies that get what this one writes.
\echo # TYPE pg_replication_followers gauge
SELECT 'pg_replication_followers ' || count(*) FROM pg_stat_replication WHERE state = 'streaming'
HAVING NOT pg_is_in_recovery();

\echo # HELP pg_replication_slot_wal_status How well the log is kept for a follower: reserved, extended, unreserved or lost.
\echo # TYPE pg_replication_slot_wal_status gauge
SELECT 'pg_replication_slot_wal_status{slot_name="' || slot_name || '",wal_status="' || wal_status || '"} 1'
FROM pg_replication_slots
WHERE wal_status IS NOT NULL AND NOT pg_is_in_recovery();

\echo # HELP pg_replication_slot_retained_bytes Bytes of log that are kept for a follower.
\echo # TYPE pg_replication_slot_retained_bytes gauge
SELECT 'pg_replication_slot_retained_bytes{slot_name="' || slot_name || '"} '
    || CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() - restart_lsn END
FROM pg_replication_slots
WHERE restart_lsn IS NOT NULL AND NOT pg_is_in_recovery();

\echo # HELP pg_replication_slot_safe_wal_size_bytes Bytes that can be written before a follower has to be copied anew.
\echo # TYPE pg_replication_slot_safe_wal_size_bytes gauge
SELECT 'pg_replication_slot_safe_wal_size_bytes{slot_name="' || slot_name || '"} ' || safe_wal_size
FROM pg_replication_slots
WHERE safe_wal_size IS NOT NULL AND NOT pg_is_in_recovery();
