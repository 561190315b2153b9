"""Simulated Cloudflare: tunnels, their ingress, tunnel tokens, DNS records and load balancing.

Which properties replace a resource is taken from the schemas of Cloudflare's Terraform provider 5.22, the base of
Pulumi's 6.x.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rehearsal.cloud.resource import Provider, Refusal

from .dns import DnsRecord
from .load_balancer import LoadBalancer, Monitor, Pool
from .tunnel import TUNNEL_TOKEN, Tunnel, TunnelConfig

if TYPE_CHECKING:
    from rehearsal.cloud.wire import Props


def _configure(config: Props) -> None:
    """Refuse to begin without a token; the real provider begins, and its first call fails."""
    if not (config.get("apiToken") or os.environ.get("CLOUDFLARE_API_TOKEN")):
        answer = '{"code": 9106, "message": "Missing X-Auth-Key, X-Auth-Email or Authorization headers"}'
        raise Refusal(
            "Cloudflare needs an apiToken: set it with `pulumi config set --secret cloudflare:apiToken`"
            f" (without one every call ends in 400 Bad Request {answer})"
        )


CLOUDFLARE = Provider(
    name="cloudflare",
    resources=(Tunnel(), TunnelConfig(), DnsRecord(), Monitor(), Pool(), LoadBalancer()),
    functions=(TUNNEL_TOKEN,),
    configure=_configure,
)
