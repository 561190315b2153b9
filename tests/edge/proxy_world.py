"""Two hosts on loopback ports: a real Caddy on each as the site proxy, an application behind each, two ways between."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any, Self

import pytest

from components.edge.site_proxy import Copy, ProxiedSite, Timing, site_proxy_config
from tests.edge.parties import LIMIT, Application, Relay, wait_for
from tests.ports import free_port
from toolchain.caddy import CADDY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

WIKI = "wiki.kitestacks.com"
WIKI_MONK = "wiki-monk.kitestacks.com"
WIKI_KSCLOUD1 = "wiki-kscloud1.kitestacks.com"
KEY = "the-key-of-the-proxies"
VISITOR = "203.0.113.7"
FAST = Timing(check_interval="100ms", check_timeout="400ms", patience="3s")


def packaged_caddy() -> str:
    """The distribution's Caddy; skips the test where there is none."""
    found = shutil.which("caddy")
    if found is None:
        pytest.skip("needs Caddy: apt-get install caddy")
    return found


def pinned_caddy() -> str:
    """The Caddy of the stack files' version; skips the test where it was not built.

    The distribution's may be older: 2.6 closes a request's body when a first copy can't be reached, so that no other
    copy gets it.
    """
    found = CADDY.find()
    if found is None:
        pytest.skip("needs the pinned Caddy: make rehearsal")
    return str(found)


class World:
    """Both hosts, seen by a visitor at the connector of either.

    Args:
        folder: Where the proxies' files lie.
        apps: The copy on each host; an application that says its host's name unless given.
        timing: How soon the proxies notice a sick copy.
    """

    def __init__(self, folder: Path, apps: Mapping[str, Application] | None = None, timing: Timing = FAST) -> None:
        self.apps = apps or {host: Application(host) for host in ("monk", "kscloud1")}
        self._doors = {host: {door: free_port() for door in ("visitors", "tailnet", "tunnel")} for host in self.apps}
        self.tailnet = {host: Relay(self._by_tailnet(host), cloudflare=False) for host in self.apps}
        self.cloudflare = Relay(self._by_tunnel, cloudflare=True)
        self._folder, self._timing = folder, timing
        self._ends = contextlib.ExitStack()
        self._proxies: dict[str, contextlib.ExitStack] = {}

    def __enter__(self) -> Self:
        relays = [relay.listener for relay in (*self.tailnet.values(), self.cloudflare)]
        for listener in (*(app.listener for app in self.apps.values()), *relays):
            listener.start()
            self._ends.callback(listener.stop)
        for host in self.apps:
            self._ends.callback(self.stop_proxy, host)
            self.start_proxy(host)
        return self

    def __exit__(self, *_: object) -> None:
        for app in self.apps.values():
            app.wake.set()
        self._ends.close()

    def heal(self) -> None:
        """Everything well again, and known to be: the primary answers at both hosts."""
        for app in self.apps.values():
            app.forget()
        for relay in (*self.tailnet.values(), self.cloudflare):
            relay.listener.start()
            relay.tunnel_dead = False
        for host in self.apps:
            wait_for(lambda host=host: self.ask(host)[1] == "monk")  # type: ignore[misc]
        wait_for(lambda: self._passes(self.cloudflare))
        for app in self.apps.values():
            app.seen.clear()

    def door(self, host: str, name: str) -> int:
        return self._doors[host][name]

    def ask(
        self,
        host: str,
        method: str = "GET",
        body: bytes | None = None,
        *,
        path: str = "/page",
        door: str = "visitors",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, str]:
        """Status and text of one request that a host's connector brings."""
        connection = http.client.HTTPConnection("127.0.0.1", self.door(host, door), timeout=LIMIT)
        with contextlib.closing(connection):
            sent = {"Host": WIKI, "Cf-Connecting-Ip": VISITOR, "X-Forwarded-Proto": "https", **(headers or {})}
            try:
                connection.request(method, path, body=body, headers=sent)
                answer = connection.getresponse()
                return answer.status, answer.read().decode()
            except (OSError, http.client.HTTPException):
                return 0, ""

    def _passes(self, relay: Relay) -> bool:
        before = relay.passed
        time.sleep(0.15)
        return relay.passed > before

    def _by_tailnet(self, host: str) -> Callable[[str], tuple[int, str]]:
        return lambda hostname: (self._doors[host]["tailnet"], hostname)

    def _by_tunnel(self, hostname: str) -> tuple[int, str]:
        """As the ingress rules of the hosts' own tunnels say."""
        return self._doors[{WIKI_MONK: "monk", WIKI_KSCLOUD1: "kscloud1"}[hostname]]["tunnel"], WIKI

    def config(self, host: str, *, public_edge: str | None = None) -> dict[str, Any]:
        """What the program renders for a host."""
        copies = tuple(
            Copy(host=each, address=f"127.0.0.1:{self.apps[each].listener.port}")
            if each == host
            else Copy(host=each, address=f"127.0.0.1:{self.tailnet_port(each)}", hostname=hostname)
            for each, hostname in (("monk", WIKI_MONK), ("kscloud1", WIKI_KSCLOUD1))
        )
        site = ProxiedSite(hostname=WIKI, health_path="/status", copies=copies)
        return site_proxy_config(host, [site], self._timing, KEY, public_edge)

    def tailnet_port(self, host: str) -> int:
        """Where a host's proxy is reached over the tailnet."""
        return self.tailnet[host].listener.port

    def start_proxy(self, host: str) -> None:
        """The rendered configuration, moved to free ports."""
        config = self.config(host, public_edge=f"127.0.0.1:{self.cloudflare.listener.port}")
        servers = config["apps"]["http"]["servers"]
        for door, port in self._doors[host].items():
            servers[door]["listen"] = [f"127.0.0.1:{port}"]
        servers["alive"]["listen"] = [f"127.0.0.1:{free_port()}"]
        text = json.dumps(config).replace("127.0.0.1:9001", f"127.0.0.1:{free_port()}")
        if self._timing is FAST:
            text = text.replace('"fail_duration": "10s"', '"fail_duration": "1500ms"')
        self._proxies[host] = contextlib.ExitStack()
        self._proxies[host].enter_context(running(text, self._folder, host))
        wait_for(lambda: self.ask(host)[0] == 200)

    def stop_proxy(self, host: str) -> None:
        """As when the power goes."""
        self._proxies.pop(host, contextlib.ExitStack()).close()


@contextlib.contextmanager
def running(config: str, folder: Path, name: str) -> Iterator[None]:
    """The real Caddy with a configuration."""
    file = folder / f"{name}.json"
    file.write_text(config, encoding="utf-8")
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [pinned_caddy(), "run", "--config", file], stdout=log, stderr=log, env=environment(folder)
        )
    try:
        yield
    finally:
        process.kill()
        process.wait(LIMIT)


def environment(folder: Path) -> dict[str, str]:
    """Where Caddy may write."""
    return {**os.environ, "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
