"""Applications: a site's provider, its tile inside Authentik, and who may enter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from components.blueprint.entries import Entry, State
from components.blueprint.groundwork import AUTHORIZATION, INVALIDATION, VERIFIED_EMAIL, group_id
from components.blueprint.tags import Find, KeyOf, SecretFile
from components.login import ADMINS, CLIENT_ID, CLIENT_SECRET, OidcClient, ProxyLogin
from components.model import MOST_GROUPS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from components.fleet import Site
    from components.login import Login

_PUBLISHER = "KiteStacks"
"""Marks our applications: only one that carries it is ever deleted."""
_MODELS: dict[type[Login], str] = {
    OidcClient: "authentik_providers_oauth2.oauth2provider",
    ProxyLogin: "authentik_providers_proxy.proxyprovider",
}
_SIGNING_KEY = Find("authentik_crypto.certificatekeypair", "name", "authentik Self-signed Certificate")
"""Without a key tokens are signed by the client's secret, which BookStack and Kavita turn away."""


def oidc_provider(site: Site, login: OidcClient) -> Iterator[Entry]:
    """The provider of a site that speaks OpenID Connect.

    What a person may leave out in Authentik's pages is empty when a blueprint leaves it out: grant types, mappings and
    the signing key are said (`goauthentik/authentik` pull request 20363).
    """
    yield Entry(
        model=_MODELS[OidcClient],
        id=_provider_id(site.service),
        identifiers={"name": _provider_name(site.service)},
        attrs={
            "authorization_flow": AUTHORIZATION,
            "invalidation_flow": INVALIDATION,
            "client_type": "confidential",
            "client_id": SecretFile(f"{site.service}.{CLIENT_ID}"),
            "client_secret": SecretFile(f"{site.service}.{CLIENT_SECRET}"),
            "grant_types": ["authorization_code", "refresh_token"],
            "redirect_uris": [
                *(_redirect(site, path, "authorization") for path in login.redirect_paths),
                *(_redirect(site, path, "logout") for path in login.logout_paths),
            ],
            "property_mappings": [_scope(scope) for scope in login.scopes],
            "signing_key": _SIGNING_KEY,
            "sub_mode": login.subject,
            "issuer_mode": "per_provider",
            "include_claims_in_id_token": True,
        },
    )


def proxy_provider(site: Site, login: ProxyLogin) -> Iterator[Entry]:
    """The provider of a site that Authentik stands in front of, and whose pages it fetches itself."""
    yield Entry(
        model=_MODELS[ProxyLogin],
        id=_provider_id(site.service),
        identifiers={"name": _provider_name(site.service)},
        attrs={
            "authorization_flow": AUTHORIZATION,
            "invalidation_flow": INVALIDATION,
            "mode": "proxy",
            "external_host": f"https://{site.hostname}",
            "internal_host": site.origin,
            "skip_path_regex": "\n".join(_open_paths(site, login)),
        },
    )


def application(site: Site) -> Iterator[Entry]:
    """The application, and a binding for each group that may enter: without one everybody might."""
    application_id = f"application-{site.service}"
    yield Entry(
        model="authentik_core.application",
        id=application_id,
        identifiers={"slug": site.service},
        attrs={
            "name": site.tile.title,
            "provider": KeyOf(_provider_id(site.service)),
            "group": site.tile.group,
            "meta_launch_url": f"https://{site.hostname}",
            "meta_description": site.tile.description,
            "meta_publisher": _PUBLISHER,
            "policy_engine_mode": "any",
        },
    )
    groups = (ADMINS, *(group for group in site.groups if group != ADMINS))
    for order in range(MOST_GROUPS + 1):
        place: dict[str, Any] = {"target": KeyOf(application_id), "order": order}
        if order < len(groups):
            yield Entry(
                model="authentik_policies.policybinding",
                identifiers=place,
                attrs={"group": KeyOf(group_id(groups[order])), "enabled": True},
            )
        else:
            # A group that was taken out of a stack file must not stay in.
            yield Entry(model="authentik_policies.policybinding", identifiers=place, state=State.ABSENT)


def gone(logins: Mapping[str, Login]) -> Iterator[Entry]:
    """Takes out what no file declares any more, by service."""
    for service, login in sorted(logins.items()):
        yield Entry(
            model="authentik_core.application",
            identifiers={"slug": service, "meta_publisher": _PUBLISHER},
            state=State.ABSENT,
        )
        yield Entry(model=_MODELS[type(login)], identifiers={"name": _provider_name(service)}, state=State.ABSENT)


def _provider_id(service: str) -> str:
    return f"provider-{service}"


def _provider_name(service: str) -> str:
    return f"KiteStacks {service}"


def _redirect(site: Site, path: str, kind: str) -> dict[str, str]:
    return {"matching_mode": "strict", "url": f"https://{site.hostname}{path}", "redirect_uri_type": kind}


def _scope(scope: str) -> KeyOf | Find:
    """The mapping of a scope; the profile carries name and groups already."""
    if scope == "email":
        return KeyOf(VERIFIED_EMAIL)
    managed = f"goauthentik.io/providers/oauth2/scope-{scope}"
    return Find("authentik_providers_oauth2.scopemapping", "managed", managed)


def _open_paths(site: Site, login: ProxyLogin) -> Iterator[str]:
    """What needs no login: what the app says, and the page that a monitor asks, unless it is the front page itself."""
    yield from login.open_paths
    if site.health_path != "/":
        health = f"^{re.escape(site.health_path)}$"
        if health not in login.open_paths:
            yield health
