"""Pages to try the portal with, and the real Caddy that serves them on a loopback port."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from components.portal_page.render import PortalPage, Tile, caddyfile, render
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCRIPT = "<script>alert(1)</script>"
BREAK_OUT = '"><img src=x onerror=alert(1)>'
_LIMIT_SECONDS = 15


def tile(name: str, **given: Any) -> Tile:  # noqa: ANN401 - the fields of Tile, each of its own type
    """A tile of which only what matters to the test has to be given."""
    usual = {
        "title": name.capitalize(),
        "description": "What it is for, in one line",
        "url": f"https://{name}.kitestacks.com",
        "group": "Start",
        "hosts": ("monk",),
        "login": "single sign-on",
    }
    return Tile(name=name, **(usual | given))


def page(*tiles: Tile, host: str = "monk") -> PortalPage:
    return PortalPage(domain="kitestacks.com", host=host, tiles=tiles)


BOTH = ("kscloud1", "monk")
TWENTY = page(
    tile("portal", hosts=BOTH, login="public"),
    tile("authentik", description="One login for every site", hosts=BOTH, login="login page"),
    tile("bookstack", title="BookStack", description="The wiki", group="Knowledge", hosts=BOTH),
    tile("karakeep", description="Bookmarks", group="Knowledge"),
    tile("kavita", description="Books and comics", group="Knowledge"),
    tile("forgejo", description="Code and reviews", group="Making"),
    tile("open-webui", title="Open WebUI", description="Chat with language models", group="Making"),
    tile("litellm", title="LiteLLM", description="One door to every language model", group="Making"),
    tile("osticket", title="osTicket", description="Ask for help", group="Help", login="login page"),
    tile("portainer", description="Containers", group="Operations"),
    tile("uptime-kuma", title="Uptime Kuma", description="What is up, what was down", group="Operations"),
    tile("prometheus", description="Figures of every machine", group="Operations"),
    tile("grafana", description="The figures as pictures", group="Operations"),
    tile("cafe", title="Café", description="Recipes and shopping", group="Family"),
    tile("photos", description="Pictures from every phone", group="Family"),
    tile("films", description="Films and series", group="Family"),
    tile("calendar", description="Appointments", group="Family", hosts=(*BOTH, "attic")),
    tile("vault", description="Passwords", group="Family"),
    tile("news", description="News without noise", group="Family"),
    tile("music", description="Records and radio", group="Family"),
)
HOSTILE = page(
    tile("one", title=SCRIPT, description=BREAK_OUT, group="<b>bold</b>", login="{{ 7*7 }}"),
    tile("two", title="Donaudampfschifffahrtsgesellschaft" * 3, description="very " * 60, group="long " * 12),
    tile("three", title="—", description="", hosts=("monk", "kscloud1", "attic", "cellar")),
)


def caddy() -> str:
    """The Caddy on this machine; skips the test where there is none."""
    found = shutil.which("caddy")
    if found is None:
        pytest.skip("needs Caddy: apt-get install caddy")
    return found


def answer(port: int, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (names in small letters) and body of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_LIMIT_SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


@contextlib.contextmanager
def served(shown: PortalPage, folder: Path) -> Iterator[int]:
    """Runs the real Caddy with the page's own configuration, moved to a free loopback port; gives the port."""
    root = folder / "srv"
    for path, text in render(shown).items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    port = free_port()
    config = folder / "Caddyfile"
    moved = caddyfile(shown).replace(":80 {", f":{port} {{\n\tbind 127.0.0.1", 1).replace("/srv", str(root), 1)
    config.write_text(moved, encoding="utf-8")
    log = folder / "caddy.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [caddy(), "run", "--adapter", "caddyfile", "--config", config],
            stdout=output,
            stderr=output,
            env={**os.environ, "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)},
        )
    try:
        _wait_until_ready(process, port, log)
        yield port
    finally:
        process.terminate()
        process.wait(_LIMIT_SECONDS)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _LIMIT_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError):
            if answer(port, "/healthz")[2] == b"ok":
                return
        time.sleep(0.05)
    pytest.fail(f"Caddy did not come up:\n{log.read_text(encoding='utf-8')}")
