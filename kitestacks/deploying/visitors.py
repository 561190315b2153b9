"""Visitors: whether sites answer from outside, through Cloudflare, or in a rehearsal's shell through its edge."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.fleet import Site

Ask = Callable[[str, str], bool]
"""Asks a hostname for a path; whether the answer is good."""

LIMIT = 60.0
"""Seconds that a site may take to answer after its host is deployed."""
_TIMEOUT = 5


def through_the_edge() -> Ask:
    """How a site is asked from here: hostname and path, whether the answer is good."""
    if "KITESTACKS_REHEARSAL" not in os.environ:
        return _ask_cloudflare
    from rehearsal import sites, twin  # noqa: PLC0415 - the real thing knows no rehearsal

    found = twin.load(twin.state_folder())
    if found is None:
        return _ask_cloudflare
    return lambda hostname, path: sites.ask(found, hostname, path).good


def silent(sites: Iterable[Site], ask: Ask, limit: float = LIMIT) -> list[str]:
    """The sites that have not answered on their health path within a limit, in seconds, all together."""
    end = time.monotonic() + limit
    waiting = {site.hostname: site.health_path for site in sites}
    while waiting:
        waiting = {hostname: path for hostname, path in waiting.items() if not ask(hostname, path)}
        if not waiting or time.monotonic() > end:
            break
        time.sleep(0.2)
    return list(waiting)


def _ask_cloudflare(hostname: str, path: str) -> bool:
    try:
        answer = requests.get(f"https://{hostname}{path}", timeout=_TIMEOUT, allow_redirects=False)
    except requests.RequestException:
        return False
    return answer.ok
