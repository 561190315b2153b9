# The image's own check; and what the database says of its replication, left where Node Exporter reads it.
# Argument: the folder for it. The account is the one that the ring's step makes for this container's user.
healthcheck.sh --connect --innodb_initialized || exit 1
shown=$(mariadb --user=mysql --protocol=SOCKET --vertical --execute='SHOW SLAVE STATUS') || exit 0

value() { printf '%s\n' "$shown" | sed -n "s/^ *$1: //p"; }
is() { if [ "$(value "$1")" = "$2" ]; then echo 1; else echo 0; fi; }

applies=$(is Slave_SQL_Running Yes)
connected=$(is Slave_IO_Running Yes)
stopped=1
if [ "$applies" = 1 ] && { [ "$connected" = 1 ] || [ "$(value Slave_IO_Running)" = Connecting ]; }; then stopped=0; fi
{
    echo "# HELP mariadb_replication_stopped Whether this side no longer follows the other, until somebody acts."
    echo "# TYPE mariadb_replication_stopped gauge"
    echo "mariadb_replication_stopped $stopped"
    echo "# HELP mariadb_replication_connected Whether the other side is heard."
    echo "# TYPE mariadb_replication_connected gauge"
    echo "mariadb_replication_connected $connected"
    case $(value Seconds_Behind_Master) in '' | NULL) ;; *)
        echo "# HELP mariadb_replication_lag_seconds How old the change is that is being applied."
        echo "# TYPE mariadb_replication_lag_seconds gauge"
        echo "mariadb_replication_lag_seconds $(value Seconds_Behind_Master)" ;;
    esac
} >"$1/replication.prom.new" && mv "$1/replication.prom.new" "$1/replication.prom"
exit 0
