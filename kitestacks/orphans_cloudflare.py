"""Tunnels, DNS records and load balancing with this installation's marks that no stack has written down.

Only the foundation makes tunnels, and only it has the account's ids in its configuration; on other hosts there is
nothing to look for. The API: developers.cloudflare.com/api, "List Cloudflare Tunnels" and "List DNS Records".
"""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import requests

from kitestacks.exits import CommandError, Exit
from kitestacks.rehearsed import forget
from kitestacks.stack_state import Orphan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitestacks.stack_state import StackState

API = "https://api.cloudflare.com/client/v4"
REHEARSAL = "KITESTACKS_REHEARSAL"
SHARED = "shared"
"""The tunnel that belongs to no single host (`components/edge`)."""
_TIMEOUT = 20


class Cloud(Protocol):
    """Where tunnels and records are listed and removed, by the paths of Cloudflare's API."""

    def list(self, path: str, **query: str) -> list[dict[str, Any]]:
        """The objects below a path."""

    def remove(self, path: str) -> None:
        """Takes one object away."""


def find(state: StackState, cloud: Cloud | None = None) -> Iterator[Orphan]:
    """Asks Cloudflare, or the simulated one in a rehearsal.

    Raises:
        CommandError: it does not answer.
    """
    account, zone = (state.config.get(f"kitestacks:cloudflare-{name}-id") for name in ("account", "zone"))
    if not account or not zone:
        return
    cloud = cloud or _cloud_of(state)
    tunnels, records = f"/accounts/{account}/cfd_tunnel", f"/zones/{zone}/dns_records"
    # The marks that `components/edge` gives, in full: another installation's begin alike.
    names = {f"{state.installation}-{name}" for name in (*state.stacks, SHARED)}
    comment = f"managed by Pulumi for {state.installation}"
    for tunnel in cloud.list(tunnels, is_deleted="false", per_page="1000"):
        if tunnel["name"] in names and tunnel["id"] not in state.recorded:
            yield _orphan(cloud, "tunnel", tunnels, tunnel)
    for record in cloud.list(records, **{"comment.exact": comment, "per_page": "5000"}):
        if record.get("comment") == comment and record["id"] not in state.recorded:
            yield _orphan(cloud, "DNS record", records, record)
    yield from _balancing(state, cloud, f"/accounts/{account}/load_balancers", f"/zones/{zone}/load_balancers")


def _balancing(state: StackState, cloud: Cloud, account: str, zone: str) -> Iterator[Orphan]:
    """In the order in which they can be removed: whatever is in use by another is refused."""
    mark = f"managed by Pulumi for {state.installation}"
    for kind, path in (
        ("load balancer", zone),
        ("load balancer's pool", f"{account}/pools"),
        ("load balancer's monitor", f"{account}/monitors"),
    ):
        try:
            known = cloud.list(path)
        except CommandError as refused:
            if refused.exit_code is not Exit.AUTHENTICATION:
                raise
            return  # a token that may not look at load balancing never made any
        for each in known:
            if each.get("description", "").endswith(mark) and each["id"] not in state.recorded:
                yield _orphan(cloud, kind, path, {"name": each["description"], **each})


def _orphan(cloud: Cloud, kind: str, path: str, found: dict[str, Any]) -> Orphan:
    gone = f"{path}/{found['id']}"
    return Orphan(kind=kind, name=found["name"], id=found["id"], remove=partial(cloud.remove, gone))


def _cloud_of(state: StackState) -> Cloud:
    folder = os.environ.get(REHEARSAL)
    if folder and state.installation != "kitestacks":
        return RehearsedCloud(Path(folder) / "cloud.json")
    return RealCloud(os.environ.get("CLOUDFLARE_API_TOKEN") or state.secret("cloudflare:apiToken"))


class RealCloud:
    """Cloudflare's own API."""

    def __init__(self, token: str, api: str = API) -> None:
        self._api = api
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"

    def list(self, path: str, **query: str) -> list[dict[str, Any]]:
        """The first page, which is made large enough to be all."""
        found: list[dict[str, Any]] = self._call("GET", path, query)["result"]
        return found

    def remove(self, path: str) -> None:
        """Takes one object away."""
        self._call("DELETE", path, {})

    def _call(self, method: str, path: str, query: dict[str, str]) -> dict[str, Any]:
        try:
            response = self._session.request(method, self._api + path, params=query, timeout=_TIMEOUT)
            answer: dict[str, Any] = response.json()
        except requests.RequestException as error:
            what = f"Cloudflare does not answer: {type(error).__name__}"
            raise CommandError(what, "is this machine online? Then the same command again", Exit.RESOURCE) from error
        if not answer.get("success"):
            faults = "; ".join(fault.get("message", "") for fault in answer.get("errors", []))
            way_out = "does the token have Cloudflare Tunnel: Edit and DNS: Edit?"
            raise CommandError(f"Cloudflare refuses {method} {path}: {faults}", way_out, Exit.AUTHENTICATION)
        return answer


class RehearsedCloud:
    """The simulated cloud's file, which the simulation reads anew when it changes."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def list(self, path: str, **_: str) -> list[dict[str, Any]]:
        """All objects of the path's kind; the caller picks its own."""
        return [{"id": key, **value} for key, value in self._cloudflare()[_kind(path)].items()]

    def remove(self, path: str) -> None:
        """Takes one object out of the file."""
        forget(self._file, "cloudflare", _kind(path), path.rpartition("/")[2])

    def _cloudflare(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._file.read_text())["cloudflare"]
        return found


_KINDS = {
    "cfd_tunnel": "tunnels",
    "dns_records": "dns_records",
    "load_balancers": "load_balancers",
    "monitors": "monitors",
    "pools": "pools",
}


def _kind(path: str) -> str:
    """The table of the simulated cloud behind an API's path, whose last such word counts."""
    return next(_KINDS[word] for word in reversed(path.split("/")) if word in _KINDS)
