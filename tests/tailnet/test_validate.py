"""Broken policies: every fault at once, each with its place, its rule, the value and a way out."""

from __future__ import annotations

import pytest

from components.errors import ProgramError
from components.tailnet.policy import parse
from components.tailnet.validate import validate
from tests.tailnet.world import policy

_GRANT = '"grants": [{{"src": {src}, "dst": {dst}, "ip": {ip}}}]'


def grant(src: str = '["tag:monk"]', dst: str = '["tag:kscloud1"]', ip: str = '["tcp:22"]') -> str:
    return _GRANT.format(src=src, dst=dst, ip=ip)


def acl(dst: str, proto: str = "") -> str:
    return f'"acls": [{{"action": "accept", "src": ["tag:monk"], "dst": ["{dst}"], "proto": "{proto}"}}]'


def ssh(src: str = "tag:monk", dst: str = "tag:kscloud1", users: str = '["kite"]', more: str = "") -> str:
    rule = f'{{"action": "accept", "src": ["{src}"], "dst": ["{dst}"], "users": {users}{more}}}'
    return f'"grants": [], "ssh": [{rule}]'


def with_test(test: str) -> str:
    return f'"grants": [], "tests": [{test}]'


BROKEN = {
    grant('["tag:monkk"]'): "grants.0.src.0: must stand in tagOwners, got 'tag:monkk' (did you mean tag:monk?)",
    grant(dst='["tag:x"]'): "grants.0.dst.0: must stand in tagOwners, got 'tag:x'"
    ' (add "tag:x": ["autogroup:admin"] to tagOwners)',
    grant('["group:famly"]'): "grants.0.src.0: must stand in groups, got 'group:famly' (did you mean group:family?)",
    grant(dst='["monk"]'): "grants.0.dst.0: must stand in hosts, got 'monk'"
    ' (add "monk": "100.101.102.103" to hosts)',
    grant(dst='["ipset:home"]'): "grants.0.dst.0: must stand in ipsets, got 'ipset:home'"
    ' (add "ipset:home": ["192.168.1.0/24"] to ipsets)',
    grant('["autogroup:members"]'): "grants.0.src.0: must be a known autogroup, got 'autogroup:members'; known: admin,"
    " auditor, billing-admin, danger-all, internet, it-admin, member, network-admin, owner, self, tagged",
    grant('["autogroup:self"]'): "grants.0.src.0: must be who opens connections: no self, no internet,"
    " got 'autogroup:self'",
    grant(dst='["autogroup:danger-all"]'): "grants.0.dst.0: must be what answers: not autogroup:danger-all,"
    " got 'autogroup:danger-all'",
    grant(dst='["autogroup:self"]'): "grants.0.src.0: must be users where autogroup:self is the destination,"
    " got 'tag:monk' (for example autogroup:member)",
    grant('["ada@"]'): "grants.0.src.0: must be a login such as ada@example.com or ada@github, got 'ada@'",
    grant('["user:ada"]'): "grants.0.src.0: must be a whole domain, for example user:*@example.com, got 'user:ada'",
    grant('["tag:"]'): "grants.0.src.0: must be a letter, then letters, digits and dashes, for example tag:monk,"
    " got 'tag:'",
    grant('["svc:web"]'): "grants.0.src.0: must be a user, group:, tag:, autogroup:, ipset:, a name in hosts,"
    " or an address, got 'svc:web'",
    grant('["100.64.0.300"]'): "grants.0.src.0: must stand in hosts, got '100.64.0.300'"
    ' (add "100.64.0.300": "100.101.102.103" to hosts)',
    grant("[]"): "grants.0.src: must name at least one (who opens connections: no self, no internet)",
    grant(dst="[]"): "grants.0.dst: must name at least one (what answers: not autogroup:danger-all)",
    grant(dst='["tag:kscloud1:22"]'): "grants.0.dst.0: must be a letter, then letters, digits and dashes,"
    " for example tag:monk, got 'tag:kscloud1:22'",
    grant(ip="[]"): 'grants.0.ip: must say what is let through (for example ["tcp:443"] or ["*"])',
    grant(ip='["tcp"]'): "grants.0.ip.0: must be a port, a range such as 8000-8080, or *, got 'tcp'"
    " (for example tcp:443)",
    grant(ip='["tcp:0"]'): "grants.0.ip.0: must be ports from 1 to 65535, got '0' (for example tcp:443)",
    grant(ip='["tcp:65536"]'): "grants.0.ip.0: must be ports from 1 to 65535, got '65536' (for example tcp:443)",
    grant(ip='["tcp:90-80"]'): "grants.0.ip.0: must be a range that rises, got '90-80' (for example tcp:443)",
    grant(ip='["tcp:80,443"]'): "grants.0.ip.0: must be one port or one range, each further one an entry of its own,"
    " got 'tcp:80,443' (for example tcp:443)",
    grant(ip='["icmp:8"]'): "grants.0.ip.0: must be on all ports: the protocol has none, got 'icmp:8' (write *)",
    grant(ip='[":80"]'): "grants.0.ip.0: must name a protocol before the colon, got ':80' (for example tcp:443)",
    acl("tag:kscloud1"): "acls.0.dst.0: must end in a port, got 'tag:kscloud1',"
    " for example tag:kscloud1:443 or tag:kscloud1:*",
    acl("tag:kscloud1:"): "acls.0.dst.0: must end in a port, got 'tag:kscloud1:',"
    " for example tag:kscloud1:443 or tag:kscloud1:*",
    acl("tag:kscloud1:22-"): "acls.0.dst.0: must be a port, a range such as 8000-8080, or *, got '22-'",
    acl("tag:kscloud1:22,70000"): "acls.0.dst.0: must be ports from 1 to 65535, got '22,70000'",
    acl("tag:new:22"): "acls.0.dst.0: must stand in tagOwners, got 'tag:new'"
    ' (add "tag:new": ["autogroup:admin"] to tagOwners)',
    acl("tag:kscloud1:22", "tpc"): "acls.0.proto: must be a protocol name or a number from 1 to 255, got 'tpc'; names:"
    " icmp, icmpv4, igmp, ipv4, ip-in-ip, tcp, egp, igp, udp, dccp, gre, esp, ah, icmpv6, ipv6-icmp, sctp",
    acl("tag:kscloud1:22", "gre"): "acls.0.dst.0: must be on all ports: the protocol has none,"
    " got 'tag:kscloud1:22' (write *)",
    '"disableIPv4": true': "grants: must be set: a policy without grants and acls lets everything through"
    ' ("grants": [] lets nothing through)',
    ssh(dst="cloud"): "ssh.0.dst.0: must be a tag, autogroup:self or a user, got 'cloud'",
    ssh(src="100.64.0.1"): "ssh.0.src.0: must be a user, a group, a tag or an autogroup of users, got '100.64.0.1'",
    ssh(src="*"): "ssh.0.src.0: must be a user, a group, a tag or an autogroup of users, got '*'",
    ssh(dst="autogroup:self"): "ssh.0.src.0: must be users where autogroup:self is the destination, got 'tag:monk'"
    " (for example autogroup:member)",
    ssh(dst="ada@example.com"): "ssh.0.dst.0: must be the source itself where it is a user, got 'ada@example.com'"
    " (write autogroup:self, or a tag)",
    ssh(users="[]"): "ssh.0.users: must name at least one (for example autogroup:nonroot)",
    ssh(users='["autogroup:admin"]'): "ssh.0.users.0: must be a local user, root, autogroup:nonroot or"
    " localpart:*@<domain>, got 'autogroup:admin'",
    ssh(more=', "checkPeriod": "12h"'): "ssh.0.checkPeriod: must be minutes or hours of a check rule,"
    " got '12h' with accept (for example 12h, or always)",
    with_test('{"src": "*", "accept": ["cloud:22"]}'): "tests.0.src: must be one user, group,"
    " tag, host or address, got '*'",
    with_test('{"src": "tag:monk"}'): 'tests.0: must expect something (for example "accept": ["tag:kscloud1:443"])',
    with_test('{"src": "tag:monk", "deny": ["cloud"]}'): "tests.0.deny.0: must end in a port, got 'cloud',"
    " for example cloud:443 or cloud:*",
    with_test('{"src": "tag:monk", "deny": ["cloud:1-9"]}'): "tests.0.deny.0: must be one port, got 'cloud:1-9'"
    " (write one entry for each port)",
    '"grants": [], "sshTests": [{"src": "tag:monk", "dst": ["cloud"]}]': "sshTests.0: must expect something"
    ' (for example "deny": ["root"])',
    '"grants": [], "sshTests": [{"src": "tag:monk", "dst": ["cloud"], "deny": ["autogroup:nonroot"]}]':
    "sshTests.0.deny: must be one local user, got 'autogroup:nonroot'",
    '"grants": [], "autoApprovers": {"routes": {"home": ["tag:monk"]}}': "autoApprovers.routes.home:"
    " must be an address or a range, got 'home'",
    '"grants": [], "autoApprovers": {"exitNode": ["tag:exit"]}': "autoApprovers.exitNode.0:"
    " must stand in tagOwners, got 'tag:exit' (add \"tag:exit\": [\"autogroup:admin\"] to tagOwners)",
    '"grants": [], "nodeAttrs": [{"target": [], "attr": ["x"]}]': "nodeAttrs.0.target:"
    " must name at least one (*, a user, a group, a tag, an address or an autogroup)",
    '"grants": [], "defaultSrcPosture": ["posture:new"]': "defaultSrcPosture.0: must stand in postures,"
    " got 'posture:new' (add \"posture:new\" to postures)",
    '"grants": [], "postures": {"new": []}': "postures.new: must be posture:<name> with at least one condition",
    '"grants": [], "ipsets": {"ipset:a": ["add ipset:b"], "ipset:b": ["ipset:a", "tag:monk"]}':
    "ipsets.ipset:a: must not contain itself, not even by way of another ipset\n"
    "ipsets.ipset:b.1: must be an address, a range, a host, another ipset or autogroup:internet, got 'tag:monk'\n"
    "ipsets.ipset:b: must not contain itself, not even by way of another ipset",
}  # fmt: skip


def faults(text: str) -> str:
    return "\n".join(str(problem) for problem in validate(parse(text)))


@pytest.mark.parametrize("rules", BROKEN)
def test_a_broken_policy_is_refused_in_words(rules: str) -> None:
    assert "\n".join(str(problem) for problem in validate(policy(rules))) == BROKEN[rules]


@pytest.mark.parametrize(
    ("owners", "wrong"),
    [
        ('"tag:a": []', ["tag:a"]),
        ('"tag:a": ["group:nobody"]', ["tag:a"]),
        ('"tag:a": ["tag:a"]', ["tag:a"]),
        ('"tag:a": ["tag:b"], "tag:b": ["tag:a"]', ["tag:a", "tag:b"]),
        ('"tag:a": ["tag:b"], "tag:b": ["ada@example.com"]', []),
        ('"tag:a": ["tag:a", "autogroup:admin"]', []),
    ],
)
def test_a_tag_that_nobody_owns(owners: str, wrong: list[str]) -> None:
    text = f'{{"grants": [], "groups": {{"group:nobody": []}}, "tagOwners": {{{owners}}}}}'
    end = 'must be owned by somebody, got nobody (for example ["autogroup:admin"], the tailnet\'s admins)'
    assert faults(text).splitlines() == [f"tagOwners.{tag}: {end}" for tag in wrong]


def test_wrong_names_and_definitions_are_found_together() -> None:
    text = """{"grants": [], "groups": {"family": ["ada"], "group:g": ["group:h"]}, "hosts": {"a b": "here"},
        "tagOwners": {"monk": ["autogroup:self"]}, "ipsets": {"home": ["x"]}}"""
    assert faults(text).splitlines() == [
        "groups.family: must be the name of a group, got 'family' (as group:example)",
        "hosts.a b: must be the name of a host, got 'a b' (as nas)",
        "ipsets.home: must be the name of a ipset, got 'home' (as ipset:example)",
        "tagOwners.monk: must be the name of a tag, got 'monk' (as tag:example)",
        "groups.family.0: must be a login: groups hold users only, got 'ada'",
        "groups.group:g.0: must be a login: groups hold users only, got 'group:h'",
        "hosts.a b: must be an address or a range, got 'here'",
        'ipsets.home.0: must stand in hosts, got \'x\' (add "x": "100.101.102.103" to hosts)',
        "tagOwners.monk.0: must be a user, a group, a tag or a role, got 'autogroup:self'",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"grantz": []}', "grantz: is an unknown key (did you mean grants?)"),
        ('{"grants": [{"src": [], "dst": [], "ports": []}]}', "grants.0.ports: is an unknown key"),
        ('{"grants": [{"src": "tag:a"}]}', "grants.0.dst: must be set"),
        ('{"acls": [{"action": "deny", "src": [], "dst": []}]}', "acls.0.action: must be 'accept', got 'deny'"),
        ('{"tag_owners": {}}', "tag_owners: is an unknown key (did you mean tagOwners?)"),
        ('{"hosts": {"a": 1}}', "hosts.a: must be a valid string, got 1"),
        ('{"grants": [], "grants": []}', 'Duplicate key "grants"'),
        ("[]", "policy: must be one object in braces"),
        ("", "policy: must be JSON, comments and trailing commas allowed"),
        ('{"grants": [}', "policy: must be JSON, comments and trailing commas allowed: line 1"),
        ('{"nodeAttrs": [{"target": ["*"], "app": {"a": [NaN]}}]}', "NaN is no value of JSON"),
    ],
)
def test_a_text_that_is_no_policy(text: str, expected: str) -> None:
    with pytest.raises(ProgramError) as caught:
        parse(text)
    assert expected in str(caught.value)
    assert "Traceback" not in str(caught.value)
