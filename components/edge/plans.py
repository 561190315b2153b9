"""Plans: what an account's plan at Cloudflare lets a load balancer do, as data.

Read in `cloudflare/cloudflare-docs` (load-balancing/monitors, load-balancing/reference/limitations.mdx) on the day of
`AS_OF`. Where two pages differ, the stricter figure stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.errors import Problem
from components.types import duration_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.edge.load_balancer import LoadBalancerSettings

AS_OF = "2026-08-22"
LONGEST_INTERVAL = 3600


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One plan.

    Attributes:
        monitor_interval: The least seconds between two checks of a monitor.
        load_balancers: How many there may be; None: as agreed with Cloudflare.
        endpoints: How many origins all pools may hold together; None: as agreed.
    """

    monitor_interval: int
    load_balancers: int | None
    endpoints: int | None


PLANS = {
    "pro": Plan(monitor_interval=60, load_balancers=20, endpoints=20),
    "business": Plan(monitor_interval=15, load_balancers=20, endpoints=20),
    "enterprise": Plan(monitor_interval=10, load_balancers=None, endpoints=None),
}


def plan_problems(settings: LoadBalancerSettings, sites: int, copies: int) -> Iterator[Problem]:
    """What the plan does not allow.

    Args:
        settings: The owner's wishes.
        sites: Load balancers that would be made.
        copies: Endpoints that would be made.
    """
    plan = PLANS[settings.plan]
    interval = duration_seconds(settings.interval)
    if not plan.monitor_interval <= interval <= LONGEST_INTERVAL:
        yield Problem(
            path="edge.load-balancer.interval",
            rule=f"must be from {plan.monitor_interval}s to {LONGEST_INTERVAL}s on the plan {settings.plan} "
            f"(as of {AS_OF}), got {settings.interval!r}",
            way_out=f"for example {plan.monitor_interval}s",
        )
    if duration_seconds(settings.timeout) >= interval:
        yield Problem(
            path="edge.load-balancer.timeout",
            rule=f"must be shorter than the interval of {settings.interval}, got {settings.timeout!r}",
            way_out="for example 5s",
        )
    for what, count, limit in (
        ("load balancers", sites, plan.load_balancers),
        ("endpoints", copies, plan.endpoints),
    ):
        if limit is not None and count > limit:
            yield Problem(
                path="edge.failover",
                rule=f"must be replicas: the plan {settings.plan} allows {limit} {what} (as of {AS_OF}), "
                f"the shared sites need {count}",
                way_out="write `failover: replicas`, or share fewer sites",
            )
