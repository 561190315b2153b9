#!/bin/sh
# An empty folder becomes a database with its user and an administrator; both passwords are given as files
# (mariadb-corporation/mariadb-docs:mariadb-server-docker-official-image-environment-variables.md).
set -eu

word() { # the value of a variable, or of the file that its _FILE form names
    eval "named=\${$1_FILE:-} plain=\${$1:-}"
    # shellcheck disable=SC2154 # both are set by the line above
    if [ -n "$named" ]; then cat "$named"; else printf %s "$plain"; fi
}

answers() { mariadb-admin --protocol=SOCKET --user=root ping >/dev/null 2>&1; }

if [ "$1" = mariadbd ] && [ ! -d /var/lib/mysql/mysql ]; then
    mariadb-install-db --datadir=/var/lib/mysql --auth-root-authentication-method=normal --skip-test-db >/dev/null
    "$@" --skip-networking &
    server=$!
    until answers; do
        kill -0 "$server"
        sleep 0.1
    done
    database=${MARIADB_DATABASE:-} user=${MARIADB_USER:-}
    {
        [ -z "$database" ] || echo "CREATE DATABASE IF NOT EXISTS \`$database\`;"
        [ -z "$user" ] || echo "CREATE USER '$user'@'%' IDENTIFIED BY '$(word MARIADB_PASSWORD)';" \
            "GRANT ALL ON \`$database\`.* TO '$user'@'%';"
        # The administrator is each host's own: no other database may be told of it.
        echo "SET sql_log_bin = 0; ALTER USER root@localhost IDENTIFIED BY '$(word MARIADB_ROOT_PASSWORD)';"
    } | mariadb --protocol=SOCKET --user=root
    kill "$server"
    wait "$server"
fi
exec "$@"
