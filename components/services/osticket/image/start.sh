#!/bin/sh
# Installs or upgrades first, so that nobody meets a set-up page; then serves, and fetches mail every five minutes.
set -eu
php /opt/osticket/install.php
(
    while sleep 300; do
        php /var/www/html/api/cron.php || echo "osTicket: the mail run failed, the next is in five minutes" >&2
    done
) &
exec "$@"
