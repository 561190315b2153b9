"""The wiki on both hosts as visitors meet it: a real database and a real site proxy at each, and both ways between.

Cloudflare and the wiki itself are played: the wiki saves a numbered page in its own host's database and nowhere else.
The tailnet, which carries the proxies and the databases, can be cut, and a host can lose its power.
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Self

from components.edge.promises import promises
from components.fleet_files import fleet_of_files
from tests.artefacts.line import Line
from tests.artefacts.ring_world import PRIMARY, SAVE, STANDBY, Server, until
from tests.edge.parties import Application, ApplicationHandler
from tests.edge.proxy_world import World
from tests.stack_files import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

_PAUSE = 0.25
"""Seconds between two saves of one visitor, who does not wait for the first."""


def promised(fault: str) -> int:
    """The seconds that the contract of the real stack files promises of the wiki."""
    fleet = fleet_of_files(ROOT, PRIMARY)
    (site,) = [site for site in fleet.sites if site.service == "bookstack"]
    (seconds,) = [promise.seconds for promise in promises(fleet, site) if promise.fault == fault]
    assert seconds is not None
    return seconds


class _WikiHandler(ApplicationHandler):
    """One request to one host's wiki."""

    app: ClassVar[Wiki]

    def do_GET(self) -> None:  # noqa: N802 - the library's name
        """`/status` looks at the database, as BookStack's does."""
        self.answer(200 if self.app.database.try_sql("SELECT 1 FROM pages LIMIT 1").code == 0 else 500)

    def do_POST(self) -> None:  # noqa: N802
        number = int(self.rfile.read(int(self.headers["Content-Length"])))
        saved = self.app.database.try_sql(f"SET @number = {number}; {SAVE}").code == 0
        self.answer(200 if saved else 500)


@dataclass
class Wiki(Application):
    """One host's wiki.

    Attributes:
        database: Its own host's.
    """

    database: Server = field(kw_only=True)
    handler: ClassVar[type[BaseHTTPRequestHandler]] = _WikiHandler


class Hosts(World):
    """Both hosts.

    Args:
        folder: Where the proxies' files lie.
        databases: Each host's.
        lines: How the other host reaches each database.
    """

    def __init__(self, folder: Path, databases: Mapping[str, Server], lines: Mapping[str, Line]) -> None:
        timing = fleet_of_files(ROOT, PRIMARY).own.service_settings["site-proxy"].timing
        super().__init__(folder, {host: Wiki(host, database=each) for host, each in databases.items()}, timing)
        self.databases = databases
        self.tailnet = {}
        self._lines = {host: [lines[host], Line(self.door(host, "tailnet"))] for host in databases}

    def __enter__(self) -> Self:
        for host in self.databases:
            self._lines[host][1].start()
            self._ends.callback(self._lines[host][1].stop)
        return super().__enter__()

    def tailnet_port(self, host: str) -> int:
        return self._lines[host][1].port

    def cut_tailnet(self) -> None:
        """Both hosts live, and neither hears the other."""
        for line in self._all_lines():
            line.cut()

    def mend_tailnet(self) -> None:
        for line in self._all_lines():
            line.start()

    def lose_power(self, host: str) -> None:
        """Everything of a host is gone at once, and nobody is told."""
        self.cut_tailnet()
        self.cloudflare.tunnel_dead = True
        self.databases[host].kill()
        self.stop_proxy(host)
        self.apps[host].listener.stop()

    def boot(self, host: str) -> None:
        """It comes back with what was on its disk."""
        for line in self._all_lines():
            line.stop()
        self.mend_tailnet()
        self.databases[host].start()
        self.apps[host].listener.start()
        self.start_proxy(host)
        self.cloudflare.tunnel_dead = False

    def _all_lines(self) -> list[Line]:
        return [line for lines in self._lines.values() for line in lines]


@dataclass(frozen=True)
class Saved:
    """A page that a visitor was told is saved.

    Attributes:
        number: Which one.
        by: The host whose wiki said so.
        at: When, in seconds of a clock that never goes back.
    """

    number: int
    by: str
    at: float


class Visitor(threading.Thread):
    """Somebody who comes in at one host's connector and saves a new page four times a second, without waiting.

    Args:
        hosts: Both hosts.
        door: The host that Cloudflare leads him to.
        first: His first page's number; he counts in twos.
    """

    def __init__(self, hosts: Hosts, door: str, first: int) -> None:
        super().__init__()
        self._hosts, self.door, self._next = hosts, door, first
        self._end = threading.Event()
        self._under_way: list[threading.Thread] = []
        self.saved: list[Saved] = []

    def run(self) -> None:
        while not self._end.wait(_PAUSE):
            save = threading.Thread(target=self._save, args=(self._next,))
            self._next += 2
            self._under_way.append(save)
            save.start()
        for save in self._under_way:
            save.join()

    def _save(self, number: int) -> None:
        status, host = self._hosts.ask(self.door, "POST", str(number).encode())
        if status == 200:
            self.saved.append(Saved(number, host, time.monotonic()))

    def wait_for(self, more: int, by: str) -> None:
        """Until so many further pages are saved by a host's wiki."""
        before = self._by(by)
        until(lambda: self._by(by) >= before + more, lambda: self.saved[-5:])

    def finish(self) -> None:
        self._end.set()
        self.join()

    def silence(self) -> float:
        """The longest time in which he got nothing saved."""
        times = sorted(each.at for each in self.saved)
        return max(later - earlier for earlier, later in pairwise(times))

    def _by(self, host: str) -> int:
        return [each.by for each in tuple(self.saved)].count(host)


@contextlib.contextmanager
def visitors(hosts: Hosts) -> Iterator[dict[str, Visitor]]:
    """One at each host's door, for as long as the block lasts."""
    found = {host: Visitor(hosts, host, first) for first, host in enumerate((PRIMARY, STANDBY), 1)}
    for each in found.values():
        each.start()
    try:
        yield found
    finally:
        for each in found.values():
            each.finish()
