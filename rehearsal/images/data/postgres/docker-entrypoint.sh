#!/bin/sh
# An empty folder becomes a database with one user, whose password is given as a file (docker-library/docs:postgres/content.md).
set -eu
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    user=${POSTGRES_USER:-postgres} words=/dev/null
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then words=$POSTGRES_PASSWORD_FILE; fi
    # shellcheck disable=SC2086 # words of options
    if [ "$words" = /dev/null ]; then
        initdb -U "$user" ${POSTGRES_INITDB_ARGS:-} -D "$PGDATA"
    else
        initdb -U "$user" --pwfile="$words" ${POSTGRES_INITDB_ARGS:-} -D "$PGDATA"
    fi
    printf 'host all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
    pg_ctl -w -D "$PGDATA" -o "-c listen_addresses=''" start
    if [ "${POSTGRES_DB:-$user}" != postgres ]; then createdb -U "$user" "${POSTGRES_DB:-$user}"; fi
    pg_ctl -w -D "$PGDATA" -m fast stop
fi
exec "$@"
