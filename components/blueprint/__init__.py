"""Blueprint: what Authentik is told, rendered from what the stack files declare. Plain text in, plain text out.

One file for the login of all sites, one for the first administrator. Neither holds a secret: each names the file in the
worker that does. They depend on the whole fleet and on nothing of one host, so every host renders the same ones.

Source of models, tags and states: `goauthentik/authentik:website/docs/customize/blueprints/v1/`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.blueprint import applications, groundwork
from components.blueprint.entries import Blueprint
from components.login import OidcClient, ProxyLogin

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from components.fleet import Site
    from components.login import Login


def login(declared: Iterable[Site], *, address: str, gone: Mapping[str, Login]) -> str:
    """Groups, providers, applications, who may enter, and the outpost: for every site that has a login.

    Args:
        declared: The sites of the fleet.
        address: Authentik's own, as browsers know it.
        gone: What no file declares any more, by service; it is taken out, and nothing else ever is.
    """
    sites = sorted((site for site in declared if site.login), key=lambda site: site.service)
    blueprint = Blueprint(name="KiteStacks login")
    blueprint.add(groundwork.flows())
    blueprint.add(groundwork.groups(sites))
    blueprint.add(groundwork.verified_email())
    for site in sites:
        if isinstance(site.login, OidcClient):
            blueprint.add(applications.oidc_provider(site, site.login))
        elif isinstance(site.login, ProxyLogin):
            blueprint.add(applications.proxy_provider(site, site.login))
        blueprint.add(applications.application(site))
    proxied = [site for site in sites if isinstance(site.login, ProxyLogin)]
    blueprint.add(groundwork.outpost(proxied, address))
    blueprint.add(applications.gone(gone))
    return blueprint.text()


def first_admin(domain: str) -> str:
    """Authentik's first administrator with password and API token, which shuts the page for a first visitor."""
    blueprint = Blueprint(name="KiteStacks first administrator")
    blueprint.add(groundwork.administrator(domain))
    return blueprint.text()
