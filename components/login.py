"""Login: how a site's visitors are let in. Authentik is the doorman who checks you once; sites say how they ask it."""

from __future__ import annotations

from dataclasses import dataclass

LOGIN_SERVICE = "authentik"
"""The service that is the login of all others."""
USERS = "kitestacks-users"
"""The group that may enter what is made for everybody."""
ADMINS = "kitestacks-admins"
"""The group that runs the platform: it may enter everywhere, and is the administrator inside the apps."""
LOGIN_ORIGIN = "http://authentik-server:9000"
"""Where Authentik answers on a host's edge network; behind it, what it stands in front of."""
CLIENT_ID = "client-id"
CLIENT_SECRET = "client-secret"  # noqa: S105 - a name


@dataclass(frozen=True, kw_only=True)
class OidcClient:
    """A site that speaks OpenID Connect itself.

    Attributes:
        redirect_paths: Where Authentik may send a person back to, below the site's address.
        logout_paths: Where it may send one after logging out.
        scopes: What the app asks for.
        subject: What `sub` holds (Authentik's `sub_mode`).
        groups: Who may enter; admins always may.
    """

    redirect_paths: tuple[str, ...]
    logout_paths: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    subject: str = "hashed_user_id"
    groups: tuple[str, ...] = (USERS,)


@dataclass(frozen=True, kw_only=True)
class ProxyLogin:
    """A site without a login of its own: Authentik stands in front and fetches its pages.

    Attributes:
        open_paths: Regular expressions of paths that skip the login, matched by Authentik without look-around.
        groups: Who may enter; admins always may.
    """

    open_paths: tuple[str, ...] = ()
    groups: tuple[str, ...] = (USERS,)


Login = OidcClient | ProxyLogin


@dataclass(frozen=True, kw_only=True)
class OidcEndpoints:
    """Authentik's addresses for one client (`goauthentik/authentik:authentik/providers/oauth2/urls.py`).

    Attributes:
        host: Authentik's public hostname.
        slug: The application's slug, which is the service's name.
    """

    host: str
    slug: str

    @property
    def issuer(self) -> str:
        """With the slash at the end: apps compare it character by character."""
        return f"https://{self.host}/application/o/{self.slug}/"

    @property
    def discovery(self) -> str:
        """The document that names all others."""
        return f"{self.issuer}.well-known/openid-configuration"

    @property
    def authorize(self) -> str:
        """Where a browser is sent."""
        return f"https://{self.host}/application/o/authorize/"

    @property
    def token(self) -> str:
        """Where the app changes a code for tokens."""
        return f"https://{self.host}/application/o/token/"

    @property
    def userinfo(self) -> str:
        """Where the app asks who it is."""
        return f"https://{self.host}/application/o/userinfo/"

    @property
    def end_session(self) -> str:
        """Where a browser logs out."""
        return f"{self.issuer}end-session/"
