"""The table of `tailnet` sections that must be refused: what is broken, and the exact line that has to be said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

OWNER = "kite@kitestacks.com"
SSH = {"from": ["owner"], "ports": [22]}
SECTION: dict[str, Any] = {"groups": {"owner": [OWNER]}, "access": [SSH]}
"""What the real file says."""
_KNOWN = "known: owner, kscloud1, monk"
_UNKNOWN = "must be known: a group, a host, a name in hosts, a tag of a host or in tags; got"
_NARROW = "(narrow the rule; what a service needs of another host is let through by itself)"
_EVERYBODY = "(name users, tags or hosts, or say it out loud: `wildcards: true`)"
_SAY_CUT = "(add {from: [owner], ports: [22]}, or say it out loud: `cut-own-way: true`)"
_NOBODY = 'must be owned by somebody, got nobody (for example ["autogroup:admin"], the tailnet\'s admins)'


@dataclass(frozen=True)
class Broken:
    """One section that is refused.

    Attributes:
        id: What is wrong, as a sentence.
        section: The section.
        says: Every line of the message, in its order.
    """

    id: str
    section: Any
    says: tuple[str, ...]


def with_(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - any YAML value
    """The real section with something else in it."""
    return SECTION | more


def rule(**entry: Any) -> dict[str, Any]:  # noqa: ANN401 - any YAML value
    """The real section with one more entry of `access`; `from_` stands for `from`."""
    return with_(access=[SSH, {key.rstrip("_"): value for key, value in entry.items()}])


def _groups(**more: list[str]) -> dict[str, Any]:
    return {"owner": [OWNER], **more}


BROKEN = [
    Broken("nothing in it", {}, ("tailnet.groups: must be set",)),
    Broken("a list", [], ("tailnet: must be a block of keys and values, got []",)),
    Broken("unknown key", with_(acess=[]), ("tailnet.acess: is an unknown key (did you mean access?)",)),
    Broken(
        "no owner",
        with_(groups={"family": ["ada@example.com"]}),
        ("tailnet.groups: must have the group 'owner' with at least one login (for example owner: [ada@example.com])",),
    ),
    Broken(
        "user name instead of a login",
        with_(groups={"owner": ["kite"]}),
        (
            (
                "tailnet.groups.owner.0: must be a login, as the admin console's Users page shows it, got 'kite' (for"
                " example ada@example.com)"
            ),
        ),
    ),
    Broken(
        "group in a group",
        with_(groups=_groups(family=["group:owner"])),
        (
            (
                "tailnet.groups.family.0: must be a login, as the admin console's Users page shows it, got"
                " 'group:owner' (for example ada@example.com)"
            ),
        ),
    ),
    Broken(
        "group with a blank",
        with_(groups=_groups(**{"My Family": ["ada@example.com"]})),
        (
            (
                "tailnet.groups.My Family: must be a lower-case letter, then letters, digits and dashes, got 'My"
                " Family' (for example family)"
            ),
        ),
    ),
    Broken(
        "group called like a host",
        with_(groups=_groups(monk=["ada@example.com"])),
        (
            (
                "tailnet.groups.monk: must be the name of one thing: groups, hosts of the fleet and `hosts` share one"
                " set of names (call the group something else)"
            ),
        ),
    ),
    Broken(
        "misspelt group",
        rule(from_=["ownr"], ports=[80]),
        (f"tailnet.access.1.from.0: {_UNKNOWN} 'ownr' (did you mean owner?)",),
    ),
    Broken(
        "unknown name",
        rule(from_=["owner"], to=["printer"], ports=[80]),
        (f"tailnet.access.1.to.0: {_UNKNOWN} 'printer' ({_KNOWN})",),
    ),
    Broken(
        "tag of no host",
        rule(from_=["tag:mnk"], ports=[80]),
        (f"tailnet.access.1.from.0: {_UNKNOWN} 'tag:mnk' (did you mean tag:monk?)",),
    ),
    Broken(
        "group that is not there, written as a selector",
        rule(from_=["group:friends"], ports=[80]),
        (
            (
                "tailnet.access.1.from: must stand in groups, got 'group:friends' (add \"group:friends\":"
                ' ["ada@example.com"] to groups)'
            ),
        ),
    ),
    Broken(
        "unknown autogroup",
        rule(from_=["autogroup:everybody"], ports=[80]),
        (
            (
                "tailnet.access.1.from: must be a known autogroup, got 'autogroup:everybody'; known: admin, auditor,"
                " billing-admin, danger-all, internet, it-admin, member, network-admin, owner, self, tagged"
            ),
        ),
    ),
    Broken(
        "internet as source",
        rule(from_=["autogroup:internet"], ports=[80]),
        ("tailnet.access.1.from: must be who opens connections: no self, no internet, got 'autogroup:internet'",),
    ),
    Broken(
        "own devices of a host",
        rule(from_=["monk"], to=["autogroup:self"], ports=[80]),
        (
            (
                "tailnet.access.1.from: must be users where autogroup:self is the destination, got 'tag:monk' (for"
                " example autogroup:member)"
            ),
        ),
    ),
    Broken("nobody", rule(from_=[], ports=[80]), ("tailnet.access.1.from: must name at least one, got none",)),
    Broken("no port", rule(from_=["owner"], ports=[]), ("tailnet.access.1.ports: must name at least one, got none",)),
    Broken(
        "port zero",
        rule(from_=["owner"], ports=[0]),
        ("tailnet.access.1.ports.0: must be greater than or equal to 1, got 0",),
    ),
    Broken(
        "port by name",
        rule(from_=["owner"], ports=["ssh"]),
        ("tailnet.access.1.ports.0: must be a valid integer, unable to parse string as an integer, got 'ssh'",),
    ),
    Broken(
        "protocol without ports",
        rule(from_=["owner"], ports=[80], protocol="icmp"),
        ("tailnet.access.1.protocol: must be 'tcp' or 'udp', got 'icmp'",),
    ),
    Broken(
        "everywhere as destination",
        rule(from_=["owner"], to=["*"], ports=[80]),
        (f"tailnet.access.1.to: must not name everybody, got '*' {_EVERYBODY}",),
    ),
    Broken(
        "everybody as source",
        rule(from_=["*"], to=["192.168.1.9"], ports=[80]),
        (f"tailnet.access.1.from: must not name everybody, got '*' {_EVERYBODY}",),
    ),
    Broken(
        "everybody as a range",
        rule(from_=["0.0.0.0/0"], to=["192.168.1.9"], ports=[80]),
        (f"tailnet.access.1.from: must not name everybody, got '0.0.0.0/0' {_EVERYBODY}",),
    ),
    Broken(
        "everybody, said out loud, would open one host to the other",
        rule(from_=["*"], to=["monk"], ports=[80]) | {"wildcards": True},
        (
            f"tailnet.access.1: must not let kscloud1 reach monk by ping: no flow declares it {_NARROW}",
            f"tailnet.access.1: must not let kscloud1 reach monk on tcp 80: no flow declares it {_NARROW}",
        ),
    ),
    Broken(
        "one host to another by hand",
        rule(from_=["kscloud1"], to=["monk"], ports=[8000]),
        (
            f"tailnet.access.1: must not let kscloud1 reach monk by ping: no flow declares it {_NARROW}",
            f"tailnet.access.1: must not let kscloud1 reach monk on tcp 8000: no flow declares it {_NARROW}",
        ),
    ),
    Broken(
        "database for a person",
        rule(from_=["owner"], to=["kscloud1"], ports=[5432]),
        (
            (
                f"tailnet.access.1: must not let {OWNER} reach PostgreSQL on kscloud1:5432: no flow declares it (take"
                " the port out of the rule; a service that needs it is let through by itself)"
            ),
        ),
    ),
    Broken(
        "database for all members",
        rule(from_=["autogroup:member"], to=["kscloud1"], ports=[6379]),
        tuple(
            f"tailnet.access.1: must not let {who} reach Redis on kscloud1:6379: no flow declares it (take the port out"
            " of the rule; a service that needs it is let through by itself)"
            for who in (OWNER, "any other member", "any other admin")
        ),
    ),
    Broken(
        "database for one person, an address and a foreign tag",
        rule(from_=["ada@example.com", "192.168.1.9", "tag:store"], to=["monk"], ports=[3306])
        | {"tags": {"store": ["owner"]}},
        (
            *(
                f"tailnet.access.1: must not let {who} reach MariaDB on monk:3306: no flow declares it (take the port"
                " out of the rule; a service that needs it is let through by itself)"
                for who in ("192.168.1.9", "ada@example.com", "tag:store")
            ),
            f"tailnet.access.1: must not let tag:store reach monk by ping: no flow declares it {_NARROW}",
        ),
    ),
    Broken(
        "any tagged device, which hosts are too",
        rule(from_=["autogroup:tagged"], to=["monk"], ports=[80]),
        (
            f"tailnet.access.1: must not let kscloud1 reach monk by ping: no flow declares it {_NARROW}",
            f"tailnet.access.1: must not let kscloud1 reach monk on tcp 80: no flow declares it {_NARROW}",
        ),
    ),
    Broken(
        "one host to another by its address",
        rule(from_=["100.64.0.2"], to=["monk"], ports=[80]),
        (
            f"tailnet.access.1: must not let kscloud1 reach monk by ping: no flow declares it {_NARROW}",
            f"tailnet.access.1: must not let kscloud1 reach monk on tcp 80: no flow declares it {_NARROW}",
        ),
    ),
    Broken(
        "no way in for the owner",
        with_(access=[]),
        tuple(
            f"tailnet.access: must let {OWNER} reach {host} on tcp 22, the owner's own way in, and does not {_SAY_CUT}"
            for host in ("kscloud1", "monk")
        ),
    ),
    Broken(
        "way in to one host only",
        with_(access=[SSH | {"to": ["monk"]}]),
        (
            (
                f"tailnet.access: must let {OWNER} reach kscloud1 on tcp 22, the owner's own way in, and does not"
                f" {_SAY_CUT}"
            ),
        ),
    ),
    Broken(
        "name instead of an address",
        with_(hosts={"nas": "nas.local"}),
        ("tailnet.hosts.nas: must be an address or a range, got 'nas.local' (for example 192.168.1.9)",),
    ),
    Broken(
        "unknown owner of a tag",
        with_(tags={"store": ["friend"]}),
        (f"tailnet.tags.store.0: {_UNKNOWN} 'friend' ({_KNOWN})",),
    ),
    Broken("tag of nobody", with_(tags={"store": []}), (f"tailnet.tags.store: {_NOBODY}",)),
    Broken(
        "tags that own each other",
        with_(tags={"store": ["tag:shelf"], "shelf": ["tag:store"]}),
        (f"tailnet.tags.shelf: {_NOBODY}", f"tailnet.tags.store: {_NOBODY}"),
    ),
    Broken(
        "tag for everybody",
        with_(tags={"monk": ["*"]}),
        ("tailnet.tags.monk.0: must be a user, a group, a tag or a role, got '*'",),
    ),
    Broken(
        "local user with a blank",
        with_(ssh=[{"from": ["owner"], "users": ["Kite X"]}]),
        (
            (
                "tailnet.ssh.0.users.0: must be a user of the host, root, or autogroup:nonroot, got 'Kite X' (for"
                " example kite)"
            ),
        ),
    ),
    Broken(
        "SSH for who does not reach the port",
        with_(groups=_groups(family=["ada@example.com"]), ssh=[{"from": ["family"], "to": ["monk"], "users": ["ada"]}]),
        (
            (
                "tailnet.ssh.0: ada@example.com must reach monk on tcp 22, and no rule lets it (an ssh rule needs a"
                " grant beside it, for example ip: [tcp:22])"
            ),
        ),
    ),
    Broken(
        "SSH to people",
        with_(ssh=[{"from": ["owner"], "to": ["owner"], "users": ["kite"]}]),
        ("tailnet.ssh.0.to: must be a tag, autogroup:self or a user, got 'group:owner'",),
    ),
    Broken(
        "SSH from an address",
        with_(ssh=[{"from": ["10.0.0.1"], "users": ["kite"]}]),
        ("tailnet.ssh.0.from: must be a user, a group, a tag or an autogroup of users, got '10.0.0.1'",),
    ),
    Broken(
        "two SSH rules that disagree",
        with_(
            ssh=[
                {"from": ["owner"], "to": ["monk"], "users": ["kite"]},
                {"from": ["owner"], "to": ["monk"], "users": ["kite"], "check": True},
            ]
        ),
        (f"tailnet.ssh.0: {OWNER} to monk as kite must end in accept, got check (change the ssh rule or the test)",),
    ),
    Broken(
        "several faults at once",
        with_(
            hosts={"nas": "100.64.0.7"},
            access=[
                {"from": ["owner"], "to": ["monk"], "ports": [22]},
                {"from": ["owner"], "to": ["*"], "ports": [80]},
            ],
        ),
        (
            f"tailnet.access.1.to: must not name everybody, got '*' {_EVERYBODY}",
            (
                f"tailnet.access: must let {OWNER} reach kscloud1 on tcp 22, the owner's own way in, and does not"
                f" {_SAY_CUT}"
            ),
        ),
    ),
]
