"""A small world to try the edge in: a simulated cloud's file, the edge as a process, connectors, and a service."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

T = TypeVar("T")
SHARED, MONK, EMPTY = (f"{digit * 8}-0000-4000-8000-{digit * 12}" for digit in "123")
ACCOUNT, SECRET = "account", base64.b64encode(b"s" * 32).decode()
ZONE = "kitestacks.com"
WWW = f"www.{ZONE}"


def cloud_of(service: str = "http://portal:80") -> dict[str, Any]:
    """Three tunnels, one of them without rules, and a name for every way that a request can end."""
    names = {
        "www": SHARED,
        "other": SHARED,
        "dead": SHARED,
        "ftp": SHARED,
        "notes": MONK,
        "bare": EMPTY,
        "left": "gone",
    }
    records: dict[str, Any] = {name: _record(f"{name}.{ZONE}", tunnel_id) for name, tunnel_id in names.items()}
    records["mail"] = {"zone_id": "z", "name": f"mail.{ZONE}", "type": "A", "content": "192.0.2.1", "proxied": True}
    rules = [
        {"hostname": WWW, "service": service},
        {"hostname": f"dead.{ZONE}", "service": "http://127.0.0.1:1"},
        {"hostname": f"ftp.{ZONE}", "service": "ftp://127.0.0.1:1"},
        {"service": "http_status:404"},
    ]
    return {
        "cloudflare": {
            "account_id": ACCOUNT,
            "connect": "",
            "zones": {"z": ZONE},
            "tunnels": {SHARED: _tunnel("shared"), MONK: _tunnel("monk"), EMPTY: _tunnel("empty")},
            "tunnel_configs": {SHARED: {"ingresses": rules}, MONK: {"ingresses": rules[-1:]}},
            "dns_records": records,
        }
    }


def _tunnel(name: str) -> dict[str, str]:
    return {"account_id": ACCOUNT, "name": name, "config_src": "cloudflare", "secret": SECRET}


def _record(name: str, tunnel_id: str) -> dict[str, Any]:
    content = f"{tunnel_id}.cfargotunnel.com"
    return {"zone_id": "z", "name": name, "type": "CNAME", "content": content, "proxied": True, "ttl": 1}


def token_of(tunnel_id: str = SHARED, *, edge: str = "", key: str = SECRET, account: str = ACCOUNT) -> str:
    document = {"a": account, "t": tunnel_id, "s": key, "e": edge}
    return base64.b64encode(json.dumps(document).encode()).decode()


def wait_for(what: Callable[[], T], limit: float = 10.0) -> T:
    """The first true answer to a question that is asked again and again."""
    end = time.monotonic() + limit
    while not (found := what()):
        assert time.monotonic() < end, f"waited {limit} s in vain"
        time.sleep(0.01)
    return found


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def fault(self) -> str | None:
        return self.headers["X-Rehearsal-Fault"]

    @property
    def connector(self) -> str | None:
        return self.headers["X-Rehearsal-Connector"]


class World:
    """The state folder, and every process that was started in it; all end with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes = contextlib.ExitStack()

    def close(self) -> None:
        self._processes.close()

    def write_cloud(self, cloud: Mapping[str, Any]) -> None:
        fresh = self.folder / "cloud.new"
        fresh.write_text(json.dumps(cloud), encoding="utf-8")
        fresh.replace(self.folder / "cloud.json")

    def start(self, *command: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """A process that is killed at the end, if it still runs; what it says goes to the test's own error output."""
        process = subprocess.Popen(command, env={**os.environ, **(env or {})})

        def end() -> None:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait(10)

        self._processes.callback(end)
        return process

    def start_edge(self, *options: str) -> subprocess.Popen[bytes]:
        doors = ("--listen", "127.0.0.1:0", "--connect", "127.0.0.1:0")
        command = (sys.executable, "-m", "rehearsal.edge", "serve", "--state", str(self.folder))
        edge = self.start(*command, *doors, *options)
        wait_for((self.folder / "edge.json").exists)
        return edge

    @property
    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads((self.folder / "edge.json").read_text(encoding="utf-8"))
        return facts

    def connections(self) -> dict[str, int]:
        counts: dict[str, int] = json.loads((self.folder / "edge.connections.json").read_text(encoding="utf-8"))
        return counts

    def address(self, door: str = "visitors") -> tuple[str, int]:
        host, _, port = self.facts[door].rpartition(":")
        return host, int(port)

    def ask(
        self,
        host: str,
        path: str = "/",
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection(*self.address(), timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, body=body, headers={"Host": host, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ask("edge.localhost", "/.edge/status").body)
        return found

    def names(self) -> list[str]:
        """The connectors that the edge knows."""
        return [connector["name"] for connector in self.status()["connectors"]]

    def greet(self, greeting: bytes) -> dict[str, Any]:
        """Dials in as a connector, says something, and returns what the edge answers; then hangs up."""
        with socket.create_connection(self.address("connectors"), timeout=10) as line:
            line.sendall(greeting)
            answer: dict[str, Any] = json.loads(line.makefile("rb").readline())
            return answer

    def start_connector(
        self, program: Path, name: str, *, token: str | None = None, metrics: int | None = None
    ) -> subprocess.Popen[bytes]:
        file = self.folder / f"{name}.token"
        file.write_text(token or token_of(edge=self.facts["connectors"]), encoding="utf-8")
        env = {
            "HOSTNAME": name,
            "TUNNEL_TOKEN_FILE": str(file),
            "TUNNEL_METRICS": f"127.0.0.1:{metrics or 0}",
        }
        return self.start(str(program), "cloudflared", "tunnel", "--no-autoupdate", "run", env=env)
