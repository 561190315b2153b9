# Docker's health check of a copy. First, what the database says of its replication is left where Node Exporter reads it;
# that it can't be is no sickness. Argument: the folder for it. Beside this file lie copy.sh and figures.sql.
beside=${0%/*}
if PGCONNECT_TIMEOUT=2 PGOPTIONS='-c statement_timeout=2s' psql -XAtqw -v ON_ERROR_STOP=1 \
    -U "$POSTGRES_USER" -d "$POSTGRES_DB" -f "$beside/figures.sql" >"$1/postgresql.prom.new"; then
    mv "$1/postgresql.prom.new" "$1/postgresql.prom"
fi
exec sh "$beside/copy.sh" healthy
