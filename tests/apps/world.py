"""A login, an app and a person without a browser: what the tests of real apps are made of."""

from __future__ import annotations

import contextlib
import html
import json
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from requests.cookies import RequestsCookieJar

from components.login import OidcEndpoints
from tests.apps import installed
from tests.ports import free_port
from tests.services.plans import containers_of, environment, files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from http.cookiejar import Cookie

CLIENT_ID, CLIENT_SECRET = "the-client", "a-secret-of-the-client-for-tests"
_SECRET_ENV = "/run/secrets/environment"  # noqa: S105 - a path
_SCRIPT = Path(__file__).with_name("provider.mjs")
_LIMIT = 30
"""Seconds for one answer."""


def given_to(service: str) -> dict[str, str]:
    """All that the plan of monk puts into the environment of a service's container, secrets included."""
    container = containers_of(service, "monk")[service]
    lines = files(container)[_SECRET_ENV].splitlines()
    secret = (line.removeprefix("export ").partition("=") for line in lines)
    return environment(container) | {key: value.strip("'") for key, _, value in secret}


@dataclass(frozen=True)
class Login:
    """The provider that stands in for Authentik.

    Attributes:
        address: Its issuer.
        client_id: What the app has to call itself.
        client_secret: How it proves that.
    """

    address: str
    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET

    def in_place_of_authentik(self, given: Mapping[str, str], slug: str, site: Mapping[str, str]) -> dict[str, str]:
        """A service's environment as rendered, with Authentik's addresses and the site's exchanged, no more."""
        theirs = OidcEndpoints(host="auth.kitestacks.com", slug=slug)
        ours = {
            theirs.discovery: f"{self.address}/.well-known/openid-configuration",
            theirs.authorize: f"{self.address}/auth",
            theirs.token: f"{self.address}/token",
            theirs.userinfo: f"{self.address}/me",
            theirs.end_session: f"{self.address}/session/end",
            f"shared-{slug}.client-id": self.client_id,
            f"shared-{slug}.client-secret": self.client_secret,
            **site,
        }
        return {key: _exchanged(value, ours) for key, value in given.items()}


@contextlib.contextmanager
def login(callback: str) -> Iterator[Login]:
    """A provider that sends people back to one address."""
    node = shutil.which("node")
    if node is None:
        pytest.fail("node is needed for the login that stands in for Authentik: apt-get install nodejs")
    client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "redirect_uris": [callback]}
    port, modules = free_port(), installed.oidc_provider()
    command = [node, str(_SCRIPT), str(port), json.dumps([client]), str(modules)]
    found = Login(f"http://127.0.0.1:{port}")
    with running(command, {}, f"{found.address}/.well-known/openid-configuration", limit=60):
        yield found


@contextlib.contextmanager
def running(
    command: Sequence[str], given: Mapping[str, str], ready: str, *, limit: float, cwd: Path | None = None
) -> Iterator[None]:
    """A program, from its first good answer until the block ends; what it said is shown if it gives none."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    log = (cwd or installed.APPS) / f"{Path(command[0]).parts[-3]}.log"
    with (
        log.open("w") as said,
        subprocess.Popen(command, env=kept | dict(given), cwd=cwd, stdout=said, stderr=subprocess.STDOUT) as process,
    ):
        try:
            end = time.monotonic() + limit
            while not _answers(ready):
                if process.poll() is not None or time.monotonic() > end:
                    pytest.fail(f"{command[0]} does not answer at {ready}: {log.read_text()[-4000:]}")
                time.sleep(0.2)
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


class _Cookies(RequestsCookieJar):
    """An app behind Cloudflare marks its cookies for TLS alone; here it is asked without, so the mark is taken off."""

    def set_cookie(self, cookie: Cookie, *args: object, **kwargs: object) -> None:
        cookie.secure = False
        super().set_cookie(cookie, *args, **kwargs)


class Person:
    """Somebody with a browser's cookies and no browser."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.session = requests.Session()
        self.session.cookies = _Cookies()

    def log_in(self, start: str) -> requests.Response:
        """Follows an app's login to the end: the provider's two pages, and back to the app."""
        page = self.session.get(start, timeout=_LIMIT)
        for prompt in ("login", "consent"):
            assert page.ok, f"{page.url}: {page.status_code} {page.text[:500]}"
            action = html.unescape(re.findall(r'<form[^>]*action="([^"]+)"', page.text)[0])
            answers = {"prompt": prompt, "login": self._name, "password": "not asked for"}
            page = self.session.post(action, data=answers, timeout=_LIMIT)
        return page


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=5).ok
    except requests.RequestException:
        return False


def _exchanged(value: str, others: Mapping[str, str]) -> str:
    for known in sorted(others, key=len, reverse=True):
        value = value.replace(known, others[known])
    return value
