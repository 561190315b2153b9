# Copies the wiki's database from its primary host into this host's, and puts the copy in place as a whole or not at all.
# once: one copy, now; anyway: even though people wrote here, whose tables go to kitestacks_written; loop: for ever;
# healthy: whether the loop goes round.
# Given by environment: SOURCE (an address), SOURCE_PORT, SOURCE_NAME (the primary host), TARGET, TARGET_PORT, DATABASE,
# EVERY (seconds), FIGURES (a folder), WORD (the file with the password of both accounts), LOCK (a file).
# Status: 0 copied; 3 people wrote here, so nothing was copied; 4 the primary does not answer; 5 it has no wiki.
set -euo pipefail

from() { MYSQL_PWD=$(cat "$WORD") "$@" --user=replication --host="$SOURCE" --port="$SOURCE_PORT" --protocol=TCP --skip-ssl; }
to() { MYSQL_PWD=$(cat "$WORD") mariadb --user=copier --host="$TARGET" --port="$TARGET_PORT" --protocol=TCP --skip-ssl \
    --connect-timeout=5 --batch --skip-column-names "$@"; }
say() { printf '%s\n' "$*" >&2; }

tables() { to --execute="SELECT table_name FROM information_schema.tables WHERE table_schema = '$1' ORDER BY 1"; }
# Who logged in and how often something was looked at changes with every reader, and is no loss; nor is a backup's mark.
kept() { tables "$1" | grep -vxE 'kitestacks_canary|views|users|role_user|sessions|cache|cache_locks|jobs|activities'; }

# What people wrote, in one line. BookStack notes in `activities` what anybody did, logins as auth_...
fingerprint() {
    local listed sums acts
    listed=$(kept "$1" | sed "s/.*/\`$1\`.\`&\`/" | paste -sd,) || exit 1
    sums=$(to --execute="CHECKSUM TABLE $listed EXTENDED" | sed "s/^$1\.//") || exit 1
    acts=$(to --execute="SELECT COUNT(*), MAX(id) FROM \`$1\`.activities WHERE type NOT LIKE 'auth\\_%'") || exit 1
    printf '%s\n' "$sums" "$acts" | sha256sum | cut -d' ' -f1
}

# Ends with 3 if somebody would lose something: no wiki here, one that nobody has used, or the last copy as it was made,
# may be replaced. `set -e` does not count where a status is asked for, so every answer is held against failure here.
refuse_written() {
    local names known used is same
    names=$(tables "$DATABASE") || exit 1
    [ -n "$names" ] || return 0
    known=$(to --execute="SELECT COUNT(*) FROM kitestacks_copy.made") || exit 1
    if [ "$known" = 0 ]; then
        used=$(to --execute="SELECT COUNT(*) FROM \`$DATABASE\`.activities") || exit 1
        if [ "$used" != 0 ]; then say "this host has a wiki in use, which is no copy of that on $SOURCE_NAME"; exit 3; fi
        return 0
    fi
    is=$(fingerprint "$DATABASE") || exit 1
    same=$(to --execute="SELECT COUNT(*) FROM kitestacks_copy.made WHERE fingerprint = '$is'") || exit 1
    if [ "$same" = 0 ]; then say "people wrote on this host's copy of the wiki, which a copy would overwrite"; exit 3; fi
}

# All tables change places in one statement: nobody meets a half, and a crash leaves one side or the other.
swap() {
    local old new
    to --execute="DROP DATABASE IF EXISTS $1; CREATE DATABASE $1"
    old=$(tables "$DATABASE" | sed "s/.*/\`$DATABASE\`.\`&\` TO \`$1\`.\`&\`/")
    new=$(tables kitestacks_new | sed "s/.*/\`kitestacks_new\`.\`&\` TO \`$DATABASE\`.\`&\`/")
    to --execute="RENAME TABLE $(printf '%s\n' ${old:+"$old"} "$new" | paste -sd,)"
}

# Argument: where the tables of before go.
copy() {
    local counted there arrived is
    counted="SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = '$DATABASE'"
    there=$(from mariadb --connect-timeout=5 --batch --skip-column-names --execute="$counted") || exit 4
    if [ "$there" = 0 ]; then say "$SOURCE_NAME has no wiki yet"; exit 5; fi
    if [ "$1" != kitestacks_written ]; then refuse_written; fi
    to --execute="DROP DATABASE IF EXISTS kitestacks_new; CREATE DATABASE kitestacks_new"
    from mariadb-dump --single-transaction --quick "$DATABASE" | to kitestacks_new
    arrived=$(tables kitestacks_new | wc -l)
    if [ "$arrived" != "$there" ]; then say "the dump of $SOURCE_NAME is not whole"; exit 1; fi
    is=$(fingerprint kitestacks_new)
    if [ "$1" != kitestacks_written ]; then refuse_written; fi
    # Noted before, so that a crash in between leaves a copy that is known for one.
    to --execute="REPLACE INTO kitestacks_copy.made (fingerprint) VALUES ('$is')"
    swap "$1"
    to --execute="DELETE FROM kitestacks_copy.made WHERE fingerprint <> '$is'; DROP DATABASE kitestacks_new"
    say "copied from $SOURCE_NAME"
}

gauge() { printf '# HELP wiki_copy_%s %s\n# TYPE wiki_copy_%s gauge\nwiki_copy_%s %s\n' "$1" "$2" "$1" "$1" "$3"; }

# Argument: the status of the last copy.
figures() {
    made=$(to --execute="SELECT COALESCE(MAX(UNIX_TIMESTAMP(made)), 0) FROM kitestacks_copy.made" 2>/dev/null) || made=0
    {
        gauge success_timestamp_seconds 'When the copy here was made.' "$made"
        gauge interval_seconds 'How often one is to be made.' "$EVERY"
        gauge stopped 'Whether people wrote here, so that nothing is copied until somebody acts.' "$(($1 == 3))"
    } >"$FIGURES/copy.prom.new"
    mv "$FIGURES/copy.prom.new" "$FIGURES/copy.prom"
}

# One at a time: the step and the loop may meet. A process of its own, in which `set -e` counts.
once() {
    status=0
    flock "$LOCK" bash "$0" copy "$1" || status=$?
    figures "$status"
    return "$status"
}

case $1 in
    once) once kitestacks_old ;;
    anyway) once kitestacks_written ;;
    copy) copy "$2" ;;
    loop)
        trap 'exit 0' TERM INT
        while true; do
            once kitestacks_old || true
            sleep "$EVERY" & wait $!
        done ;;
    healthy) [ -n "$(find "$FIGURES/copy.prom" -mmin "-$((EVERY * 2 / 60 + 60))")" ] ;;
esac
