"""The Cloudflare resource types that this program registers, without their package.

`import pulumi_cloudflare` reads 300,000 lines of Python and takes two to three seconds at every preview; these few
classes register the same types, with the same property names, in no time. The package stays in requirements.txt, since
it says which provider version the engine gets, and a test holds every token and property name here against it.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pulumi

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ZONE_TTL = 1
"""What the API wants as TTL of a proxied record: 1 stands for automatic."""


@cache
def _provider_version() -> str:
    return version("pulumi_cloudflare")


def _type(name: str) -> str:
    return f"cloudflare:index/{name[0].lower()}{name[1:]}:{name}"


class CloudflareResource(pulumi.CustomResource):
    """A resource of the Cloudflare provider, in the version that requirements.txt pins."""

    def __init__(self, name: str, inputs: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(version=_provider_version()))
        super().__init__(_type(type(self).__name__), name, dict(inputs), opts)


class ZeroTrustTunnelCloudflared(CloudflareResource):
    """A tunnel's identity, managed from here and not by a file beside the connector."""

    def __init__(
        self, resource_name: str, *, account_id: pulumi.Input[str], name: str, opts: pulumi.ResourceOptions
    ) -> None:
        inputs = {"accountId": account_id, "name": name, "configSrc": "cloudflare"}
        super().__init__(resource_name, inputs, opts)


class ZeroTrustTunnelCloudflaredConfig(CloudflareResource):
    """The one document of a tunnel's ingress rules; every write replaces the whole of it."""

    def __init__(
        self,
        resource_name: str,
        *,
        account_id: pulumi.Input[str],
        tunnel_id: pulumi.Input[str],
        ingresses: Sequence[Mapping[str, Any]],
        opts: pulumi.ResourceOptions,
    ) -> None:
        inputs = {
            "accountId": account_id,
            "tunnelId": tunnel_id,
            "source": "cloudflare",
            "config": {"ingresses": [dict(rule) for rule in ingresses]},
        }
        super().__init__(resource_name, inputs, opts)


class DnsRecord(CloudflareResource):
    """A proxied CNAME: Cloudflare answers for the name, and nobody sees what it points at."""

    def __init__(
        self,
        resource_name: str,
        *,
        zone_id: pulumi.Input[str],
        name: str,
        content: pulumi.Input[str],
        comment: str,
        opts: pulumi.ResourceOptions,
    ) -> None:
        inputs = {
            "zoneId": zone_id,
            "name": name,
            "type": "CNAME",
            "content": content,
            "proxied": True,
            "ttl": _ZONE_TTL,
            "comment": comment,
        }
        super().__init__(resource_name, inputs, opts)


class LoadBalancerMonitor(CloudflareResource):
    """Asks a site's health path as a visitor would; a redirect to a login is no good answer."""

    def __init__(  # noqa: PLR0913 - the type's own properties
        self,
        resource_name: str,
        *,
        account_id: pulumi.Input[str],
        hostname: str,
        path: str,
        interval: int,
        timeout: int,
        retries: int,
        description: str,
        opts: pulumi.ResourceOptions,
    ) -> None:
        inputs = {
            "accountId": account_id,
            "type": "https",
            "method": "GET",
            "path": path,
            "header": {"Host": [hostname]},
            "expectedCodes": "2xx",
            "followRedirects": False,
            "allowInsecure": False,
            "interval": interval,
            "timeout": timeout,
            "retries": retries,
            "description": description,
        }
        super().__init__(resource_name, inputs, opts)


class LoadBalancerPool(CloudflareResource):
    """One tunnel as the only origin of a pool; the Host header tells the tunnel which ingress rule is meant."""

    def __init__(  # noqa: PLR0913 - the type's own properties
        self,
        resource_name: str,
        *,
        account_id: pulumi.Input[str],
        name: str,
        origin: tuple[str, pulumi.Input[str], str],
        monitor: pulumi.Input[str],
        check_regions: Sequence[str],
        notification_email: str | None,
        description: str,
        opts: pulumi.ResourceOptions,
    ) -> None:
        host, address, hostname = origin
        inputs = {
            "accountId": account_id,
            "name": name,
            "origins": [
                {"name": host, "address": address, "enabled": True, "weight": 1, "header": {"hosts": [hostname]}}
            ],
            "monitor": monitor,
            "checkRegions": list(check_regions),
            "minimumOrigins": 1,
            "enabled": True,
            "description": description,
            **({"notificationEmail": notification_email} if notification_email else {}),
        }
        super().__init__(resource_name, inputs, opts)


class LoadBalancer(CloudflareResource):
    """A proxied hostname that goes to the first pool that is well; the last pool answers when none is."""

    def __init__(  # noqa: PLR0913 - the type's own properties
        self,
        resource_name: str,
        *,
        zone_id: pulumi.Input[str],
        name: str,
        pools: Sequence[pulumi.Input[str]],
        steering: str,
        session_affinity: str,
        description: str,
        opts: pulumi.ResourceOptions,
    ) -> None:
        inputs = {
            "zoneId": zone_id,
            "name": name,
            "defaultPools": list(pools),
            "fallbackPool": pools[-1],
            "proxied": True,
            "enabled": True,
            "steeringPolicy": steering,
            "sessionAffinity": session_affinity,
            "description": description,
        }
        super().__init__(resource_name, inputs, opts)


def tunnel_token(
    account_id: pulumi.Input[str], tunnel_id: pulumi.Input[str], parent: pulumi.Resource
) -> pulumi.Output[str]:
    """The secret with which a connector proves that it may serve the tunnel."""
    found: pulumi.Output[dict[str, str]] = pulumi.runtime.invoke_output(
        "cloudflare:index/getZeroTrustTunnelCloudflaredToken:getZeroTrustTunnelCloudflaredToken",
        {"accountId": account_id, "tunnelId": tunnel_id},
        opts=pulumi.InvokeOutputOptions(parent=parent, version=_provider_version()),
    )
    return pulumi.Output.secret(found.apply(lambda result: result["token"]))
