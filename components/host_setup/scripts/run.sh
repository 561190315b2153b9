#!/usr/bin/env bash
# The runner: one step after the other, until all are done or one fails. Prints a line per step and one at the end.
set -euo pipefail

exec 9>/run/lock/kitestacks-host-setup
if ! flock --wait 600 9; then
    echo "host setup stopped before its first step: another one has been running for ten minutes; reboot the host if it hangs" >&2
    exit 1
fi
# What an earlier run that was killed left behind; its key with it.
find /run -maxdepth 1 -name 'kitestacks-host-setup.*' ! -path "$WORK" -exec rm -rf {} +

changed=0
unchanged=0
for script in "$WORK"/[0-9][0-9]-*.sh; do
    STEP=$(basename "$script" .sh)
    export STEP=${STEP#??-}
    if ! bash "$script" >"$WORK/said" 2>"$WORK/complaint" 9>&-; then
        if [ ! -s "$WORK/reason" ]; then
            echo "$(tail -n 1 "$WORK/complaint"); look at it on the host, then run pulumi up again" >"$WORK/reason"
        fi
        echo "host setup stopped at step $STEP: $(cat "$WORK/reason")" >&2
        exit 1
    fi
    cat "$WORK/said"
    if grep -q '^unchanged' "$WORK/said"; then unchanged=$((unchanged + 1)); else changed=$((changed + 1)); fi
done
echo "host setup: $changed changed, $unchanged unchanged"
