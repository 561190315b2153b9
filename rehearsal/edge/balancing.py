"""Balancing: which pool and origin a load balancer's visitor gets, as Cloudflare decides it."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rehearsal.edge import faults
from rehearsal.edge.routing import tunnel_id_of_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rehearsal.edge.cloud import Cloudflare, LoadBalancer, Origin, Pool
    from rehearsal.edge.monitors import Monitors

COOKIE = "__cflb"
"""The name of Cloudflare's own session cookie."""


@dataclass(frozen=True)
class Choice:
    """Where a load balancer sends a request.

    Attributes:
        tunnel_id: The tunnel behind the origin.
        hostname: What is asked for there: the origin's Host header, else the visitor's hostname.
        pool: The pool's name, for messages.
        cookie: What the visitor is to bring along next time; empty: nothing.
    """

    tunnel_id: str
    hostname: str
    pool: str
    cookie: str = ""


class Balancing:
    """Chooses pools and origins.

    Args:
        monitors: Who knows which origins are well.
    """

    def __init__(self, monitors: Monitors) -> None:
        self._monitors = monitors

    def choose(self, flare: Cloudflare, balancer: LoadBalancer, visitor: str, cookies: dict[str, str]) -> Choice:
        """The origin for one request.

        Raises:
            FaultError: the load balancer has nowhere to send it.
        """
        known = {each: flare.pools[each] for each in balancer.pool_ids if each in flare.pools}
        well = [each for each in balancer.default_pools if each in known and self._is_well(each, known[each])]
        pool_id = self._pool(balancer, well, visitor, cookies.get(COOKIE, ""))
        if pool_id not in known:
            raise faults.no_pool(balancer.name)
        pool = known[pool_id]
        origin = self._origin(pool_id, pool)
        tunnel_id = tunnel_id_of_address(origin.address) if origin else None
        if origin is None or tunnel_id is None or tunnel_id not in flare.tunnels:
            raise faults.origin_unreachable(balancer.name, pool.name, origin.address if origin else "no origin")
        (hostname,) = origin.header.hosts or (balancer.name,)
        keeps = balancer.session_affinity != "none" and cookies.get(COOKIE) != pool_id
        return Choice(tunnel_id, hostname, pool.name, pool_id if keeps else "")

    def _pool(self, balancer: LoadBalancer, well: Sequence[str], visitor: str, cookie: str) -> str:
        """The fallback pool takes what no other can, well or not."""
        if balancer.session_affinity != "none" and cookie in well:
            return cookie
        if not well:
            return balancer.fallback_pool
        if balancer.session_affinity == "ip_cookie" and balancer.steering_policy == "random":
            return well[int(hashlib.sha256(visitor.encode()).hexdigest(), 16) % len(well)]
        return random.choice(well) if balancer.steering_policy == "random" else well[0]  # noqa: S311 - no secret

    def _is_well(self, pool_id: str, pool: Pool) -> bool:
        well = [origin for origin in pool.origins if self._monitors.is_well(pool_id, origin)]
        return pool.enabled and len(well) >= pool.minimum_origins

    def _origin(self, pool_id: str, pool: Pool) -> Origin | None:
        enabled = [origin for origin in pool.origins if origin.enabled]
        well = [origin for origin in enabled if self._monitors.is_well(pool_id, origin)]
        return next(iter(well or enabled), None)
