#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR
# The data folders are there with their owners; what lies in them is left alone.
. "$WORK/common.sh"

for folder in $FOLDERS; do # uid:gid:mode:path, none of which has a blank
    IFS=: read -r user group mode path <<<"$folder"
    if [ -e "$path" ] && [ ! -d "$path" ]; then stop "$path is there and is not a folder" "move it away; $AGAIN"; fi
    wanted="$user:$group $(printf %o "$((8#$mode))")"
    if [ -d "$path" ] && [ "$(stat -Lc '%u:%g %a' "$path")" = "$wanted" ]; then continue; fi
    quietly install -d -o "$user" -g "$group" -m "$mode" "$path"
    changed "$path"
done
report
