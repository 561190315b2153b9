"""SiteLoadBalancer: at Cloudflare, which host's tunnel a shared site's visitors get, decided by health checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import pulumi
from pydantic import Field

from components.edge.cloudflare import LoadBalancer, LoadBalancerMonitor, LoadBalancerPool
from components.model import Model
from components.types import Duration, duration_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

REGIONS = Literal[
    "WNAM", "ENAM", "WEU", "EEU", "NSAM", "SSAM", "OC", "ME", "NAF", "SAF", "SAS", "SEAS", "NEAS"
]  # fmt: skip


class LoadBalancerSettings(Model):
    """Cloudflare's load balancing, a paid add-on: which plan, how visitors are spread, how hosts are watched."""

    plan: Literal["pro", "business", "enterprise"] = Field(description="The zone's plan, which limits the monitors.")
    steering: Literal["off", "random"] = Field(
        default="off", description="off: the primary host as long as it is well; random: any host that is well."
    )
    session_affinity: Literal["none", "cookie", "ip_cookie"] = Field(
        default="none", description="Whether a visitor stays with the host that first answered."
    )
    interval: Duration = Field(default="60s", description="Time between two checks of a host.")
    timeout: Duration = Field(default="5s", description="How long the answer to a check may take.")
    retries: Annotated[int, Field(ge=0, le=5)] = Field(
        default=2, description="Checks that follow a failed one at once, before the host counts as gone."
    )
    regions: tuple[REGIONS, ...] = Field(
        default=("WEU",), min_length=1, description="From where it is checked; each region asks from three places."
    )
    notify: str | None = Field(
        default=None, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", description="Mail address that hears of each change."
    )


@dataclass(frozen=True, kw_only=True)
class LoadBalancerArgs:
    """What a site's load balancer is made from.

    Attributes:
        account_id: The account of pools and monitors.
        zone_id: The zone of the hostname.
        hostname: What visitors type.
        health_path: Answers 2xx without a login.
        tunnel_ids: The own tunnel of each host with a copy, the primary's first, the one that takes over last.
        settings: The owner's wishes.
        installation: The mark of ownership.
    """

    account_id: pulumi.Input[str]
    zone_id: pulumi.Input[str]
    hostname: str
    health_path: str
    tunnel_ids: Mapping[str, pulumi.Input[str]]
    settings: LoadBalancerSettings
    installation: str


class SiteLoadBalancer(pulumi.ComponentResource):
    """A shared site's load balancer.

    Creates: a monitor, one pool per host with its own tunnel as the only origin, the load balancer of the hostname.
    Leaves out: the DNS record, which stays below the load balancer and answers when that is taken away; the ingress
    rules, which every host's own tunnel has in either mode.
    """

    def __init__(self, name: str, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kitestacks:index:SiteLoadBalancer", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        mark = f"managed by Pulumi for {args.installation}"
        monitor = LoadBalancerMonitor(
            f"{name}-monitor",
            account_id=args.account_id,
            hostname=args.hostname,
            path=args.health_path,
            interval=duration_seconds(args.settings.interval),
            timeout=duration_seconds(args.settings.timeout),
            retries=args.settings.retries,
            description=f"{args.hostname}, {mark}",
            opts=child,
        )
        pools = [
            LoadBalancerPool(
                f"{name}-{host}-pool",
                account_id=args.account_id,
                name=f"{args.installation}-{args.hostname.replace('.', '-')}-{host}",
                origin=(host, pulumi.Output.concat(tunnel_id, ".cfargotunnel.com"), args.hostname),
                monitor=monitor.id,
                check_regions=args.settings.regions,
                notification_email=args.settings.notify,
                description=mark,
                opts=child,
            )
            for host, tunnel_id in args.tunnel_ids.items()
        ]
        LoadBalancer(
            f"{name}-balancer",
            zone_id=args.zone_id,
            name=args.hostname,
            pools=[pool.id for pool in pools],
            steering=args.settings.steering,
            session_affinity=args.settings.session_affinity,
            description=mark,
            opts=child,
        )
        self.register_outputs({"hostname": args.hostname})
