# The image's own check; and what the database says of its replication, left where Node Exporter reads it.
# Arguments: the folder for it; both, reads or writes: whether this side follows, is written, or both; and for a side
# that is written alone: the other side's address, its port, and the file with the password of who may ask there.
# The account here is the one that a step makes for this container's user.
healthcheck.sh --connect --innodb_initialized || exit 1
ask() { mariadb --user=mysql --protocol=SOCKET "$@"; }
shown=$(ask --vertical --execute='SHOW SLAVE STATUS') || exit 0

value() { printf '%s\n' "$shown" | sed -n "s/^ *$1: //p"; }
is() { if [ "$(value "$1")" = "$2" ]; then echo 1; else echo 0; fi; }
number() { ask --skip-column-names --batch --execute="SELECT $1"; }
gauge() { printf '# HELP mariadb_replication_%s %s\n# TYPE mariadb_replication_%s gauge\n' "$1" "$2" "$1"
    printf 'mariadb_replication_%s %s\n' "$1" "$3"; }

follows() {
    applies=$(is Slave_SQL_Running Yes)
    connected=$(is Slave_IO_Running Yes)
    stopped=1
    if [ "$applies" = 1 ] && { [ "$connected" = 1 ] || [ "$(value Slave_IO_Running)" = Connecting ]; }; then stopped=0; fi
    if [ "$1" = reads ] && [ "$connected" = 1 ]; then ask --execute='SET GLOBAL read_only = 1'; fi
    gauge stopped 'Whether this side no longer follows the other, until somebody acts.' "$stopped"
    gauge connected 'Whether the other side is heard.' "$connected"
    case $(value Seconds_Behind_Master) in '' | NULL) ;; *)
        gauge lag_seconds 'How old the change is that is being applied.' "$(value Seconds_Behind_Master)" ;;
    esac
}

# Started read-only, it is opened when the other side takes no writes. Silence says nothing for the first minute: the
# private network may come up after it. A side that still follows is opened by its step alone.
writes() {
    fenced=0
    if [ -z "$shown" ] && [ "$(number @@GLOBAL.read_only)" = 1 ]; then
        there=$(MYSQL_PWD=$(cat "$3") mariadb --user=replication --protocol=TCP --skip-ssl --connect-timeout=3 \
            --host="$1" --port="$2" --skip-column-names --batch --execute='SELECT @@GLOBAL.read_only' 2>&1)
        up=$(number "VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'UPTIME'")
        if [ "$there" = 0 ]; then
            fenced=1
        elif [ "$there" = 1 ] || [ "$up" -gt 60 ]; then
            ask --execute='SET GLOBAL read_only = 0'
        fi
    fi
    gauge fenced 'Whether this side takes no writes, because the other one is written.' "$fenced"
}

folder=$1 role=$2
shift 2
if [ "$role" = writes ]; then writes "$@"; else follows "$role"; fi >"$folder/replication.prom.new" &&
    mv "$folder/replication.prom.new" "$folder/replication.prom"
exit 0
