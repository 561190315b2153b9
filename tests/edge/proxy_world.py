"""Two hosts on loopback ports: a real Caddy on each as the site proxy, an application behind each, two ways between."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

import pytest

from components.edge.site_proxy import Copy, ProxiedSite, Timing, site_proxy_config
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
LIMIT = 15.0


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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: Callable[[], object]) -> None:
    """Until a condition holds, which must be soon."""
    until = time.monotonic() + LIMIT
    while not what():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._lines: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the library's own types
        self._lines.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401
        self._lines.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Ends the connections that are still open, as the end of a process would."""
        for line in tuple(self._lines):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: object) -> None:
        """A peer that hangs up is no news here."""


class Listener:
    """Something that answers on one port, and can be gone and come back."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self.port = free_port()
        self._handler = handler
        self._server: _Server | None = None

    def start(self) -> None:
        if self._server is None:
            self._server = _Server(("127.0.0.1", self.port), self._handler)
            threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.hang_up()
            self._server = None


@dataclass
class Application:
    """One copy of the wiki; says its host, and misbehaves where it is told to."""

    host: str
    well: bool = True
    silent: bool = False
    hang_up: bool = False
    seen: list[tuple[str, Mapping[str, str], str]] = field(default_factory=list)
    wake: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.listener = Listener(self._handler())

    def forget(self) -> None:
        """As at the beginning."""
        self.well, self.silent, self.hang_up = True, False, False
        self.wake.set()
        self.wake = threading.Event()
        self.seen.clear()
        self.listener.start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:  # noqa: C901 - one small method per thing it can do
        app = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if app.silent:
                    app.wake.wait(LIMIT)
                if self.path == "/status":
                    self._answer(200 if app.well else 500, app.host)
                elif self.headers.get("Upgrade") == "websocket":
                    self._echo_for_ever()
                else:
                    self._note("")

            def do_POST(self) -> None:
                digest, left = hashlib.sha256(), int(self.headers["Content-Length"])
                while left:
                    piece = self.rfile.read(min(left, 1 << 16))
                    digest.update(piece)
                    left -= len(piece)
                self._note(digest.hexdigest())

            def _note(self, body: str) -> None:
                app.seen.append((self.command, {key.lower(): value for key, value in self.headers.items()}, body))
                if app.hang_up:
                    self.close_connection = True
                else:
                    self._answer(200, app.host)

            def _answer(self, status: int, text: str) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def _echo_for_ever(self) -> None:
                self.send_response(101)
                self.send_header("Upgrade", "websocket")
                self.send_header("Connection", "Upgrade")
                self.end_headers()
                self.close_connection = True
                while piece := self.connection.recv(1024):
                    self.connection.sendall(piece.upper())

            def log_message(self, *_: object) -> None:
                """Silent."""

        return Handler


class Relay:
    """A way between the hosts: the tailnet, or Cloudflare and a tunnel (with headers and codes of its own).

    Attributes:
        tunnel_dead: Cloudflare is there, and says that nobody serves the tunnel.
        passed: Requests that went through, the health checks among them.
    """

    def __init__(self, target: Callable[[str], tuple[int, str]], *, cloudflare: bool) -> None:
        self.tunnel_dead = False
        self.passed = 0
        self._target = target
        self._cloudflare = cloudflare
        self.listener = Listener(self._handler())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        relay = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                headers = dict(self.headers.items())
                if relay._cloudflare:
                    assert not {name for name in headers if name.lower().startswith(("cf-", "x-forwarded-"))}
                    headers["Cf-Connecting-Ip"] = "198.51.100.1"
                if relay.tunnel_dead:
                    self.send_response(530)
                    self.end_headers()
                    return
                port, headers["Host"] = relay._target(headers["Host"])
                body = self.rfile.read(int(headers.get("Content-Length", 0)))
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
                with contextlib.closing(connection):
                    connection.request(self.command, self.path, body=body or None, headers=headers)
                    answer = connection.getresponse()
                    relay.passed += 1
                    self.send_response(answer.status)
                    self.end_headers()
                    self.wfile.write(answer.read())

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Silent."""

        return Handler


class World:
    """Both hosts, seen by a visitor at the connector of either."""

    def __init__(self, folder: Path) -> None:
        self.apps = {host: Application(host) for host in ("monk", "kscloud1")}
        self._doors = {host: {door: free_port() for door in ("visitors", "tailnet", "tunnel")} for host in self.apps}
        self.tailnet = {host: Relay(self._by_tailnet(host), cloudflare=False) for host in self.apps}
        self.cloudflare = Relay(self._by_tunnel, cloudflare=True)
        self._folder = folder
        self._ends = contextlib.ExitStack()

    def __enter__(self) -> Self:
        relays = [relay.listener for relay in (*self.tailnet.values(), self.cloudflare)]
        for listener in (*(app.listener for app in self.apps.values()), *relays):
            listener.start()
            self._ends.callback(listener.stop)
        for host in self.apps:
            self._start_proxy(host)
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
            else Copy(host=each, address=f"127.0.0.1:{self.tailnet[each].listener.port}", hostname=hostname)
            for each, hostname in (("monk", WIKI_MONK), ("kscloud1", WIKI_KSCLOUD1))
        )
        site = ProxiedSite(hostname=WIKI, health_path="/status", copies=copies)
        return site_proxy_config(host, [site], FAST, KEY, public_edge)

    def _start_proxy(self, host: str) -> None:
        """The rendered configuration, moved to free ports."""
        config = self.config(host, public_edge=f"127.0.0.1:{self.cloudflare.listener.port}")
        servers = config["apps"]["http"]["servers"]
        for door, port in self._doors[host].items():
            servers[door]["listen"] = [f"127.0.0.1:{port}"]
        servers["alive"]["listen"] = [f"127.0.0.1:{free_port()}"]
        text = json.dumps(config).replace("127.0.0.1:9001", f"127.0.0.1:{free_port()}")
        text = text.replace('"fail_duration": "10s"', '"fail_duration": "1500ms"')
        self._ends.enter_context(running(text, self._folder, host))
        wait_for(lambda: self.ask(host)[0] == 200)


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
