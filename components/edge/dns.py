"""SiteRecord: the entry in the phone book that leads a hostname to a tunnel."""

from __future__ import annotations

import pulumi

from components.edge.cloudflare import DnsRecord


class SiteRecord(pulumi.ComponentResource):
    """A site's DNS record.

    Creates: one proxied CNAME to the tunnel, named in full (a short name differs from what the API reads back).
    Leaves out: records of the zone that no site declares; they stay as they are.
    """

    def __init__(
        self,
        name: str,
        *,
        zone_id: pulumi.Input[str],
        hostname: str,
        tunnel_id: pulumi.Input[str],
        installation: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("kitestacks:index:SiteRecord", name, None, opts)
        DnsRecord(
            f"{name}-record",
            zone_id=zone_id,
            name=hostname,
            content=pulumi.Output.concat(tunnel_id, ".cfargotunnel.com"),
            comment=f"managed by Pulumi for {installation}",
            # Tunnels change hands under one name: the old record must be gone before the new one comes.
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        self.register_outputs({"hostname": hostname})
