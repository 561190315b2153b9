"""Monitors: the health checks of pools, each on its own clock, asked through the edge as a visitor would ask."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.edge.cloud import CloudFile, Cloudflare, Monitor, Origin

PROBE_HEADER = "X-Rehearsal-Probe"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Check:
    """What one monitor asks of one origin of one pool."""

    pool_id: str
    origin: Origin
    monitor: Monitor


@dataclass
class Health:
    """What is known of an origin; until its first check it counts as well.

    Attributes:
        well: Whether visitors may be sent there.
        said: The last check's answer, in words.
        failed: Checks in a row that failed.
        passed: Checks in a row that did not.
    """

    well: bool = True
    said: str = "not checked yet"
    failed: int = 0
    passed: int = 0

    def note(self, check: Check, fault: str) -> None:
        """Takes one check's end into account; an empty fault is a good one."""
        self.said = fault or "answers"
        self.failed, self.passed = (self.failed + 1, 0) if fault else (0, self.passed + 1)
        was = self.well
        if fault and self.failed >= max(check.monitor.consecutive_down, 1):
            self.well = False
        if not fault and self.passed >= max(check.monitor.consecutive_up, 1):
            self.well = True
        if was != self.well:
            _log.info("origin %s is %s: %s", check.origin.address, "well" if self.well else "down", self.said)


@dataclass
class Monitors:
    """All running health checks.

    Args:
        cloud_file: The simulated cloud.
        key: What tells the edge that a request is a check, and not a visitor's.
    """

    cloud_file: CloudFile
    key: str
    _port: int = 0
    _session: aiohttp.ClientSession | None = None
    _health: dict[tuple[str, str], Health] = field(default_factory=dict)
    _running: dict[Check, asyncio.Task[None]] = field(default_factory=dict)

    def is_well(self, pool_id: str, origin: Origin) -> bool:
        """Whether an origin may get visitors; one that nobody checks may."""
        return origin.enabled and self._of(pool_id, origin.address).well

    def said(self, pool_id: str, origin: Origin) -> str:
        """The last check's answer."""
        return self._of(pool_id, origin.address).said

    def start(self, port: int) -> None:
        """From now on `keep_up` starts checks.

        Args:
            port: Where the edge answers visitors.
        """
        self._port = port
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())

    def keep_up(self) -> None:
        """Starts and ends checks as the cloud says now; a changed monitor begins anew, with the health it found."""
        wanted = set(_checks(self.cloud_file.read().cloudflare))
        for gone in set(self._running) - wanted:
            self._running.pop(gone).cancel()
        for new in wanted - set(self._running):
            self._running[new] = asyncio.create_task(self._check_for_ever(new))
        for known in set(self._health) - {(check.pool_id, check.origin.address) for check in wanted}:
            del self._health[known]

    async def close(self) -> None:
        """Ends all checks."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def _of(self, pool_id: str, address: str) -> Health:
        return self._health.get((pool_id, address), Health())

    async def _check_for_ever(self, check: Check) -> None:
        loop = asyncio.get_running_loop()
        health = self._health.setdefault((check.pool_id, check.origin.address), Health())
        while True:
            began = loop.time()
            health.note(check, await self._fault(check))
            await asyncio.sleep(max(0.0, check.monitor.interval - (loop.time() - began)))

    async def _fault(self, check: Check) -> str:
        """Why an origin is not well, after all retries; empty if it is."""
        fault = ""
        for _ in range(check.monitor.retries + 1):
            fault = await self._ask(check)
            if not fault:
                break
        return fault

    async def _ask(self, check: Check) -> str:
        monitor = check.monitor
        # An origin's own Host header wins over the monitor's.
        host = next(iter(check.origin.header.hosts or monitor.header.host), check.origin.address)
        headers = {"Host": host, PROBE_HEADER: f"{self.key} {check.origin.address}"}
        assert self._session is not None  # noqa: S101 - checks begin after `start`
        try:
            async with (
                asyncio.timeout(monitor.timeout),
                self._session.request(
                    monitor.method,
                    f"http://127.0.0.1:{self._port}{monitor.path}",
                    headers=headers,
                    allow_redirects=monitor.follow_redirects,
                ) as answer,
            ):
                return "" if _expected(monitor.expected_codes, answer.status) else f"answers {answer.status}"
        except TimeoutError:
            return f"no answer in {monitor.timeout} s"
        except aiohttp.ClientError as error:
            return f"no answer: {error}"


def _checks(flare: Cloudflare) -> Iterator[Check]:
    for pool_id, pool in flare.pools.items():
        monitor = flare.monitors.get(pool.monitor or "")
        if monitor is not None and pool.enabled:
            for origin in pool.origins:
                if origin.enabled:
                    yield Check(pool_id, origin, monitor)


def _expected(codes: str, status: int) -> bool:
    """Whether a status is among codes such as `2xx`, `200` or `200-204,301`."""
    for part in codes.split(","):
        first, _, last = re.sub(r"^(\d)xx$", r"\g<1>00-\g<1>99", part.strip()).partition("-")
        with contextlib.suppress(ValueError):
            if int(first) <= status <= int(last or first):
                return True
    return False
