"""The blueprint: complete providers, no reference that leads nowhere, no secret, and exactly what is declared."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from authentik_client.models.application_request import ApplicationRequest
from authentik_client.models.group_request import GroupRequest
from authentik_client.models.o_auth2_provider_request import OAuth2ProviderRequest
from authentik_client.models.outpost_request import OutpostRequest
from authentik_client.models.policy_binding_request import PolicyBindingRequest
from authentik_client.models.proxy_provider_request import ProxyProviderRequest
from authentik_client.models.scope_mapping_request import ScopeMappingRequest
from authentik_client.models.token_request import TokenRequest
from authentik_client.models.user_request import UserRequest

from components.blueprint import first_admin, login
from components.fleet import Site
from components.login import ADMINS, USERS, Login, OidcClient, ProxyLogin
from components.model import MOST_GROUPS, StateClass
from components.service import Tile
from tests.blueprint_reader import Reader, Tag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

OIDC = "authentik_providers_oauth2.oauth2provider"
PROXY = "authentik_providers_proxy.proxyprovider"
APPLICATION = "authentik_core.application"
BINDING = "authentik_policies.policybinding"
REQUESTS: dict[str, type[BaseModel]] = {
    "authentik_core.group": GroupRequest,
    "authentik_core.user": UserRequest,
    "authentik_core.token": TokenRequest,
    APPLICATION: ApplicationRequest,
    OIDC: OAuth2ProviderRequest,
    PROXY: ProxyProviderRequest,
    "authentik_providers_oauth2.scopemapping": ScopeMappingRequest,
    "authentik_outposts.outpost": OutpostRequest,
    BINDING: PolicyBindingRequest,
}
BLUEPRINT_ONLY = {"authentik_core.user": {"password"}, "authentik_core.token": {"key"}}
"""What the API takes by another call, and a blueprint takes here (`website/docs/customize/blueprints/v1/models.md`)."""


def site(service: str, login: Login | None, **other: Any) -> Site:  # noqa: ANN401 - any field of a site
    given: dict[str, Any] = {
        "hostname": f"{service}.example.org",
        "service": service,
        "hosts": ("monk",),
        "state": StateClass.MULTI_WRITER,
        "primary": None,
        "shared": False,
        "public": login is None,
        "origin": f"http://{service}:80",
        "health_path": "/",
        "login": login,
        "groups": login.groups if login else (),
        "tile": Tile(title=service.title(), description=f"All of {service}", group="Work"),
    }
    return Site(**{**given, **other})


BOOKS = site(
    "books",
    OidcClient(
        redirect_paths=("/signin-oidc",),
        logout_paths=("/signout-callback-oidc",),
        scopes=("openid", "email", "profile", "offline_access"),
        subject="user_username",
    ),
)
WIKI = site("wiki", OidcClient(redirect_paths=("/oidc/callback", "/")), hosts=("kscloud1", "monk"), shared=True)
STATUS = site(
    "status",
    ProxyLogin(open_paths=("^/api/push/.*", "^/status/.*"), groups=(ADMINS,)),
    health_path="/-/healthy",
    origin="http://status-front:3001",
)
HOME = site("home", None)
SITES = (WIKI, HOME, STATUS, BOOKS)


def rendered(*sites: Site, gone: Mapping[str, Login] | None = None) -> Reader:
    return Reader.of(login(sites, address="https://auth.example.org", gone=gone or {}))


def named(reader: Reader, model: str, **identifiers: object) -> dict[str, Any]:
    (found,) = [entry for entry in reader.of_model(model) if entry["identifiers"].items() >= identifiers.items()]
    return found


@pytest.mark.parametrize(
    "reader",
    [rendered(*SITES), Reader.of(first_admin("example.org"))],
    ids=["login", "first administrator"],
)
def test_every_entry_is_a_request_that_the_pinned_authentik_takes(reader: Reader) -> None:
    checked = [entry for entry in reader.entries if entry["state"] != "absent" and entry["model"] in REQUESTS]
    assert {entry["model"] for entry in reader.entries} - set(REQUESTS) <= {"authentik_blueprints.metaapplyblueprint"}
    for entry in checked:
        model = REQUESTS[entry["model"]]
        request = reader.request({"attrs": {}, **entry})
        unknown = set(request) - set(model.model_fields) - BLUEPRINT_ONLY.get(entry["model"], set())
        assert not unknown, f"{entry['model']} has no {unknown}"
        model.model_validate(request)


@pytest.mark.parametrize(
    ("reader", "elsewhere"),
    [(rendered(*SITES), frozenset()), (Reader.of(first_admin("example.org")), frozenset({ADMINS}))],
    ids=["login", "first administrator"],
)
def test_no_reference_leads_nowhere(reader: Reader, elsewhere: frozenset[str]) -> None:
    assert reader.tags("KeyOf")
    assert reader.dangling(elsewhere) == []


def test_resolver_finds_a_reference_that_leads_nowhere() -> None:
    text = "{version: 1, entries: [{model: a.b, state: present, attrs: {x: !KeyOf gone, y: !Find [a.b, [name, z]]}}]}"

    assert Reader.of(text).dangling() == ["!KeyOf gone", "!Find ['a.b', ['name', 'z']]"]


def test_oidc_provider_says_all_that_a_blueprint_leaves_empty() -> None:
    reader = rendered(*SITES)
    attrs = named(reader, OIDC, name="KiteStacks books")["attrs"]

    assert attrs["grant_types"] == ["authorization_code", "refresh_token"]
    assert attrs["redirect_uris"] == [
        {
            "matching_mode": "strict",
            "url": "https://books.example.org/signin-oidc",
            "redirect_uri_type": "authorization",
        },
        {
            "matching_mode": "strict",
            "url": "https://books.example.org/signout-callback-oidc",
            "redirect_uri_type": "logout",
        },
    ]
    assert attrs["signing_key"] == Tag(
        "Find", ["authentik_crypto.certificatekeypair", ["name", "authentik Self-signed Certificate"]]
    )
    assert attrs["client_type"] == "confidential"
    assert attrs["sub_mode"] == "user_username"
    assert attrs["client_id"] == Tag("File", "/run/secrets/books.client-id")
    assert attrs["client_secret"] == Tag("File", "/run/secrets/books.client-secret")
    flows = [attrs[key].value[1][1] for key in ("authorization_flow", "invalidation_flow")]
    assert flows == ["default-provider-authorization-implicit-consent", "default-provider-invalidation-flow"]


def test_scopes_are_mapped_and_an_address_counts_as_verified() -> None:
    reader = rendered(*SITES)
    mappings = named(reader, OIDC, name="KiteStacks books")["attrs"]["property_mappings"]
    (email,) = reader.of_model("authentik_providers_oauth2.scopemapping")

    assert len(mappings) == len(BOOKS.login.scopes) if isinstance(BOOKS.login, OidcClient) else False
    assert mappings[1] == Tag("KeyOf", email["id"])
    assert "managed" not in email["identifiers"], "Authentik would put its own text back"
    assert email["attrs"]["scope_name"] == "email"
    claims = _evaluated(email["attrs"]["expression"], "kite@example.org")
    assert claims == {"email": "kite@example.org", "email_verified": True}


def _evaluated(expression: str, email: str) -> Any:  # noqa: ANN401 - whatever the mapping returns
    """A mapping's expression, run as Authentik does: the body of a function with `request` in sight."""
    body = "def mapping(request):\n" + "\n".join(f"    {line}" for line in expression.splitlines())
    space: dict[str, Any] = {}
    exec(body, space)  # noqa: S102 - the program's own text
    request = type("Request", (), {"user": type("User", (), {"email": email})})
    return space["mapping"](request)


def test_proxy_provider_stands_in_front_and_skips_only_what_is_said() -> None:
    attrs = named(rendered(*SITES), PROXY, name="KiteStacks status")["attrs"]

    assert attrs["mode"] == "proxy"
    assert attrs["external_host"] == "https://status.example.org"
    assert attrs["internal_host"] == "http://status-front:3001"
    patterns = [re.compile(line) for line in attrs["skip_path_regex"].splitlines()]
    assert _open(patterns, "/-/healthy", "/status/all", "/api/push/x")
    assert not any(_open(patterns, path) for path in ("/", "/-/healthy/more", "/metrics", "/x/-/healthy"))


def test_a_front_page_is_never_left_open_for_a_monitor() -> None:
    attrs = named(rendered(site("tool", ProxyLogin())), PROXY, name="KiteStacks tool")["attrs"]

    assert attrs["skip_path_regex"] == ""


def _open(patterns: list[re.Pattern[str]], *paths: str) -> bool:
    return all(any(pattern.search(path) for pattern in patterns) for path in paths)


def test_outpost_has_every_proxy_provider_and_its_public_address() -> None:
    reader = rendered(*SITES, site("tool", ProxyLogin()))
    (outpost,) = reader.of_model("authentik_outposts.outpost")

    assert outpost["identifiers"] == {"managed": "goauthentik.io/outposts/embedded"}
    assert outpost["attrs"]["providers"] == [Tag("KeyOf", "provider-status"), Tag("KeyOf", "provider-tool")]
    assert outpost["attrs"]["config"]["authentik_host"] == "https://auth.example.org/"


def test_outpost_loses_the_last_proxy_provider_too() -> None:
    (outpost,) = rendered(WIKI).of_model("authentik_outposts.outpost")

    assert outpost["attrs"]["providers"] == []


def test_application_shows_what_the_tile_says() -> None:
    entry = named(rendered(*SITES), APPLICATION, slug="wiki")

    assert entry["attrs"] == {
        "name": "Wiki",
        "provider": Tag("KeyOf", "provider-wiki"),
        "group": "Work",
        "meta_launch_url": "https://wiki.example.org",
        "meta_description": "All of wiki",
        "meta_publisher": "KiteStacks",
        "policy_engine_mode": "any",
    }


@pytest.mark.parametrize(
    ("groups", "who"),
    [
        ((USERS,), [ADMINS, USERS]),
        ((ADMINS,), [ADMINS]),
        ((), [ADMINS]),
        (("family", "club"), [ADMINS, "family", "club"]),
    ],
)
def test_only_groups_that_are_named_may_enter_and_admins_always(groups: tuple[str, ...], who: list[str]) -> None:
    reader = rendered(site("wiki", OidcClient(redirect_paths=("/",)), groups=groups))

    bound = [(each["identifiers"]["order"], each["attrs"]["group"]) for each in reader.of_model(BINDING)]
    assert bound == [(order, Tag("KeyOf", f"group-{name}")) for order, name in enumerate(who)]
    cleared = [each["identifiers"]["order"] for each in reader.of_model(BINDING, "absent")]
    assert cleared == list(range(len(who), MOST_GROUPS + 1)), "a group that was taken out would stay in"
    assert {each["identifiers"]["name"] for each in reader.of_model("authentik_core.group")} == {USERS, ADMINS, *groups}


def test_every_application_has_a_binding() -> None:
    reader = rendered(*SITES)
    applications = {entry["id"] for entry in reader.of_model(APPLICATION)}

    assert applications == {"application-books", "application-status", "application-wiki"}
    assert {entry["identifiers"]["target"].value for entry in reader.of_model(BINDING)} == applications


def test_members_of_a_group_are_left_alone() -> None:
    for group in rendered(*SITES).of_model("authentik_core.group"):
        assert group["state"] == "created"
        assert "users" not in group.get("attrs", {})


def test_adding_a_site_adds_its_entries_and_changes_no_other_but_the_outpost() -> None:
    before, after = rendered(WIKI, STATUS), rendered(WIKI, STATUS, BOOKS, site("tool", ProxyLogin()))

    added = [entry for entry in after.entries if entry not in before.entries]
    lost = [entry for entry in before.entries if entry not in after.entries]
    assert [entry["model"] for entry in lost] == ["authentik_outposts.outpost"]
    assert {_of(entry) for entry in added} == {"books", "tool", "outpost"}


def test_a_site_that_is_declared_no_more_is_taken_out_with_its_provider() -> None:
    reader = rendered(WIKI, gone={"books": OidcClient(redirect_paths=("/",)), "status": ProxyLogin()})

    absent = [(each["model"], each["identifiers"]) for each in reader.entries if each["state"] == "absent"]
    assert [each for each in absent if each[0] != BINDING] == [
        (APPLICATION, {"slug": "books", "meta_publisher": "KiteStacks"}),
        (OIDC, {"name": "KiteStacks books"}),
        (APPLICATION, {"slug": "status", "meta_publisher": "KiteStacks"}),
        (PROXY, {"name": "KiteStacks status"}),
    ]
    assert not [each for each in reader.of_model(APPLICATION) if each["identifiers"]["slug"] != "wiki"]


def test_what_authentik_ships_is_applied_first_and_must_be_there() -> None:
    reader = rendered(*SITES)
    first = [entry["model"] for entry in reader.entries].index("authentik_core.group")

    for entry in reader.entries[:first]:
        assert entry["model"] == "authentik_blueprints.metaapplyblueprint"
        assert entry["attrs"]["required"] is True
    assert "Default - Provider invalidation flow" in [
        entry["attrs"]["identifiers"]["name"] for entry in reader.entries[:first]
    ]


def test_order_of_declaration_changes_nothing() -> None:
    texts = {login(sites, address="https://auth.example.org", gone={}) for sites in (SITES, SITES[::-1])}

    assert len(texts) == 1


def test_only_steps_apply_it() -> None:
    for text in (login(SITES, address="https://auth.example.org", gone={}), first_admin("example.org")):
        head = text.partition("entries:")[0]
        labels = yaml.safe_load(head)["metadata"]["labels"]
        assert labels["blueprints.goauthentik.io/instantiate"] == "false"


def test_first_administrator_has_password_and_token_from_files() -> None:
    reader = Reader.of(first_admin("example.org"))
    (user,) = reader.of_model("authentik_core.user")
    (token,) = reader.of_model("authentik_core.token")
    (group,) = reader.of_model("authentik_core.group")

    assert user["identifiers"] == {"username": "akadmin"}
    assert user["state"] == "present", "Authentik's own blueprint makes the account before, without a password"
    assert user["attrs"]["password"] == Tag("File", "/run/secrets/admin-password")
    assert (group["identifiers"]["name"], group["attrs"]["is_superuser"]) == ("authentik Admins", True)
    assert token["attrs"]["key"] == Tag("File", "/run/secrets/api-token")
    assert (token["attrs"]["intent"], token["attrs"]["expiring"]) == ("api", False)


def _of(entry: dict[str, Any]) -> str:
    """The service that an entry is about."""
    if entry["model"].startswith("authentik_outposts."):
        return "outpost"
    words = [str(value.value if isinstance(value, Tag) else value) for value in entry["identifiers"].values()]
    return re.split(r"[- ]", words[0])[-1]
