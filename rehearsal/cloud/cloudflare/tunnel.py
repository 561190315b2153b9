"""Simulated tunnels: identity, ingress and token."""
# ruff: noqa: ARG002  (a resource's methods share one signature)

from __future__ import annotations

import base64
import binascii
import json
import secrets
import time
import uuid
from typing import TYPE_CHECKING

from rehearsal.cloud.resource import Function, Resource, one_of, shape

from .api import camel, check_account, error, now, refusal, renamed, snake
from .ingress import ORIGIN_REQUEST, ingress_fault

if TYPE_CHECKING:
    from rehearsal.cloud.store import Data, Store
    from rehearsal.cloud.wire import Props

_SECRET_BYTES = 32
_DISCONNECT_SECONDS = 2.0
"""How long a deletion waits for connections that are just ending: the edge notes their end a moment late."""


class Tunnel(Resource):
    """A tunnel's identity. Its status and connections stay as they were at creation, so that a refresh is calm."""

    type_name = "cloudflare:index/zeroTrustTunnelCloudflared:ZeroTrustTunnelCloudflared"
    inputs = shape("accountId name configSrc tunnelSecret")
    required = ("accountId", "name")
    computed = ("accountTag", "connections", "createdAt", "metadata", "remoteConfig", "status", "tunType")
    replaces = frozenset({"accountId", "configSrc"})
    secrets = ("tunnelSecret",)
    choices = one_of(configSrc="local cloudflare")

    def create(self, store: Store, inputs: Props) -> tuple[str, Props]:
        """Make a tunnel, with a secret of its own unless one is given."""
        tunnel_id = str(uuid.uuid4())
        with store.change() as data:
            call = f"POST /accounts/{inputs['accountId']}/cfd_tunnel"
            check_account(data, inputs["accountId"], call)
            _check_tunnel(data, None, inputs, call)
            tunnel = {
                "account_id": inputs["accountId"],
                "name": inputs["name"],
                "config_src": inputs.get("configSrc", "local"),
                "secret": inputs.get("tunnelSecret") or base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode(),
                "created_at": now(),
            }
            data["cloudflare"]["tunnels"][tunnel_id] = tunnel
        return tunnel_id, _tunnel_outputs(tunnel)

    def read(self, store: Store, resource_id: str, inputs: Props, state: Props) -> Props | None:
        """Look the tunnel up; its secret is told only to who gave it."""
        tunnel = store.view()["cloudflare"]["tunnels"].get(resource_id)
        if tunnel is None:
            return None
        told = {"tunnelSecret": tunnel["secret"]} if "tunnelSecret" in inputs else {}
        return {"accountId": tunnel["account_id"], "name": tunnel["name"], **_tunnel_outputs(tunnel), **told}

    def update(self, store: Store, resource_id: str, inputs: Props, state: Props) -> Props:
        """Change name or secret."""
        with store.change() as data:
            call = f"PATCH /accounts/{inputs['accountId']}/cfd_tunnel/{resource_id}"
            tunnel = _tunnel(data, resource_id, call)
            _check_tunnel(data, resource_id, inputs, call)
            tunnel.update(name=inputs["name"], secret=inputs.get("tunnelSecret") or tunnel["secret"])
        return _tunnel_outputs(tunnel)

    def delete(self, store: Store, resource_id: str, state: Props) -> None:
        """Remove the tunnel and its configuration, once no connector holds it."""
        limit = time.monotonic() + _DISCONNECT_SECONDS
        while store.connections(resource_id) and time.monotonic() < limit:
            time.sleep(0.1)
        if store.connections(resource_id):
            call = f"DELETE /accounts/{state.get('accountId')}/cfd_tunnel/{resource_id}"
            message = "Cannot delete tunnel because it has active connections"
            raise refusal(call, "400 Bad Request", f"tunnel {state.get('name')}", error(message, 1022))
        with store.change() as data:
            data["cloudflare"]["tunnels"].pop(resource_id, None)
            data["cloudflare"]["tunnel_configs"].pop(resource_id, None)

    def import_id(self, given: str) -> str:
        """Take ``<account_id>/<tunnel_id>``."""
        return given.rpartition("/")[2]


def _tunnel(data: Data, tunnel_id: str, call: str) -> Data:
    tunnel: Data | None = data["cloudflare"]["tunnels"].get(tunnel_id)
    if tunnel is None:
        raise refusal(call, "404 Not Found", f"tunnel {tunnel_id}", error("Tunnel not found", 1003))
    return tunnel


def _check_tunnel(data: Data, tunnel_id: str | None, inputs: Props, call: str) -> None:
    about = f"tunnel {inputs['name']}"
    others = (tunnel for known, tunnel in data["cloudflare"]["tunnels"].items() if known != tunnel_id)
    if any((other["account_id"], other["name"]) == (inputs["accountId"], inputs["name"]) for other in others):
        message = (
            "You already have a tunnel with this name. Delete the existing tunnel, or choose a different name for your"
            " new tunnel"
        )
        raise refusal(call, "409 Conflict", about, error(message, 1013))
    if not inputs["name"]:
        raise refusal(call, "400 Bad Request", about, error("a tunnel needs a name"))
    if "tunnelSecret" in inputs:
        try:
            enough = len(base64.b64decode(inputs["tunnelSecret"], validate=True)) >= _SECRET_BYTES
        except (binascii.Error, ValueError):
            enough = False
        if not enough:
            message = f"tunnel_secret must be at least {_SECRET_BYTES} bytes, encoded as base64"
            raise refusal(call, "400 Bad Request", about, error(message))


def _tunnel_outputs(tunnel: Data) -> Props:
    return {
        "accountTag": tunnel["account_id"],
        "configSrc": tunnel["config_src"],
        "connections": [],
        "createdAt": tunnel.get("created_at", ""),
        "metadata": "{}",
        "remoteConfig": tunnel["config_src"] == "cloudflare",
        "status": "inactive",
        "tunType": "cfd_tunnel",
    }


class TunnelConfig(Resource):
    """A tunnel's ingress: one document, replaced whole by every write.

    Deleting it changes nothing in the cloud, as with the real provider; it goes with its tunnel.
    """

    type_name = "cloudflare:index/zeroTrustTunnelCloudflaredConfig:ZeroTrustTunnelCloudflaredConfig"
    inputs = shape(
        "accountId tunnelId source",
        config=shape(
            ingresses=shape("service hostname path", originRequest=ORIGIN_REQUEST), originRequest=ORIGIN_REQUEST
        ),
    )
    required = ("accountId", "tunnelId")
    computed = ("createdAt", "version")
    replaces = frozenset({"accountId", "tunnelId"})
    choices = one_of(source="cloudflare local")

    def create(self, store: Store, inputs: Props) -> tuple[str, Props]:
        """Write the document."""
        return inputs["tunnelId"], self._put(store, inputs)

    def read(self, store: Store, resource_id: str, inputs: Props, state: Props) -> Props | None:
        """Look the document up."""
        cloudflare = store.view()["cloudflare"]
        document, tunnel = cloudflare["tunnel_configs"].get(resource_id), cloudflare["tunnels"].get(resource_id)
        if document is None or tunnel is None:
            return None
        config = {name: document[name] for name in ("ingresses", "origin_request") if name in document}
        found = {"accountId": tunnel["account_id"], "tunnelId": resource_id, **_config_outputs(document)}
        return {**found, "config": renamed(config, camel)} if config else found

    def update(self, store: Store, resource_id: str, inputs: Props, state: Props) -> Props:
        """Write the document anew."""
        return self._put(store, inputs)

    def delete(self, store: Store, resource_id: str, state: Props) -> None:
        """Leave the document where it is."""

    def import_id(self, given: str) -> str:
        """Take ``<account_id>/<tunnel_id>``."""
        return given.rpartition("/")[2]

    @staticmethod
    def _put(store: Store, inputs: Props) -> Props:
        tunnel_id = inputs["tunnelId"]
        with store.change() as data:
            call = f"PUT /accounts/{inputs['accountId']}/cfd_tunnel/{tunnel_id}/configurations"
            check_account(data, inputs["accountId"], call)
            tunnel = _tunnel(data, tunnel_id, call)
            fault = ingress_fault(inputs["config"].get("ingresses", [])) if "config" in inputs else None
            if fault:
                message = f"Bad Configuration: Validation failed: {fault}"
                raise refusal(call, "400 Bad Request", f"ingress of tunnel {tunnel['name']}", error(message, 1056))
            documents = data["cloudflare"]["tunnel_configs"]
            before = documents.get(tunnel_id, {"version": 0, "created_at": now()})
            documents[tunnel_id] = {
                **renamed(inputs.get("config", {}), snake),
                "source": inputs.get("source", "cloudflare"),
                "version": before["version"] + 1,
                "created_at": before["created_at"],
            }
        return _config_outputs(documents[tunnel_id])


def _config_outputs(document: Data) -> Props:
    return {
        "source": document.get("source", "cloudflare"),
        "version": document.get("version", 0),
        "createdAt": document.get("created_at", ""),
    }


def _token(store: Store, arguments: Props) -> Props:
    """Give a tunnel's token: account, tunnel, secret and, in a rehearsal, the address to dial."""
    account_id, tunnel_id = arguments.get("accountId", ""), arguments.get("tunnelId", "")
    call = f"GET /accounts/{account_id}/cfd_tunnel/{tunnel_id}/token"
    data = store.view()
    check_account(data, account_id, call)
    tunnel = _tunnel(data, tunnel_id, call)
    content = {"a": account_id, "t": tunnel_id, "s": tunnel["secret"], "e": data["cloudflare"]["connect"]}
    token = base64.b64encode(json.dumps(content, separators=(",", ":")).encode()).decode()
    return {"accountId": account_id, "tunnelId": tunnel_id, "token": token}


TUNNEL_TOKEN = Function(
    name="cloudflare:index/getZeroTrustTunnelCloudflaredToken:getZeroTrustTunnelCloudflaredToken",
    call=_token,
    secrets=("token",),
)
