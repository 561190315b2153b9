#!/bin/sh
# Syncthing with the declared settings.
#
#   start            entry point
#   healthy FOLDER   for Docker's health check; leaves Syncthing's own figures in FOLDER, where Node Exporter reads them
#
# Syncthing rewrites its settings: they lie in memory, and each start begins with the declared ones. What it knows of the
# files (the index) stays. It marks a folder (.stfolder) only while the index knows nothing of it; without its mark a
# folder is left alone. So a disk that is not there is no deletion, and nothing here may ever make a mark.
set -eu
settings=/run/syncthing

start() {
    umask 077
    cp /etc/kitestacks/sync.xml "$settings/config.xml"
    cp /etc/kitestacks/sync-certificate.pem "$settings/cert.pem"
    cp /run/secrets/sync-key.pem "$settings/key.pem"
    mkdir -p /var/syncthing/index
    umask 022
    # The image's one folder for settings and index, which is refused beside two.
    unset STHOMEDIR
    exec syncthing serve --no-browser --config="$settings" --data=/var/syncthing/index
}

healthy() {
    curl -fsS -m 3 -o /dev/null "http://$STGUIADDRESS/rest/noauth/health" || exit 1
    curl -fsS -m 3 -o "$1/pictures.all" "http://$STGUIADDRESS/metrics" || exit 0
    grep -E '^(# (HELP|TYPE) )?syncthing_(connections_active|model_folder_(state|summary))[ {]' "$1/pictures.all" \
        >"$1/pictures.prom.new"
    mv "$1/pictures.prom.new" "$1/pictures.prom"
}

"$@"
