"""The tailnet policy document: its models, its parser (JSON with comments) and its one canonical spelling.

The keys are those of Tailscale's policy file (tailscale.com/docs/reference/syntax/policy-file). Left out: `derpMap` and
keys that are only kept for old files (`users`, `ports` in a rule); they are refused as unknown.
"""

from __future__ import annotations

import json
from typing import Any, Literal

import json5
from pydantic import ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from components.errors import Problem, ProgramError
from components.model import Model
from components.settings_errors import problems_of

Names = tuple[str, ...]
WHERE = "tailnet policy"


class Part(Model):
    """A part of the document; its keys are written in camel case."""

    model_config = ConfigDict(alias_generator=to_camel)


class Grant(Part):
    """A rule of the newer kind: who may reach what, on which protocols and ports."""

    src: Names
    dst: Names
    ip: Names = ()
    app: dict[str, list[Any]] = Field(default_factory=dict)
    src_posture: Names = ()
    via: Names = ()


class Acl(Part):
    """A rule of the older kind: each destination carries its ports."""

    action: Literal["accept"]
    src: Names
    dst: Names
    proto: str = ""
    src_posture: Names = ()


class SshRule(Part):
    """Who may log in where, as which local user."""

    action: Literal["accept", "check"]
    src: Names
    dst: Names
    users: Names
    check_period: str = ""
    accept_env: Names = ()
    src_posture: Names = ()


class AutoApprovers(Part):
    """Whose routes, exit nodes and services need no approval."""

    routes: dict[str, Names] = Field(default_factory=dict)
    exit_node: Names = ()
    services: dict[str, Names] = Field(default_factory=dict)


class NodeAttr(Part):
    """Attributes that some devices get."""

    target: Names
    attr: Names = ()
    app: dict[str, list[Any]] = Field(default_factory=dict)


class PolicyTest(Part):
    """What a source must reach and must not reach; one that fails makes the API refuse the policy."""

    src: str
    proto: str = ""
    accept: Names = ()
    deny: Names = ()
    src_posture_attrs: dict[str, Any] = Field(default_factory=dict)


class SshTest(Part):
    """As which users a source must get in at once, after a check, or not at all."""

    src: str
    dst: Names
    accept: Names = ()
    check: Names = ()
    deny: Names = ()
    src_posture_attrs: dict[str, Any] = Field(default_factory=dict)


class Policy(Part):
    """The whole document. Without `grants` and without `acls` everything may reach everything."""

    groups: dict[str, Names] = Field(default_factory=dict)
    hosts: dict[str, str] = Field(default_factory=dict)
    ipsets: dict[str, Names] = Field(default_factory=dict)
    postures: dict[str, Names] = Field(default_factory=dict)
    default_src_posture: Names = ()
    tag_owners: dict[str, Names] = Field(default_factory=dict)
    grants: tuple[Grant, ...] | None = None
    acls: tuple[Acl, ...] | None = None
    ssh: tuple[SshRule, ...] = ()
    auto_approvers: AutoApprovers = AutoApprovers()
    node_attrs: tuple[NodeAttr, ...] = ()
    disable_ipv4: bool = Field(default=False, alias="disableIPv4")
    randomize_client_port: bool = False
    tests: tuple[PolicyTest, ...] = ()
    ssh_tests: tuple[SshTest, ...] = ()


_NAMED = frozenset({"groups", "hosts", "ipsets", "postures", "tagOwners", "routes", "services"})
"""Sections whose keys are the owner's own names."""
_IN_ORDER = frozenset({"ipsets", "postures", "app", "srcPostureAttrs"})
"""Sections whose lists are taken in their order, each entry after the one before."""


def parse(text: str) -> Policy:
    """Reads a policy document; comments and trailing commas are allowed.

    Args:
        text: The document, as the API hands it out or as an owner wrote it.

    Returns:
        The policy, in the order in which it was written; not yet checked by `validate`.

    Raises:
        ProgramError: The text is no such document; every wrong or unknown key is named.
    """
    try:
        document = json5.loads(text, allow_duplicate_keys=False, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        rule = f"must be JSON, comments and trailing commas allowed: {_spoken(error)}"
        problem = Problem(path="policy", rule=rule)
        raise ProgramError(WHERE, [problem]) from None
    return policy_of(document)


def policy_of(document: object) -> Policy:
    """The policy in a decoded document; raises ProgramError as `parse` does."""
    if not isinstance(document, dict):
        problem = Problem(path="policy", rule="must be one object in braces", way_out='for example {"grants": []}')
        raise ProgramError(WHERE, [problem])
    try:
        return Policy.model_validate(document)
    except ValidationError as error:
        raise ProgramError(WHERE, problems_of(error, Policy)) from None


def dump(policy: Policy) -> str:
    """The one spelling of a policy: JSON with tabs, sections as the model orders them, all else sorted, nothing twice.

    Two policies that differ in order alone give the same text, so a difference between two texts is a change.
    """
    document = policy.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return json.dumps(_ordered(document, ""), indent="\t", ensure_ascii=False, allow_nan=False) + "\n"


def canonical(policy: Policy) -> Policy:
    """The same policy in the order of `dump`."""
    return policy_of(json.loads(dump(policy)))


def _ordered(value: Any, section: str) -> Any:  # noqa: ANN401 - decoded JSON
    if isinstance(value, dict):
        keys = sorted(value) if section in _NAMED | _IN_ORDER else list(value)
        return {key: _ordered(value[key], section if section in _IN_ORDER else key) for key in keys}
    if isinstance(value, list):
        entries = [_ordered(entry, section if section in _IN_ORDER else "") for entry in value]
        if section in _IN_ORDER:
            return entries
        return [json.loads(text) for text in sorted({json.dumps(entry) for entry in entries})]
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no value of JSON")


def _spoken(error: Exception) -> str:
    text = str(error).replace("\n", "\\n")
    return f"line {text.removeprefix('<string>:')}" if text.startswith("<string>:") else text
