#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR
# Nothing is open but the private network: what comes from elsewhere and was not asked for is dropped, on its way to
# the host and to containers. The rules are a table of their own, beside Docker's and anybody else's.
. "$WORK/common.sh"

RULES=/etc/kitestacks/firewall.nft
UNIT=kitestacks-firewall.service
LOADED=/var/lib/kitestacks/firewall.loaded

read -r _ _ arrived_at _ <<<"$ARRIVED"
case "${arrived_at#::ffff:}" in
"$TAILSCALE_ADDRESS" | fd7a:115c:a1e0:* | 127.* | ::1) ;;
*)
    [ "$SSH_PUBLIC" = yes ] ||
        stop "this very connection came in at ${arrived_at:-an unknown address}, which ssh-public: false would close" \
            "write $TAILSCALE_ADDRESS into host.setup.ssh-host, or ssh-public: true"
    ;;
esac

public_ssh=""
if [ "$SSH_PUBLIC" = yes ]; then public_ssh="tcp dport $SSH_PORT accept"; fi

put_file "$RULES" 644 <<END || true
table inet kitestacks
delete table inet kitestacks
table inet kitestacks {
    chain input {
        type filter hook input priority filter; policy drop;
        iifname "lo" accept
        ct state established,related accept
        # Tailscale's policy says who may reach what.
        iifname "tailscale0" accept
        # Containers reach what is published on the private address, and not the host's SSH.
        iifname "docker0" ip daddr $TAILSCALE_ADDRESS tcp dport != $SSH_PORT accept
        iifname "br-*" ip daddr $TAILSCALE_ADDRESS tcp dport != $SSH_PORT accept
        # Without these an IPv6 network does not work at all: neighbours, routers, the lease of an address.
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
        ip6 saddr fe80::/10 udp dport 546 accept
        $public_ssh
    }
    chain forward {
        # Docker leads published ports around the input chain. Traffic between others is none of our business.
        type filter hook forward priority filter; policy accept;
        ct state established,related accept
        iifname { "tailscale0", "docker0" } accept
        iifname "br-*" accept
        oifname "docker0" drop
        oifname "br-*" drop
    }
}
END
put_file "/etc/systemd/system/$UNIT" 644 <<END || true
[Unit]
Description=KiteStacks: nothing is open but the private network
DefaultDependencies=no
After=local-fs.target nftables.service
PartOf=nftables.service
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f $RULES

[Install]
WantedBy=sysinit.target
END

# What stands in the files and what the kernel has. It is noted last: where somebody changed or flushed the rules by
# hand, or an earlier run was cut short, the two differ.
in_force() { sha256sum "$RULES" "/etc/systemd/system/$UNIT" && nft --stateless list table inet kitestacks 2>/dev/null; }
if [ ! -s "$LOADED" ] || [ "$(in_force)" != "$(cat "$LOADED")" ]; then
    quietly nft --check --file "$RULES"
    quietly systemctl daemon-reload
    quietly systemctl enable "$UNIT"
    quietly systemctl restart "$UNIT"
    put_file "$LOADED" 644 <<<"$(in_force)" || true
    changed "closed all but the private network${public_ssh:+ and public SSH}"
fi
report
