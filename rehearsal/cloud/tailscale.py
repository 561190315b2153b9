"""Simulated Tailscale: the tailnet's policy, its devices and their auth keys.

The policy is checked as a whole, its own tests included, by the same rules as in `components/tailnet`; those are held
against another implementation by tests of their own.
"""
# ruff: noqa: ARG002  (a resource's methods share one signature)

from __future__ import annotations

import json
import os
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from components.errors import ProgramError
from components.tailnet.parties import Device, Tailnet
from components.tailnet.policy import policy_of
from components.tailnet.run_tests import run_tests
from components.tailnet.validate import validate

from . import hujson
from .resource import Fault, Provider, Refusal, Resource, one_of, shape
from .wire import Props, is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .store import Data, Store

_POLICY_ID = "acl"
_SECTIONS = (
    *("acls", "autoApprovers", "defaultSrcPosture", "derpMap", "disableIPv4", "grants", "groups", "hosts", "ipsets"),
    *("nodeAttrs", "oneCGNATRoute", "postures", "randomizeClientPort", "ssh", "sshTests", "tagOwners", "tests"),
)
_CANONICAL = {section.lower(): section for section in _SECTIONS}
"""The API takes a section's name in any case."""
_NOT_READ = frozenset({"derpMap", "oneCGNATRoute"})
"""Sections that are taken as they are: they let nothing through."""
_TAG = re.compile(r"tag:[A-Za-z][A-Za-z0-9-]*")
_LONGEST_EXPIRY = 90 * 24 * 3600  # seconds


class Acl(Resource):
    """The whole policy document; a tailnet has one."""

    type_name = "tailscale:index/acl:Acl"
    inputs = shape("acl overwriteExistingContent resetAclOnDestroy")
    required = ("acl",)

    def check(self, inputs: Props) -> Iterator[Fault]:
        """Yield a policy that is not HuJSON."""
        if is_unknown(inputs) or "acl" not in inputs:
            return
        try:
            readable = isinstance(hujson.loads(inputs["acl"]), dict)
        except ValueError as error:
            yield Fault("acl", f"Invalid ACL: {error}")
            return
        if not readable:
            yield Fault("acl", "Invalid ACL: the policy must be an object")

    def create(self, store: Store, inputs: Props) -> tuple[str, Props]:
        """Write the first policy; one that somebody else wrote is left alone."""
        with store.change() as data:
            if data["tailscale"]["policy"] is not None and not inputs.get("overwriteExistingContent"):
                raise Refusal(
                    "Overwrite Protected: You are trying to overwrite a non-default policy. Please import the ACL first"
                    " or set overwrite_existing_content = true."
                )
            _put_policy(store, data, inputs)
        return _POLICY_ID, {}

    def read(self, store: Store, resource_id: str, inputs: Props, state: Props) -> Props | None:
        """Read the policy; one that means the same is told as it was written."""
        policy = store.view()["tailscale"]["policy"]
        if policy is None:
            return None
        written = inputs.get("acl", "null")
        same = hujson.loads(written) == hujson.loads(policy)
        return {**state, "acl": written if same else policy}

    def update(self, store: Store, resource_id: str, inputs: Props, state: Props) -> Props:
        """Write the policy anew."""
        with store.change() as data:
            _put_policy(store, data, inputs)
        return {}

    def delete(self, store: Store, resource_id: str, state: Props) -> None:
        """Leave the policy where it is, unless ``resetAclOnDestroy`` asks for the default one."""
        if state.get("resetAclOnDestroy"):
            with store.change() as data:
                data["tailscale"]["policy"] = None


def _put_policy(store: Store, data: Data, inputs: Props) -> None:
    """Take a policy as the API does: known sections, owned tags, readable rules, and every test of its own passes."""
    policy = _sections(inputs["acl"])
    for section in policy:
        if section.lower() not in _CANONICAL:
            raise Refusal(f'Failed to set ACL: json: unknown field "{section}" (400)')
    owned = _owned_tags(inputs["acl"])
    for section, content in policy.items():
        for tag in _TAG.findall(json.dumps(content)):
            if tag not in owned:
                raise Refusal(
                    f'Failed to set ACL: {section}: tag not found: "{tag}"; give it an owner in tagOwners (400)'
                )
    known = {_CANONICAL[section.lower()]: content for section, content in policy.items()}
    try:
        parsed = policy_of({section: known[section] for section in known.keys() - _NOT_READ})
    except ProgramError as error:
        raise Refusal(f"Failed to set ACL: {'; '.join(map(str, error.problems))} (400)") from None
    if faults := validate(parsed):
        raise Refusal(f"Failed to set ACL: {'; '.join(map(str, faults))} (400)")
    if failed := run_tests(parsed, tailnet(store)):
        raise Refusal(f"Failed to set ACL: test(s) failed (400): {'; '.join(map(str, failed))}")
    data["tailscale"]["policy"] = inputs["acl"]


def tailnet(store: Store) -> Tailnet:
    """The devices that have joined: the rehearsed hosts, each under its own tag."""
    return Tailnet(
        devices=tuple(
            Device(name=name, tags=(f"tag:{name}",), addresses=(device["address"],))
            for name, device in store.devices().items()
        )
    )


def _sections(policy: str) -> dict[str, Any]:
    document = hujson.loads(policy)
    return document if isinstance(document, dict) else {}


def _owned_tags(policy: str | None) -> set[str]:
    sections = _sections(policy) if policy else {}
    return {tag for section, owners in sections.items() if section.lower() == "tagowners" for tag in owners}


class TailnetKey(Resource):
    """An auth key; its text is told once, at creation, and not kept here."""

    type_name = "tailscale:index/tailnetKey:TailnetKey"
    inputs = shape("description ephemeral expiry preauthorized recreateIfInvalid reusable tags userId")
    computed = ("createdAt", "expiresAt", "invalid", "key")
    replaces = frozenset(inputs) - {"recreateIfInvalid"}
    secrets = ("key",)
    unordered = frozenset({"tags"})
    choices = one_of(recreateIfInvalid="always never")

    def create(self, store: Store, inputs: Props) -> tuple[str, Props]:
        """Mint a key."""
        expiry = inputs.get("expiry", _LONGEST_EXPIRY)
        if not 1 <= expiry <= _LONGEST_EXPIRY:
            raise Refusal(
                f"Failed to create key: expirySeconds must be from 1 to {_LONGEST_EXPIRY} (90 days), not {expiry} (400)"
            )
        with store.change() as data:
            foreign = set(inputs.get("tags", ())) - _owned_tags(data["tailscale"]["policy"])
            if foreign:
                tags = " ".join(sorted(foreign))
                raise Refusal(f"Failed to create key: requested tags [{tags}] are invalid or not permitted (400)")
            key_id = f"k{secrets.token_hex(6)}CNTRL"
            created = datetime.now(UTC).replace(microsecond=0)
            kept = {"created_at": created.isoformat(), "expires_at": (created + timedelta(seconds=expiry)).isoformat()}
            data["tailscale"]["keys"][key_id] = {**kept, "inputs": inputs}
        return key_id, {**_key_outputs(kept), "key": f"tskey-auth-{key_id}-{secrets.token_hex(16)}"}

    def read(self, store: Store, resource_id: str, inputs: Props, state: Props) -> Props | None:
        """Look the key up; a one-off key may be gone because it was used, and then counts as still there."""
        kept = store.view()["tailscale"]["keys"].get(resource_id)
        if kept is not None:
            told = {"key": state["key"]} if state else {}
            return {**_key_outputs(kept), **kept["inputs"], **told}
        wanted = inputs.get("recreateIfInvalid", "always" if inputs.get("reusable") else "never")
        return state if state and wanted == "never" else None

    def update(self, store: Store, resource_id: str, inputs: Props, state: Props) -> Props:
        """Change what the key does not carry: whether it is made again."""
        with store.change() as data:
            if resource_id in data["tailscale"]["keys"]:
                data["tailscale"]["keys"][resource_id]["inputs"] = inputs
        return {name: value for name, value in state.items() if name in self.computed}

    def delete(self, store: Store, resource_id: str, state: Props) -> None:
        """Revoke the key."""
        with store.change() as data:
            data["tailscale"]["keys"].pop(resource_id, None)


def _key_outputs(kept: Data) -> Props:
    return {"createdAt": kept["created_at"], "expiresAt": kept["expires_at"], "invalid": False}


def _configure(config: Props) -> None:
    def given(name: str, variable: str) -> bool:
        return bool(config.get(name) or os.environ.get(variable))

    client = given("oauthClientId", "TAILSCALE_OAUTH_CLIENT_ID")
    secret = given("oauthClientSecret", "TAILSCALE_OAUTH_CLIENT_SECRET")
    identity = given("identityToken", "TAILSCALE_IDENTITY_TOKEN")
    if not (given("apiKey", "TAILSCALE_API_KEY") or (client and (secret or identity))):
        raise Refusal(
            "tailscale provider credentials are empty: set apiKey, or oauthClientId and oauthClientSecret"
            " (pulumi config set --secret tailscale:oauthClientSecret)"
        )


TAILSCALE = Provider(name="tailscale", resources=(Acl(), TailnetKey()), configure=_configure)
