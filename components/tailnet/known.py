"""Who is known of the tailnet: the fleet's hosts, and somebody for each other selector that a policy names.

A check over devices sees nothing of a device that it does not know. So that a rule for one person, a foreign tag or an
address is seen too, one device stands for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.tailnet.parties import Device, Tailnet
from components.tailnet.selectors import ROLES, Kind, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from components.fleet import Fleet
    from components.tailnet.policy import Grant, Policy, SshRule

_ADMIN = "admin@any.invalid"
_STRANGERS = (
    Device(name="any other member", user="member@any.invalid"),
    Device(name="any other admin", user=_ADMIN),
)
"""Stand for the users whom nothing names, so that a rule for all of them shows."""


def tag_of(host: str) -> str:
    """The tag that a host of the fleet has on the tailnet; no other device has it."""
    return f"tag:{host}"


def known_tailnet(fleet: Fleet, *policies: Policy) -> Tailnet:
    """The hosts under their tags, a device for whatever else these policies name, and one for each kind of stranger."""
    hosts = {
        host: Device(name=host, tags=(tag_of(host),), addresses=(stack.host.tailscale_address,))
        for host, stack in sorted(fleet.stacks.items())
    }
    own = {tag_of(host) for host in hosts}
    others = {
        device.name: device
        for policy in policies
        for text in sorted(_named(policy) - own)
        for device in _stand_in(text, policy.hosts)
    }
    return Tailnet(devices=(*hosts.values(), *others.values(), *_STRANGERS), roles={_ADMIN: ROLES})


def _named(policy: Policy) -> set[str]:
    rules: tuple[Grant | SshRule, ...] = (*(policy.grants or ()), *policy.ssh)
    return {text for rule in rules for text in (*rule.src, *rule.dst)} | {
        login for group in policy.groups.values() for login in group
    }


def _stand_in(text: str, hosts: Mapping[str, str]) -> Iterator[Device]:
    """A device for a selector; none where its form is wrong, or where the strangers are meant too."""
    try:
        selector = read(text)
    except ValueError:
        return
    match selector.kind:
        case Kind.USER:
            yield Device(name=text, user=text)
        case Kind.DOMAIN:
            domain = text.partition("@")[2]
            yield Device(name=f"anybody at {domain}", user=f"anybody@{domain}")
        case Kind.TAG:
            yield Device(name=text, tags=(text,))
        case Kind.NETWORK:
            yield Device(name=text, addresses=tuple(map(str, selector.networks)))
        case Kind.HOST if text in hosts:
            yield Device(name=text, addresses=tuple(map(str, _networks(hosts[text]))))


def _networks(text: str) -> Iterable[object]:
    try:
        return read(text).networks
    except ValueError:
        return ()
