"""A machine whose container answers on loopback: what a step that speaks HTTP is tried against."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from components.machine import Done, Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Answer = tuple[int, Any]


@dataclass(frozen=True)
class Asked:
    """One request as it reached the server."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class HttpMachine(Machine):
    """Answers HTTP by a function, and keeps what was asked and which commands were run."""

    answer: Callable[[Asked], Answer]
    command: Callable[[Sequence[str], str], Done] = lambda _command, _stdin: Done(code=0, out="", err="")
    asked: list[Asked] = field(default_factory=list)
    commands: list[tuple[str, ...]] = field(default_factory=list)

    @contextlib.contextmanager
    def http(self, container: str, port: int) -> Iterator[str]:  # noqa: ARG002 - the real one's arguments
        """A server for as long as the block lasts."""
        machine = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                text = self.rfile.read(length).decode()
                body = json.loads(text) if text.startswith("{") else text
                asked = Asked(self.command, self.path, dict(self.headers), body)
                machine.asked.append(asked)
                status, content = machine.answer(asked)
                payload = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_POST = _serve  # noqa: N815 - the server's own names

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def execute(self, container: str, command: Sequence[str], *, stdin: str = "", user: str = "") -> Done:  # noqa: ARG002 - the real one's arguments
        """Keeps the command and answers by the function."""
        self.commands.append(tuple(command))
        return self.command(command, stdin)

    def changes(self) -> list[tuple[str, Any]]:
        """What was asked that may change something."""
        return [(asked.path, asked.body) for asked in self.asked if asked.method != "GET"]
