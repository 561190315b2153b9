#!/bin/sh
# One copy of a PostgreSQL that stands on several hosts: one of them writes, the others follow it.
#
#   start COMMAND...   entry point: become what the settings say, or refuse and say why
#   promote PLACE      in a running standby that has everything: begin to write (a planned switch); PLACE is where the
#                      old primary was, in bytes of log, before it was stopped
#   status             how this copy stands, and what the others answer; lines of key=value
#   healthy            for Docker's health check
#
# Which role a copy has is read from its data (standby.signal, the timeline) and from what the others answer; the settings
# only say what it should become. Environment: PGDATA, PGPASSFILE (written here), DATABASE_HOST (this host),
# DATABASE_WRITER (the host that is to write), DATABASE_PEERS ("monk=100.64.0.1:5432 ..."), DATABASE_PASSWORD_FILE (of
# the replication role), DATABASE_PATIENCE (seconds that a silent peer is given), DATABASE_FENCED (no: start in any case).
set -eu
export LC_ALL=C

role=replicator
slot=$(printf %s "$DATABASE_HOST" | tr '.-' '__')
rejoin="python3 -m kitestacks database rejoin -s $DATABASE_HOST"

say() { printf '%s: %s\n' "$DATABASE_HOST" "$*" >&2; }

refuse() {
    say "refused: $*"
    exit 1
}

is_empty() { [ ! -s "$PGDATA/PG_VERSION" ]; }
is_standby() { [ -e "$PGDATA/standby.signal" ]; }

# The client reads a password only from a file that is its own alone; the given one is its group's too.
keep_password() (
    umask 077
    printf '*:*:*:%s:%s\n' "$role" "$(sed 's/[\\:]/\\&/g' "$DATABASE_PASSWORD_FILE")" >"$PGPASSFILE"
)

address_of() {
    for peer in $DATABASE_PEERS; do
        if [ "${peer%%=*}" = "$1" ]; then echo "${peer#*=}"; fi
    done
}

way_to() {
    at=$(address_of "$1")
    echo "host=${at%:*} port=${at##*:} user=$role passfile=$PGPASSFILE connect_timeout=5 application_name=$slot" \
        "keepalives_idle=30 keepalives_interval=10 keepalives_count=3"
}

# A command of the replication protocol, which a standby answers too and which opens no table.
tell() {
    to=$1
    shift
    psql -XAtqw -d "$(way_to "$to") dbname=replication replication=true" "$@" 2>&1
}

# What a peer is: primary, standby, gone, closed (another password) or unclear; with its timeline and its place.
ask() {
    if found=$(tell "$1" -c IDENTIFY_SYSTEM -c 'SHOW in_hot_standby'); then
        IFS='|' read -r their_system their_timeline their_place _ <<LINE
$found
LINE
        case $found in
        *on) answer=standby ;;
        *off) answer=primary ;;
        *) answer=unclear ;;
        esac
        return
    fi
    their_system='' their_timeline=0 their_place=0/0 answer=unclear
    case $found in
    *"password authentication failed"*) answer=closed ;;
    *)
        at=$(address_of "$1") code=0
        pg_isready -q -t 5 -h "${at%:*}" -p "${at##*:}" || code=$?
        if [ "$code" -ge 2 ]; then answer=gone; fi
        ;;
    esac
}

in_words() {
    case $answer in
    gone) echo "does not answer" ;;
    closed) echo "does not know this replication password: pulumi up on its host first" ;;
    standby) echo "is a standby itself" ;;
    primary) echo "writes" ;;
    *) echo "does not say what it is: $found" ;;
    esac
}

# Asks until the peer says what it is, or patience is over: after a power cut both hosts come up together.
await() {
    until=$(($(date +%s) + ${DATABASE_PATIENCE:-20}))
    while ask "$1"; do
        case $answer in gone | unclear) ;; *) return ;; esac
        [ "$(date +%s)" -lt "$until" ] || return 0
        sleep 1
    done
}

control() { pg_controldata "$PGDATA" | sed -n "s/^$1: *//p"; }

# A promotion writes its history file at once, and the control file later.
timeline() {
    known=$(control "Latest checkpoint's TimeLineID")
    for file in "$PGDATA"/pg_wal/*.history; do
        [ -e "$file" ] || continue
        name=${file##*/}
        number=$((0x${name%.history}))
        if [ "$number" -gt "$known" ]; then known=$number; fi
    done
    echo "$known"
}

number_of() { echo "$(((0x${1%/*} << 32) + 0x${1#*/}))"; }

# No second writer: a peer that writes with a history as new as this copy's, or newer, is the one to keep.
fence() {
    for peer in $DATABASE_PEERS; do
        host=${peer%%=*}
        await "$host"
        case $answer in
        primary)
            mine=$(timeline)
            why="$host answers as primary, on timeline $their_timeline (here $mine)"
            if is_standby; then
                hold "$why; for a planned switch: python3 -m kitestacks database switch -s $DATABASE_HOST"
            elif [ "$their_timeline" -ge "$mine" ]; then
                hold "$why; two must not write; make this copy its standby: $rejoin"
            else
                say "$host still writes on the older timeline $their_timeline: it has to be made a standby"
            fi
            ;;
        unclear) hold "$host answers, and does not say whether it writes: ${found}" ;;
        closed) say "$host does not know the replication role's password yet, so it could not be asked" ;;
        gone) say "$host does not answer; this copy goes on alone" ;;
        esac
    done
}

hold() {
    [ "${DATABASE_FENCED:-yes}" = no ] || refuse "$*"
    say "it would be refused, and is not because of fenced: false: $*"
}

# Only the very first copy of all may begin empty.
begin() {
    for left in "$PGDATA".*; do
        if [ -e "$left" ]; then hold "the data folder is empty, and $left lies beside it: put it back, or $rejoin"; fi
    done
    for peer in $DATABASE_PEERS; do
        host=${peer%%=*}
        await "$host"
        if [ "$answer" != gone ]; then hold "the data folder is empty, and $host has a copy: $rejoin"; fi
    done
}

# Behind its own socket, so that nobody writes before it is done. A new timeline makes the old primary's data tell apart.
promote_first() {
    say "promoting this copy, which was a standby"
    "$@" -c listen_addresses= -c primary_conninfo= &
    server=$!
    until [ "$(sed -n '8{s/ //g;p}' "$PGDATA/postmaster.pid" 2>/dev/null)" = ready ]; do
        kill -0 "$server" 2>/dev/null || refuse "this copy does not start, so it can't be promoted: the log above says why"
        sleep 0.1
    done
    pg_ctl promote -w -t 120 -D "$PGDATA" >&2
    pg_ctl stop -m fast -w -t 120 -D "$PGDATA" >&2
    wait "$server" || true
    is_standby && refuse "the promotion did not end; the same again"
    say "promoted: this copy writes, on timeline $(timeline)"
}

# The writer keeps what this copy has not got yet, up to its own limit.
reserve() {
    case $(tell "$DATABASE_WRITER" -c "READ_REPLICATION_SLOT $slot") in
    physical*) ;;
    *) tell "$DATABASE_WRITER" -c "CREATE_REPLICATION_SLOT $slot PHYSICAL RESERVE_WAL" >&2 ;;
    esac
}

# Whole or not at all: the folder gets its name when the copy is complete.
clone() {
    await "$DATABASE_WRITER"
    [ "$answer" = primary ] || refuse "the data folder is empty, and $DATABASE_WRITER $(in_words)"
    say "copying all of $DATABASE_WRITER"
    mkdir -p "$(dirname "$PGDATA")"
    rm -rf "$PGDATA.new"
    tell "$DATABASE_WRITER" -c "DROP_REPLICATION_SLOT $slot" >/dev/null || true
    reserve
    pg_basebackup -w -D "$PGDATA.new" -d "$(way_to "$DATABASE_WRITER")" -X stream -S "$slot" -c fast ||
        refuse "the copy of $DATABASE_WRITER could not be made; nothing was kept of it"
    touch "$PGDATA.new/standby.signal"
    sync
    if [ -e "$PGDATA" ]; then rmdir "$PGDATA" || refuse "$PGDATA is neither empty nor a database"; fi
    mv "$PGDATA.new" "$PGDATA"
}

# A former primary may follow without a new copy if it was stopped cleanly and the writer's history goes on from there.
step_down() {
    await "$DATABASE_WRITER"
    was="this copy was a primary itself"
    [ "$answer" = primary ] || refuse "$was; $DATABASE_WRITER, which should write now, $(in_words)"
    [ "$their_system" = "$(control 'Database system identifier')" ] ||
        refuse "$was, of another database than $DATABASE_WRITER's; take $DATABASE_WRITER's: $rejoin"
    mine=$(timeline) here=$(control 'Latest checkpoint location') fork=0/0
    if [ "$their_timeline" -gt "$mine" ]; then
        fork=$(tell "$DATABASE_WRITER" -c "TIMELINE_HISTORY $their_timeline" | sed 's/^.*history|//' |
            awk -v mine="$mine" '$1 == mine { print $2 }')
    fi
    if [ "$(control 'Database cluster state')" != 'shut down' ] ||
        [ "$(number_of "${fork:-0/0}")" -le "$(number_of "$here")" ]; then
        refuse "$was, and wrote what $DATABASE_WRITER never got; set it aside and copy anew: $rejoin"
    fi
    say "$DATABASE_WRITER has all that this copy wrote: following it"
    rm -rf "${PGDATA:?}"/pg_replslot/* # slots for its own followers would keep log files for ever
    touch "$PGDATA/standby.signal"
}

follow() {
    if is_empty; then
        clone
    elif ! is_standby; then
        step_down
    else
        ask "$DATABASE_WRITER"
    fi
    if [ "$answer" = primary ]; then reserve; fi
    exec "$@" -c "primary_conninfo=$(way_to "$DATABASE_WRITER")" -c "primary_slot_name=$slot"
}

start() {
    keep_password
    if [ "$DATABASE_WRITER" != "$DATABASE_HOST" ]; then follow "$@"; fi
    if is_empty; then
        begin
        exec docker-entrypoint.sh "$@"
    fi
    fence
    if is_standby; then promote_first "$@"; fi
    exec "$@"
}

sql() { psql -XAtqw -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "$1"; }

# The last that a primary sends when it is stopped says that it was; an earlier stop lies before the given place.
ended_cleanly() {
    from=$(control "Latest checkpoint's REDO location")
    last=$(pg_waldump -p "$PGDATA/pg_wal" -t "$(timeline)" -s "$from" 2>/dev/null | tail -n 1)
    case $last in *CHECKPOINT_SHUTDOWN*) ;; *) return 1 ;; esac
    last=${last#*lsn: }
    [ "$(number_of "${last%%,*}")" -ge "$1" ]
}

# In a planned switch the old primary was stopped before.
promote() {
    is_standby || refuse "this copy is no standby"
    for peer in $DATABASE_PEERS; do
        ask "${peer%%=*}"
        if [ "$answer" = primary ]; then refuse "${peer%%=*} still writes: stop it first"; fi
    done
    until=$(($(date +%s) + ${DATABASE_PATIENCE:-20}))
    until ended_cleanly "$1"; do
        [ "$(date +%s)" -lt "$until" ] || refuse "this copy has not got all that the old primary wrote"
        sleep 1
    done
    pg_ctl promote -w -t 120 -D "$PGDATA" >&2
    say "promoted: this copy writes, on timeline $(timeline)"
}

status() {
    echo "timeline=$(timeline)"
    sql "SELECT 'role=' || CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE 'primary' END
        UNION ALL SELECT 'place=' || (CASE WHEN pg_is_in_recovery()
            THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()) ELSE pg_current_wal_lsn() END - '0/0')
        UNION ALL SELECT 'streaming=' || count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'
        UNION ALL SELECT 'tables=' || count(*) FROM pg_stat_user_tables
            WHERE schemaname <> 'kitestacks'
        UNION ALL SELECT 'age=' || extract(epoch FROM now() - CASE WHEN pg_is_in_recovery()
            THEN coalesce(pg_last_xact_replay_timestamp(), (pg_control_checkpoint()).checkpoint_time) ELSE now() END)::bigint
        UNION ALL SELECT 'slot.' || slot_name || '=' || wal_status FROM pg_replication_slots WHERE wal_status IS NOT NULL"
    for peer in $DATABASE_PEERS; do
        ask "${peer%%=*}"
        echo "peer.${peer%%=*}=$answer $their_timeline $(number_of "$their_place")"
    done
}

# A standby is well if it follows, or if there is nobody to follow.
healthy() {
    pg_isready -q -h 127.0.0.1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" || exit 1
    is_standby || exit 0
    if [ "$(sql "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'")" -gt 0 ]; then exit 0; fi
    # Docker gives a check five seconds; a host that is gone takes longer to be asked.
    at=$(address_of "$DATABASE_WRITER")
    pg_isready -q -t 2 -h "${at%:*}" -p "${at##*:}" || exit 0
    ask "$DATABASE_WRITER"
    [ "$answer" != primary ] || refuse "it does not follow $DATABASE_WRITER, which writes; the log says why"
}

"$@" # one of the verbs above
