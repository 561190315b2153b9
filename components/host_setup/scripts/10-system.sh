#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR
# The system is one that the later steps know, its package database is whole, and a few small programs are there.
. "$WORK/common.sh"
# shellcheck disable=SC1091
. /etc/os-release

case "$ID" in
debian | ubuntu) ;;
*) stop "the host runs ${PRETTY_NAME:-$ID}" "host.setup knows Debian and Ubuntu: take the section out and prepare the host by hand" ;;
esac
command -v systemctl >/dev/null || stop "the host has no systemd" "take host.setup out and prepare the host by hand"

if [ -n "$(dpkg --audit)" ]; then
    quietly dpkg --configure -a
    apt --fix-broken install
    changed "finished an interrupted installation"
fi

missing=()
for package in ca-certificates gpg iproute2 nftables; do
    [ -n "$(installed_version "$package")" ] || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
    apt update
    apt install --no-install-recommends "${missing[@]}"
    changed "installed ${missing[*]}"
fi
report
