"""Groundwork: what the applications of a blueprint stand on, and Authentik's first administrator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.blueprint.entries import Entry, State
from components.blueprint.tags import Find, KeyOf, SecretFile
from components.login import ADMINS, USERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from components.fleet import Site

AUTHORIZATION = Find("authentik_flows.flow", "slug", "default-provider-authorization-implicit-consent")
"""Does not ask a person each time whether an app of the platform may know who they are."""
INVALIDATION = Find("authentik_flows.flow", "slug", "default-provider-invalidation-flow")
VERIFIED_EMAIL = "email-verified"
"""The id of the mapping of the scope `email`."""
_SHIPPED = (
    "Default - Provider authorization flow (implicit consent)",
    "Default - Provider invalidation flow",
    "System - OAuth2 Provider - Scopes",
    "System - Proxy Provider - Scopes",
)
"""Authentik's own blueprints of what this one refers to (`blueprints/default`, `blueprints/system`)."""
_EMAIL_VERIFIED = """\
# Accounts are made by an administrator, so an address is as true as the account. Authentik's own
# mapping says False since 2025.10, and some apps turn such a person away.
return {
    "email": request.user.email,
    "email_verified": True,
}
"""
_ADMINISTRATOR = "akadmin"
_ADMINISTRATORS = "authentik Admins"
"""The group of Authentik's own administrators, which is not that of the platform's."""


def flows() -> Iterator[Entry]:
    """Has Authentik apply first what it ships and the rest refers to; on a first start it may not be there yet."""
    for name in _SHIPPED:
        yield Entry(
            model="authentik_blueprints.metaapplyblueprint", attrs={"identifiers": {"name": name}, "required": True}
        )


def groups(sites: Iterable[Site]) -> Iterator[Entry]:
    """Every group that may enter somewhere; who is in one is left alone."""
    named = {group for site in sites for group in site.groups}
    for name in (USERS, ADMINS, *sorted(named - {USERS, ADMINS})):
        yield Entry(model="authentik_core.group", id=group_id(name), identifiers={"name": name}, state=State.CREATED)


def group_id(name: str) -> str:
    """The id of a group's entry."""
    return f"group-{name}"


def verified_email() -> Iterator[Entry]:
    """The mapping of the scope `email` that calls an address verified."""
    yield Entry(
        model="authentik_providers_oauth2.scopemapping",
        id=VERIFIED_EMAIL,
        identifiers={"name": "KiteStacks: email, verified"},
        attrs={"scope_name": "email", "description": "Email address", "expression": _EMAIL_VERIFIED},
    )


def outpost(proxied: Iterable[Site], address: str) -> Iterator[Entry]:
    """The embedded outpost with all proxy providers: what is written replaces its whole list.

    Without `authentik_host` it would send browsers to localhost. Keys of `config` that are left out have the outpost's
    own defaults (`authentik/outposts/models.py`, `OutpostConfig`).
    """
    yield Entry(
        model="authentik_outposts.outpost",
        identifiers={"managed": "goauthentik.io/outposts/embedded"},
        attrs={
            "name": "authentik Embedded Outpost",
            "type": "proxy",
            "providers": [KeyOf(f"provider-{site.service}") for site in proxied],
            "config": {"authentik_host": f"{address}/", "authentik_host_browser": f"{address}/"},
        },
    )


def administrator(domain: str) -> Iterator[Entry]:
    """akadmin: with a password of their own nobody meets the page for a first visitor (`flow-oobe.yaml`).

    Args:
        domain: Where their address lies; apps ask for one.
    """
    user: dict[str, Any] = {
        "name": "Administrator",
        "email": f"{_ADMINISTRATOR}@{domain}",
        "password": SecretFile("admin-password"),
        "groups": [KeyOf("administrators"), Find("authentik_core.group", "name", ADMINS)],
    }
    yield Entry(
        model="authentik_core.group",
        id="administrators",
        identifiers={"name": _ADMINISTRATORS},
        attrs={"is_superuser": True},
        state=State.CREATED,
    )
    yield Entry(model="authentik_core.user", id=_ADMINISTRATOR, identifiers={"username": _ADMINISTRATOR}, attrs=user)
    yield Entry(
        model="authentik_core.token",
        identifiers={"identifier": "kitestacks-api"},
        attrs={
            "user": KeyOf(_ADMINISTRATOR),
            "intent": "api",
            "expiring": False,
            "description": "For programs of the owner",
            "key": SecretFile("api-token"),
        },
    )
