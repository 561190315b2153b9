# shellcheck shell=bash
# What the steps share. A step looks first, changes only what differs, says `changed` for each, and ends with `report`.
set -euo pipefail
umask 022
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1

AGAIN="once that is put right, run pulumi up again"
changes=""

changed() { changes="${changes:+$changes, }$1"; }

report() { if [ -n "$changes" ]; then echo "changed: $STEP: $changes"; else echo "unchanged: $STEP"; fi; }

# stop REASON WAY-OUT: ends the step; the runner shows this line.
stop() {
    echo "$1; $2" >"$WORK/reason"
    exit 1
}

# quietly COMMAND...: its output is shown only where it fails, and of that the last line.
quietly() {
    "$@" >"$WORK/output" 2>&1 || stop "$1 ${2:-} failed: $(grep -v '^[[:space:]]*$' "$WORK/output" | tail -n 1)" "$AGAIN"
}

# put_file PATH MODE <CONTENT: status 0 where something had to be written.
put_file() {
    cat >"$WORK/content"
    if [ -f "$1" ] && cmp -s "$WORK/content" "$1" && [ "$(stat -c %a "$1")" = "$2" ]; then return 1; fi
    quietly mkdir -p "$(dirname "$1")"
    # Beside it and then renamed: a file is never half-written, whenever the power fails.
    quietly install -m "$2" "$WORK/content" "$1.new"
    quietly mv "$1.new" "$1"
}

installed_version() {
    dpkg-query -W -f '${db:Status-Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^installed //p'
}

# is_version FULL WANTED: 5:28.5.1-1~debian.12~bookworm is 28.5.1.
is_version() {
    case "${1#*:}" in "$2" | "$2"[-~+]*) return 0 ;; *) return 1 ;; esac
}

apt() { quietly apt-get -q -y -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold "$@"; }

# fingerprint FILE: of its one key; two keys would both be trusted, so they are none.
fingerprint() {
    [ -s "$1" ] || return 0
    mkdir -p "$WORK/gnupg" && chmod 700 "$WORK/gnupg"
    GNUPGHOME="$WORK/gnupg" gpg --batch --show-keys --with-colons "$1" 2>/dev/null |
        awk -F: '$1 == "pub" { keys++ } $1 == "fpr" && !found { found = $10 } END { if (keys == 1) print found }'
}

# package_source NAME KEYRING KEY-URL FINGERPRINT "URI SUITE COMPONENT": packages signed by this key and no other.
package_source() {
    if [ "$(fingerprint "$2")" != "$4" ]; then
        quietly /usr/lib/apt/apt-helper download-file "$3" "$WORK/key"
        found=$(fingerprint "$WORK/key")
        [ "$found" = "$4" ] ||
            stop "the key at $3 has the fingerprint ${found:-of none or of several}, not $4" \
                "do not go on before you know why; a new key is written into the setting $1-packages"
        put_file "$2" 644 <"$WORK/key" && changed "key of $1's packages"
    fi
    if put_file "/etc/apt/sources.list.d/kitestacks-$1.list" 644 <<<"deb [signed-by=$2] $5"; then
        changed "source of $1's packages"
    fi
}

# install_pinned SETTING VERSION PACKAGE...: this version, and it stays when everything else is upgraded.
install_pinned() {
    local setting=$1 wanted=$2 package full missing=""
    shift 2
    for package in "$@"; do
        is_version "$(installed_version "$package")" "$wanted" || missing=yes
    done
    if [ -n "$missing" ]; then
        apt update
        full=$(apt-cache madison "$1" | awk '{ print $3 }' |
            while read -r each; do if is_version "$each" "$wanted"; then echo "$each"; fi; done | head -n 1)
        [ -n "$full" ] || stop "there is no $1 $wanted for this system" \
            "take one that \`apt-cache madison $1\` shows on the host into $setting"
        pin "$full" "$@"
        apt install --no-install-recommends --allow-downgrades "${@/%/=$full}"
        changed "$1 $wanted"
    else
        pin "$(installed_version "$1")" "$@"
    fi
}

pin() {
    local version=$1
    shift
    if put_file "/etc/apt/preferences.d/kitestacks-$1" 644 <<END; then changed "pin of $1"; fi
Package: $*
Pin: version $version
Pin-Priority: 1001
END
}

# start UNIT: now, and whenever the host starts.
start() {
    if systemctl is-enabled --quiet "$1" && systemctl is-active --quiet "$1"; then return 0; fi
    if ! { systemctl enable --now "$1" && systemctl is-active --quiet "$1"; } >"$WORK/output" 2>&1; then
        stop "$1 does not start" "\`journalctl -u $1 -n 20\` on the host says why; $AGAIN"
    fi
    changed "started $1"
}
