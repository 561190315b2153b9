"""Tunnel: a named phone line that a host's connector opens outward; and the ingress rules that say who picks up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi

from components.edge.cloudflare import ZeroTrustTunnelCloudflared, ZeroTrustTunnelCloudflaredConfig, tunnel_token

if TYPE_CHECKING:
    from collections.abc import Mapping

CATCH_ALL = {"service": "http_status:404"}
"""The last ingress rule: Cloudflare refuses a document without one."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An ingress rule of one hostname.

    Attributes:
        service: The address that the connector asks, inside its host's edge network.
        host_header: The hostname that is asked for there, where it is another.
    """

    service: str
    host_header: str | None = None

    def ingress(self, hostname: str) -> dict[str, Any]:
        """The rule as Cloudflare takes it."""
        changed = {"originRequest": {"httpHostHeader": self.host_header}} if self.host_header else {}
        return {"hostname": hostname, "service": self.service, **changed}


class Tunnel(pulumi.ComponentResource):
    """A tunnel's identity and its secret.

    Creates: the tunnel, managed at Cloudflare.
    Leaves out: its ingress rules (`IngressRules`), which another stack may write, and its connectors (containers).

    Attributes:
        id: The tunnel's UUID.
        token: What a connector needs; secret.
    """

    def __init__(
        self,
        name: str,
        *,
        account_id: pulumi.Input[str],
        tunnel_name: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("kitestacks:index:Tunnel", name, None, opts)
        tunnel = ZeroTrustTunnelCloudflared(
            f"{name}-tunnel",
            account_id=account_id,
            name=tunnel_name,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.id: pulumi.Output[str] = tunnel.id
        self.token = tunnel_token(account_id, tunnel.id, parent=self)
        self.register_outputs({"id": self.id})


class IngressRules(pulumi.ComponentResource):
    """All ingress rules of one tunnel: a hostname to a container's address, and a catch-all.

    Creates: the tunnel's one configuration document.
    Leaves out: access rules; a login belongs to the site.
    """

    def __init__(
        self,
        name: str,
        *,
        account_id: pulumi.Input[str],
        tunnel_id: pulumi.Input[str],
        rules: Mapping[str, Rule],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("kitestacks:index:IngressRules", name, None, opts)
        ZeroTrustTunnelCloudflaredConfig(
            f"{name}-ingress",
            account_id=account_id,
            tunnel_id=tunnel_id,
            ingresses=[*(rule.ingress(hostname) for hostname, rule in rules.items()), CATCH_ALL],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({})
