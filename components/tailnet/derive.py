"""The policy from what is declared: one grant and one test for each flow, and the owner's rules beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from components.tailnet.policy import Policy, canonical, policy_of
from components.tailnet.selectors import Kind, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from components.tailnet.flows import Flow, SshAccess

DEFAULT_OWNERS = ("autogroup:admin",)
_TESTABLE = frozenset({Kind.USER, Kind.GROUP, Kind.TAG, Kind.HOST, Kind.NETWORK})


@dataclass(frozen=True, kw_only=True)
class OwnerRules:
    """What the owner says beside the flows.

    Attributes:
        tag_owners: Who may give a tag to a device; a tag that is not here belongs to the tailnet's admins.
        groups: Users by group.
        hosts: Addresses by name.
        ssh: The ways in by Tailscale SSH.
    """

    tag_owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)
    ssh: tuple[SshAccess, ...] = ()


def derive(flows: Iterable[Flow], rules: OwnerRules) -> Policy:
    """The canonical policy; the order and the reasons of the flows change nothing.

    A flow between selectors that the API takes in a test (user, group, tag, host, address) also gets a test, so that a
    later hand-made rule or a typing error shows at once; an SSH access gets one for the users that it names.

    Raises:
        ProgramError: A value is of the wrong type; `validate` says what else is wrong.
    """
    ordered = sorted(set(flows))
    tags = {end for flow in ordered for end in (flow.source, flow.destination)}
    tags |= {end for access in rules.ssh for end in (access.source, access.destination)}
    owned = {tag: DEFAULT_OWNERS for tag in tags if tag.startswith("tag:")} | dict(rules.tag_owners)
    return canonical(
        policy_of(
            {
                "groups": dict(rules.groups),
                "hosts": dict(rules.hosts),
                "tagOwners": owned,
                "grants": [_grant(flow) for flow in ordered],
                "ssh": [_ssh(access) for access in sorted(set(rules.ssh))],
                "tests": [_test(flow) for flow in ordered if _testable(flow.source, flow.destination)],
                "sshTests": [_ssh_test(access) for access in sorted(set(rules.ssh)) if _ssh_testable(access)],
            }
        )
    )


def _grant(flow: Flow) -> dict[str, object]:
    return {"src": [flow.source], "dst": [flow.destination], "ip": [f"{flow.protocol}:{flow.port}"]}


def _test(flow: Flow) -> dict[str, object]:
    return {"src": flow.source, "proto": flow.protocol, "accept": [f"{flow.destination}:{flow.port}"]}


def _ssh(access: SshAccess) -> dict[str, object]:
    return {
        "action": "check" if access.check else "accept",
        "src": [access.source],
        "dst": [access.destination],
        "users": list(access.users),
    }


def _named_users(access: SshAccess) -> list[str]:
    return [user for user in access.users if ":" not in user]


def _ssh_testable(access: SshAccess) -> bool:
    return bool(_named_users(access)) and _testable(access.source, access.destination)


def _ssh_test(access: SshAccess) -> dict[str, object]:
    expected = "check" if access.check else "accept"
    return {"src": access.source, "dst": [access.destination], expected: _named_users(access)}


def _testable(*selectors: str) -> bool:
    try:
        return all(read(text).kind in _TESTABLE for text in selectors)
    except ValueError:
        return False
