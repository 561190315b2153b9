#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR
# Whenever the host starts, Docker starts after the private address is there: ports are published on it.
# It stands before Docker's installation, which starts the daemon.
. "$WORK/common.sh"

if put_file /usr/local/lib/kitestacks/wait-for-address 755 <<'END'; then changed "waiting for the address"; fi
#!/bin/sh
# Ends as soon as the host has the address $1, or after two minutes: tailscaled says that it is ready before it is.
tries=0
until ip -4 -o address show | grep -qF " $1/"; do
    tries=$((tries + 1))
    if [ "$tries" -ge 120 ]; then
        echo "no address $1 after two minutes; containers that publish a port there will not start" >&2
        exit 1
    fi
    sleep 1
done
END
# With a dash: a host whose private network is down still brings up its public sites.
if put_file /etc/systemd/system/docker.service.d/kitestacks.conf 644 <<END; then changed "Docker's order"; fi
[Unit]
After=tailscaled.service
Wants=tailscaled.service

[Service]
ExecStartPre=-/usr/local/lib/kitestacks/wait-for-address $TAILSCALE_ADDRESS
TimeoutStartSec=infinity
END
# Docker itself is not restarted: that would stop the containers, and the order counts at the next start.
if [ "$(systemctl show --property=NeedDaemonReload --value docker.service)" = yes ]; then
    quietly systemctl daemon-reload
    changed "systemd reads it"
fi
report
