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
    from components.fleet import Fleet


def login(fleet: Fleet) -> str:
    """Groups, providers, applications, who may enter, and the outpost: for every site that has a login.

    Sites that no file declares any more are taken out of Authentik, and nothing else ever is.
    """
    sites = sorted((site for site in fleet.sites if site.login), key=lambda site: site.service)
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
    blueprint.add(groundwork.outpost(proxied, f"https://{fleet.login_host}"))
    blueprint.add(applications.gone(fleet.undeclared_logins))
    return blueprint.text()


def first_admin(fleet: Fleet) -> str:
    """Authentik's first administrator with password and API token, which shuts the page for a first visitor."""
    blueprint = Blueprint(name="KiteStacks first administrator")
    blueprint.add(groundwork.administrator(fleet.domain))
    return blueprint.text()
