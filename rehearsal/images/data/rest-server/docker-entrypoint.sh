#!/bin/sh
# shellcheck disable=SC2086 # words of options
exec rest-server --listen :8000 --path "$DATA_DIRECTORY" --htpasswd-file "$PASSWORD_FILE" ${OPTIONS:-}
