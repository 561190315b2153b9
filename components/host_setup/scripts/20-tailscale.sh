#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR
# Tailscale is installed in the wanted version and runs.
. "$WORK/common.sh"
# shellcheck disable=SC1091
. /etc/os-release

package_source tailscale /etc/apt/keyrings/kitestacks-tailscale.gpg \
    "$TAILSCALE_PACKAGES/$ID/$VERSION_CODENAME.noarmor.gpg" "$TAILSCALE_FINGERPRINT" \
    "$TAILSCALE_PACKAGES/$ID $VERSION_CODENAME main"
install_pinned host.setup.tailscale-version "$TAILSCALE_VERSION" tailscale
start tailscaled
report
