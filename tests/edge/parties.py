"""What stands around the site proxies in their tests: applications that misbehave, and the ways between two hosts."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LIMIT = 15.0


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


class ApplicationHandler(BaseHTTPRequestHandler):
    """What an application does with one connection."""

    protocol_version = "HTTP/1.1"
    app: ClassVar[Application]

    def do_GET(self) -> None:
        if self.app.silent:
            self.app.wake.wait(LIMIT)
        if self.path == "/status":
            self.answer(200 if self.app.well else 500)
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
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.app.seen.append((self.command, headers, body))
        if self.app.hang_up:
            self.close_connection = True
        else:
            self.answer(200)

    def answer(self, status: int) -> None:
        text = self.app.host.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        # A line kept open would be a race when the application is gone: a write on it may have been heard.
        self.send_header("Connection", "close")
        self.close_connection = True
        self.end_headers()
        self.wfile.write(text)

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


@dataclass
class Application:
    """One copy of the wiki; says its host, and misbehaves where it is told to."""

    host: str
    well: bool = True
    silent: bool = False
    hang_up: bool = False
    seen: list[tuple[str, Mapping[str, str], str]] = field(default_factory=list)
    wake: threading.Event = field(default_factory=threading.Event)
    handler: ClassVar[type[BaseHTTPRequestHandler]] = ApplicationHandler

    def __post_init__(self) -> None:
        self.listener = Listener(type("Handler", (self.handler,), {"app": self}))

    def forget(self) -> None:
        """As at the beginning."""
        self.well, self.silent, self.hang_up = True, False, False
        self.wake.set()
        self.wake = threading.Event()
        self.seen.clear()
        self.listener.start()


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
