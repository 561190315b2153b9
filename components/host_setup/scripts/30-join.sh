#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR
# The host is on the private network, under its own tag and at the address that the stack file says.
. "$WORK/common.sh"

status() { tailscale status --json --peers=false 2>/dev/null || true; }
state() { status | sed -n 's/.*"BackendState": *"\([^"]*\)".*/\1/p'; }
settled() { case "$(state)" in "" | NoState | Starting) return 1 ;; esac; }

for _ in $(seq 60); do
    if settled; then break; fi
    sleep 0.5
done
case "$(state)" in
Running) ;;
Stopped)
    quietly tailscale up --timeout=60s
    changed "connected again"
    ;;
NeedsLogin)
    [ -s "$WORK/join-key" ] ||
        stop "the host has to join the private network and there is no key for it" \
            "add the tailnet section to the foundation's file, or name a key of your own in host.setup.auth-key"
    # The command reads the key from the file: an argument would stand in the list of processes.
    tailscale up --timeout=60s --auth-key="file:$WORK/join-key" --advertise-tags="$TAG" --hostname="$NAME" \
        >"$WORK/output" 2>&1 ||
        stop "Tailscale does not let the host join: $(tail -n 1 "$WORK/output")" \
            "a used or expired key is made anew by \`pulumi up --replace '**tailnet-$NAME-key'\` in the foundation's stack"
    changed "joined as $TAG"
    ;;
NeedsMachineAuth) stop "the host waits to be let in" "approve it on the admin console's Machines page; $AGAIN" ;;
*) stop "tailscaled is in the state '$(state)'" "\`journalctl -u tailscaled -n 20\` on the host says why; $AGAIN" ;;
esac

status | grep -qF "\"$TAG\"" ||
    stop "the host is on the private network without $TAG" \
        "give it the tag on the admin console's Machines page, or run \`tailscale logout\` on the host; $AGAIN"
address=$(tailscale ip -4)
[ "$address" = "$TAILSCALE_ADDRESS" ] ||
    stop "the host has the address $address, and host.tailscale-address says $TAILSCALE_ADDRESS" \
        "write $address there"
report
