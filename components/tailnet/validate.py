"""What is wrong with a policy before anybody asks it: all faults at once, each with its place and a way out.

The rules are those that the API has, and two of our own: a tag must be owned by somebody (the API lets an empty list
stand for the admins), and a policy must have rules (the API takes a policy without any as "everything may").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from components.errors import Problem
from components.tailnet import ports, references
from components.tailnet.evaluate import ipset_entry
from components.tailnet.references import check, check_all, readable
from components.tailnet.selectors import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from components.tailnet.policy import Acl, Grant, Names, Policy, SshRule

_LOCAL_USER = re.compile(r"[a-z_][a-z0-9_-]*\$?|autogroup:nonroot|localpart:\*@[A-Za-z0-9.-]+")
_CHECK_PERIOD = re.compile(r"[1-9][0-9]*[mh]|always")


def validate(policy: Policy) -> list[Problem]:
    """Every fault of the document itself; empty where `Evaluator` can answer every question."""
    return [problem for rule in _SECTIONS for problem in rule(policy)]


def _names(policy: Policy) -> Iterator[Problem]:
    """The keys of the sections that define names."""
    for section, names, kind in (
        ("groups", policy.groups, Kind.GROUP),
        ("hosts", policy.hosts, Kind.HOST),
        ("ipsets", policy.ipsets, Kind.IPSET),
        ("tagOwners", policy.tag_owners, Kind.TAG),
    ):
        for name in names:
            selector = readable(name)
            if selector is None or selector.kind is not kind:
                example = "nas" if kind is Kind.HOST else f"{kind}:example"
                yield Problem(
                    path=f"{section}.{name}",
                    rule=f"must be the name of a {kind}, got {name!r}",
                    way_out=f"as {example}",
                )


def _definitions(policy: Policy) -> Iterator[Problem]:
    for name, members in policy.groups.items():
        for number, member in enumerate(members):
            yield from check(policy, f"groups.{name}.{number}", member, references.MEMBER)
    for name, address in policy.hosts.items():
        yield from check(policy, f"hosts.{name}", address, references.ADDRESS)
    for name, conditions in policy.postures.items():
        if not name.startswith("posture:") or not conditions:
            yield Problem(path=f"postures.{name}", rule="must be posture:<name> with at least one condition")
    yield from _postures(policy, "defaultSrcPosture", policy.default_src_posture)


def _ipsets(policy: Policy) -> Iterator[Problem]:
    for name, entries in policy.ipsets.items():
        for number, entry in enumerate(entries):
            yield from check(policy, f"ipsets.{name}.{number}", ipset_entry(entry)[1], references.IN_IPSET)
        if _leads_back(name, lambda one: {ipset_entry(entry)[1] for entry in policy.ipsets.get(one, ())}):
            yield Problem(path=f"ipsets.{name}", rule="must not contain itself, not even by way of another ipset")


def _tag_owners(policy: Policy) -> Iterator[Problem]:
    for tag, owners in policy.tag_owners.items():
        for number, owner in enumerate(owners):
            yield from check(policy, f"tagOwners.{tag}.{number}", owner, references.OWNER)
        if not _owned(policy, tag, frozenset()):
            yield Problem(
                path=f"tagOwners.{tag}",
                rule="must be owned by somebody, got nobody",
                way_out='for example ["autogroup:admin"], the tailnet\'s admins',
            )


def _owned(policy: Policy, tag: str, above: frozenset[str]) -> bool:
    """Whether a chain of owners ends in people; an owner of a wrong form is another fault."""
    for owner in policy.tag_owners.get(tag, ()):
        selector = readable(owner)
        if selector is None:
            return True
        if selector.kind is Kind.TAG:
            if owner not in above | {tag} and _owned(policy, owner, above | {tag}):
                return True
        elif selector.kind is not Kind.GROUP or policy.groups.get(owner):
            return True
    return False


def _leads_back(start: str, following: Callable[[str], set[str]]) -> bool:
    seen: set[str] = set()
    ahead = following(start)
    while ahead:
        if start in ahead:
            return True
        seen |= ahead
        ahead = {further for one in ahead for further in following(one)} - seen
    return False


def _postures(policy: Policy, path: str, names: Names) -> Iterator[Problem]:
    for number, name in enumerate(names):
        if name not in policy.postures:
            known = f"known: {', '.join(policy.postures)}" if policy.postures else f'add "{name}" to postures'
            yield Problem(path=f"{path}.{number}", rule=f"must stand in postures, got {name!r}", way_out=known)


def _some_rules(policy: Policy) -> Iterator[Problem]:
    if policy.grants is None and policy.acls is None:
        yield Problem(
            path="grants",
            rule="must be set: a policy without grants and acls lets everything through",
            way_out='"grants": [] lets nothing through',
        )


def _grants(policy: Policy) -> Iterator[Problem]:
    for number, grant in enumerate(policy.grants or ()):
        path = f"grants.{number}"
        yield from check_all(policy, f"{path}.src", grant.src, references.SOURCE)
        yield from check_all(policy, f"{path}.dst", grant.dst, references.DESTINATION)
        yield from _self(path, grant.src, grant.dst)
        yield from _postures(policy, f"{path}.srcPosture", grant.src_posture)
        if grant.via:
            yield from check_all(policy, f"{path}.via", grant.via, references.VIA)
        yield from _traffic(path, grant)


def _traffic(path: str, grant: Grant) -> Iterator[Problem]:
    if not grant.ip and not grant.app:
        yield Problem(
            path=f"{path}.ip", rule="must say what is let through", way_out='for example ["tcp:443"] or ["*"]'
        )
    for number, text in enumerate(grant.ip):
        try:
            traffic = ports.read_traffic(text)
        except ValueError as error:
            yield Problem(path=f"{path}.ip.{number}", rule=str(error), way_out="for example tcp:443")
        else:
            yield from _portless(f"{path}.ip.{number}", traffic, text)


def _portless(path: str, traffic: ports.Traffic, text: str) -> Iterator[Problem]:
    if not traffic.protocols & ports.WITH_PORTS and traffic.ports != (ports.ANY_PORT,):
        yield Problem(path=path, rule=f"must be on all ports: the protocol has none, got {text!r}", way_out="write *")


def _acls(policy: Policy) -> Iterator[Problem]:
    for number, acl in enumerate(policy.acls or ()):
        path = f"acls.{number}"
        yield from check_all(policy, f"{path}.src", acl.src, references.SOURCE)
        yield from _postures(policy, f"{path}.srcPosture", acl.src_posture)
        yield from _acl_destinations(policy, path, acl)


def _acl_destinations(policy: Policy, path: str, acl: Acl) -> Iterator[Problem]:
    protocols = ports.UNNAMED
    try:
        protocols = ports.read_protocol(acl.proto)
    except ValueError as error:
        yield Problem(path=f"{path}.proto", rule=str(error))
    if not acl.dst:
        yield Problem(path=f"{path}.dst", rule="must name at least one", way_out="for example tag:kscloud1:443")
    selectors: list[str] = []
    for number, text in enumerate(acl.dst):
        at = f"{path}.dst.{number}"
        try:
            selector, open_ = ports.split_destination(text)
            selectors.append(selector)
            yield from check(policy, at, selector, references.DESTINATION)
            yield from _portless(at, ports.Traffic(protocols, ports.read_ports(open_)), text)
        except ValueError as error:
            yield Problem(path=at, rule=str(error))
    yield from _self(path, acl.src, tuple(selectors))


def _self(path: str, sources: Names, destinations: Names) -> Iterator[Problem]:
    """`autogroup:self` means the devices of who asks, so only people can ask."""
    if "autogroup:self" not in destinations:
        return
    for number, text in enumerate(sources):
        selector = readable(text)
        if selector is not None and not selector.selects_people:
            yield Problem(
                path=f"{path}.src.{number}",
                rule=f"must be users where autogroup:self is the destination, got {text!r}",
                way_out="for example autogroup:member",
            )


def _ssh(policy: Policy) -> Iterator[Problem]:
    for number, rule in enumerate(policy.ssh):
        path = f"ssh.{number}"
        yield from check_all(policy, f"{path}.src", rule.src, references.SSH_SOURCE)
        yield from check_all(policy, f"{path}.dst", rule.dst, references.SSH_DESTINATION)
        yield from _self(path, rule.src, rule.dst)
        yield from _to_a_user(path, rule)
        yield from _postures(policy, f"{path}.srcPosture", rule.src_posture)
        yield from _local_users(path, rule)
        if rule.check_period and (rule.action != "check" or not _CHECK_PERIOD.fullmatch(rule.check_period)):
            yield Problem(
                path=f"{path}.checkPeriod",
                rule=f"must be minutes or hours of a check rule, got {rule.check_period!r} with {rule.action}",
                way_out="for example 12h, or always",
            )


def _to_a_user(path: str, rule: SshRule) -> Iterator[Problem]:
    for number, text in enumerate(rule.dst):
        selector = readable(text)
        if selector is not None and selector.kind is Kind.USER and rule.src != (text,):
            yield Problem(
                path=f"{path}.dst.{number}",
                rule=f"must be the source itself where it is a user, got {text!r}",
                way_out="write autogroup:self, or a tag",
            )


def _local_users(path: str, rule: SshRule) -> Iterator[Problem]:
    if not rule.users:
        yield Problem(path=f"{path}.users", rule="must name at least one", way_out="for example autogroup:nonroot")
    for number, user in enumerate(rule.users):
        if not _LOCAL_USER.fullmatch(user):
            yield Problem(
                path=f"{path}.users.{number}",
                rule=f"must be a local user, root, autogroup:nonroot or localpart:*@<domain>, got {user!r}",
            )


def _approvers(policy: Policy) -> Iterator[Problem]:
    for route, owners in policy.auto_approvers.routes.items():
        yield from check(policy, f"autoApprovers.routes.{route}", route, references.ADDRESS)
        yield from check_all(policy, f"autoApprovers.routes.{route}", owners, references.OWNER)
    for service, owners in policy.auto_approvers.services.items():
        yield from check_all(policy, f"autoApprovers.services.{service}", owners, references.OWNER)
    for number, owner in enumerate(policy.auto_approvers.exit_node):
        yield from check(policy, f"autoApprovers.exitNode.{number}", owner, references.OWNER)
    for number, attribute in enumerate(policy.node_attrs):
        yield from check_all(policy, f"nodeAttrs.{number}.target", attribute.target, references.TARGET)


def _tests(policy: Policy) -> Iterator[Problem]:
    for number, test in enumerate(policy.tests):
        path = f"tests.{number}"
        yield from check(policy, f"{path}.src", test.src, references.TESTED)
        protocols = ports.UNNAMED
        try:
            protocols = ports.read_protocol(test.proto)
        except ValueError as error:
            yield Problem(path=f"{path}.proto", rule=str(error))
        if not test.accept and not test.deny:
            yield Problem(path=path, rule="must expect something", way_out='for example "accept": ["tag:kscloud1:443"]')
        for key, targets in (("accept", test.accept), ("deny", test.deny)):
            for at, target in enumerate(targets):
                yield from _tested(policy, f"{path}.{key}.{at}", target, protocols)


def _tested(policy: Policy, path: str, target: str, protocols: frozenset[int]) -> Iterator[Problem]:
    try:
        selector, port = ports.split_destination(target)
        ranges = ports.read_ports(port)
    except ValueError as error:
        yield Problem(path=path, rule=str(error))
        return
    yield from check(policy, path, selector, references.TESTED)
    if protocols & ports.WITH_PORTS and (len(ranges) > 1 or ranges[0].first != ranges[0].last):
        yield Problem(path=path, rule=f"must be one port, got {target!r}", way_out="write one entry for each port")


def _ssh_tests(policy: Policy) -> Iterator[Problem]:
    for number, test in enumerate(policy.ssh_tests):
        path = f"sshTests.{number}"
        yield from check(policy, f"{path}.src", test.src, references.TESTED)
        yield from check_all(policy, f"{path}.dst", test.dst, references.TESTED)
        users = [(key, user) for key in ("accept", "check", "deny") for user in getattr(test, key)]
        if not users:
            yield Problem(path=path, rule="must expect something", way_out='for example "deny": ["root"]')
        for key, user in users:
            if ":" in user or not _LOCAL_USER.fullmatch(user):
                yield Problem(path=f"{path}.{key}", rule=f"must be one local user, got {user!r}")


_SECTIONS = (
    _names, _definitions, _ipsets, _tag_owners, _some_rules, _grants, _acls, _ssh, _approvers, _tests, _ssh_tests,
)  # fmt: skip
