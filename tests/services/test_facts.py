"""One table of what breaks a naive deployment, and that the stacks heed it: service by service, fact by fact.

The facts stand in each image's own documentation; services have finer tests of their own beside this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from components.services import KNOWN_SERVICES
from tests.services.plans import STACKS, containers_of, environment, files, plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.recorder import Recorded


@dataclass(frozen=True)
class Demand:
    """One fact about a container.

    Attributes:
        container: Its name, on every host that has it.
        fact: What would break otherwise.
        holds: Whether the container is as it has to be.
    """

    container: str
    fact: str
    holds: Callable[[Recorded], bool]


def env(container: str, fact: str, **values: str) -> Demand:
    return Demand(container, fact, lambda known: values.items() <= environment(known).items())


def health(container: str, fact: str, *words: str) -> Demand:
    return Demand(
        container, fact, lambda known: all(word in " ".join(known.inputs["healthcheck"]["tests"]) for word in words)
    )


def mount(container: str, fact: str, target: str) -> Demand:
    return Demand(container, fact, lambda known: target in {each["target"] for each in known.inputs.get("mounts", [])})


def command(container: str, fact: str, *words: str) -> Demand:
    return Demand(container, fact, lambda known: set(words) <= set(known.inputs.get("command") or []))


def private(container: str, fact: str, *paths: str) -> Demand:
    def holds(known: Recorded) -> bool:
        closed = {each["file"] for each in known.inputs["uploads"] if each["permissions"] == "0440"}
        return set(paths) <= closed

    return Demand(container, fact, holds)


def secret_environment(container: str, fact: str, *names: str) -> Demand:
    def holds(known: Recorded) -> bool:
        text = files(known)["/run/secrets/environment"]
        return all(f"export {name}='" in text for name in names) and not set(names) & set(environment(known))

    return Demand(container, fact, holds)


def lacks(container: str, fact: str, *words: str) -> Demand:
    def holds(known: Recorded) -> bool:
        said = " ".join([*(known.inputs.get("command") or []), *known.inputs["envs"]])
        return not any(word in said for word in words)

    return Demand(container, fact, holds)


AUTH = "https://auth.kitestacks.com/application/o"
DEMANDS = [
    command("authentik-server", "there is no default command", "server"),
    command("authentik-worker", "there is no default command", "worker"),
    health("authentik-server", "the image has no curl and perhaps no shell", "ak healthcheck"),
    health("authentik-worker", "the image has no curl and perhaps no shell", "ak healthcheck"),
    mount("authentik-server", "/media is /data since 2025.12", "/data"),
    env("authentik-server", "IPv6 wildcard by default", AUTHENTIK_LISTEN__HTTP="0.0.0.0:9000"),
    env(
        "authentik-server",
        "the address is required from 2026.11",
        AUTHENTIK_WEB__BASE_URL="https://auth.kitestacks.com",
    ),
    env("authentik-server", "values by file", AUTHENTIK_SECRET_KEY="file:///run/secrets/secret-key"),
    lacks("authentik-server", "Redis is gone since 2025.10", "AUTHENTIK_REDIS"),
    private("authentik-server", "secrets are files", "/run/secrets/secret-key", "/run/secrets/database-password"),
    Demand(
        "authentik-worker",
        "blueprints lie below custom, as .yaml",
        lambda known: any(path.startswith("/blueprints/custom/") and path.endswith(".yaml") for path in files(known)),
    ),
    Demand(
        "authentik-worker",
        "nothing may lie over the shipped blueprints",
        lambda known: "/blueprints" not in {each["target"] for each in known.inputs.get("mounts", [])},
    ),
    Demand("authentik-server", "Docker's 64 MB of /dev/shm are too few", lambda known: known.inputs["shmSize"] == 512),
    Demand(
        "authentik-worker",
        "no Docker socket without need",
        lambda known: not any("docker.sock" in each["source"] for each in known.inputs.get("mounts", [])),
    ),
    mount("authentik-db", "PostgreSQL 18 keeps its data below the version", "/var/lib/postgresql"),
    mount("litellm-db", "PostgreSQL 18 keeps its data below the version", "/var/lib/postgresql"),
    health("authentik-db", "asked by its own script", "health.sh"),
    Demand(
        "authentik-db",
        "asked for the right database",
        lambda known: any(
            'pg_isready -q -h 127.0.0.1 -U "$POSTGRES_USER" -d "$POSTGRES_DB"' in each["content"]
            for each in known.inputs["uploads"]
        ),
    ),
    command("authentik-db", "Authentik wants many connections", "max_connections=500"),
    env("authentik-db", "passwords by file", POSTGRES_PASSWORD_FILE="/run/secrets/password"),
    private("redis", "a password, in a file", "/run/secrets/redis.conf"),
    health("redis", "asked by its own client", "redis-cli", "ping"),
    mount("redis", "its data", "/data"),
    env("cloudflared", "the token by file", TUNNEL_TOKEN_FILE="/etc/cloudflared/token"),
    env("cloudflared", "a fixed port for figures and health", TUNNEL_METRICS="0.0.0.0:2000"),
    health("cloudflared", "refuses to run unless told the address", "tunnel", "--metrics", "ready"),
    health("cloudflared-shared", "refuses to run unless told the address", "tunnel", "--metrics", "ready"),
    command("portainer", "the first admin within five minutes", "--admin-password-file=/run/secrets/admin-password"),
    command("portainer", "bare host names, or writes are refused", "--trusted-origins=portainer.kitestacks.com"),
    command("portainer", "newer versions need it", "--http-enabled"),
    health("portainer", "the variant that has wget", "wget", "/api/system/status"),
    mount("portainer", "its database", "/data"),
    env(
        "forgejo",
        "the public address, or the login's redirect breaks",
        FORGEJO__server__ROOT_URL="https://git.kitestacks.com/",
    ),
    env("forgejo", "no open set-up page", FORGEJO__security__INSTALL_LOCK="true"),
    env("forgejo", "accounts by the login alone", FORGEJO__service__ALLOW_ONLY_EXTERNAL_REGISTRATION="true"),
    private(
        "forgejo", "keys by file", "/run/secrets/secret-key", "/run/secrets/internal-token", "/run/secrets/jwt-secret"
    ),
    mount("forgejo", "the rootless image's data", "/var/lib/gitea"),
    health("forgejo", "public health path", "/api/healthz"),
    env("uptime-kuma", "skips the question for a database", UPTIME_KUMA_DB_TYPE="sqlite"),
    Demand("uptime-kuma", "`latest` still means version 1", lambda known: ":2." in known.inputs["image"]),
    mount("uptime-kuma", "its data", "/app/data"),
    command(
        "prometheus",
        "own arguments replace the image's",
        "--config.file=/etc/prometheus/prometheus.yml",
        "--storage.tsdb.path=/prometheus",
        "--web.external-url=https://prometheus.kitestacks.com",
    ),
    lacks(
        "prometheus", "the lifecycle opens /-/quit, and the flags of retention are deprecated", "lifecycle", "retention"
    ),
    Demand(
        "prometheus",
        "retention stands in the file",
        lambda known: "retention" in files(known)["/etc/prometheus/prometheus.yml"],
    ),
    health("prometheus", "its own path", "/-/healthy"),
    Demand(
        "node-exporter",
        "never on a public address",
        lambda known: any(
            f"--web.listen-address={address}:9100" in known.inputs["command"]
            for address in ("100.64.0.1", "100.64.0.2")
        ),
    ),
    command("node-exporter", "the host's file system", "--path.rootfs=/host"),
    env(
        "grafana",
        "three addresses by hand",
        GF_AUTH_GENERIC_OAUTH_TOKEN_URL=f"{AUTH}/token/",
        GF_AUTH_GENERIC_OAUTH_API_URL=f"{AUTH}/userinfo/",
    ),
    env(
        "grafana",
        "secrets by file",
        GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET__FILE="/run/secrets/client-secret",
        GF_SECURITY_SECRET_KEY__FILE="/run/secrets/secret-key",
    ),
    env("grafana", "the public address", GF_SERVER_ROOT_URL="https://grafana.kitestacks.com/"),
    health("grafana", "its own path", "/api/health"),
    env("bookstack", "the issuer ends in a slash", OIDC_ISSUER=f"{AUTH}/bookstack/"),
    env("bookstack", "the public address, without one", APP_URL="https://wiki.kitestacks.com"),
    env(
        "bookstack",
        "keys by file",
        FILE__APP_KEY="/run/secrets/app-key",
        FILE__OIDC_CLIENT_SECRET="/run/secrets/oidc-client-secret",
    ),
    env("bookstack", "groups become roles", OIDC_USER_TO_GROUPS="true", OIDC_GROUPS_CLAIM="groups"),
    Demand(
        "bookstack",
        "the key has its form",
        lambda known: str(files(known)["/run/secrets/app-key"]).startswith(("base64:", "shared-")),
    ),
    health("bookstack", "its own path", "/status"),
    mount("bookstack", "its data", "/config"),
    Demand(
        "bookstack-db",
        "the image's own check, within ours",
        lambda known: "healthcheck.sh --connect --innodb_initialized" in files(known)["/etc/kitestacks/health.sh"],
    ),
    env("bookstack-sync", "the image opens its interface to the network", STGUIADDRESS="127.0.0.1:8384"),
    Demand(
        "bookstack-sync",
        "one address, no discovery, no relay",
        lambda known: all(
            line in files(known)["/etc/kitestacks/sync.xml"]
            for line in (
                "<listenAddress>tcp4://0.0.0.0:22000</listenAddress>",
                "<globalAnnounceEnabled>false<",
                "<localAnnounceEnabled>false<",
                "<relaysEnabled>false<",
                "<natEnabled>false<",
            )
        ),
    ),
    private("bookstack-sync", "who has the key is the host", "/run/secrets/sync-key.pem"),
    mount("bookstack-sync", "the image's volume", "/var/syncthing"),
    Demand(
        "bookstack-sync", "owners are not carried: the wiki's user", lambda known: known.inputs["user"] == "1000:1000"
    ),
    health("osticket-db", "the image's own check", "healthcheck.sh", "--connect", "--innodb_initialized"),
    env("osticket-db", "version steps", MARIADB_AUTO_UPGRADE="1"),
    secret_environment(
        "karakeep",
        "it reads secrets from its environment alone",
        "NEXTAUTH_SECRET",
        "MEILI_MASTER_KEY",
        "OAUTH_CLIENT_SECRET",
    ),
    env("karakeep", "the discovery document", OAUTH_WELLKNOWN_URL=f"{AUTH}/karakeep/.well-known/openid-configuration"),
    env("karakeep", "the first visitor becomes admin: by the login only", DISABLE_PASSWORD_AUTH="true"),
    Demand(
        "karakeep-meilisearch",
        "its data belongs to one version",
        lambda known: known.inputs["image"].endswith(":v1.41.0"),
    ),
    lacks("karakeep-chrome", "the image sets these itself", "--no-sandbox", "--remote-debugging"),
    Demand("karakeep-chrome", "an init process", lambda known: known.inputs.get("init") is True),
    Demand(
        "karakeep-chrome",
        "it reaches everything on its networks",
        lambda known: [each["name"] for each in known.inputs["networksAdvanced"]] == ["kitestacks-karakeep"],
    ),
    private("kavita", "its settings hold the client's secret", "/kavita/config/appsettings.json"),
    mount("kavita", "its data", "/kavita/config"),
    Demand(
        "osticket",
        "no image of its own: ours, pinned",
        lambda known: known.inputs["image"].startswith("kitestacks/osticket:1.18.4"),
    ),
    private("osticket", "the salt encrypts mailbox passwords", "/run/secrets/salt"),
    env("open-webui", "or the database wins after the first start", ENABLE_PERSISTENT_CONFIG="false"),
    env("open-webui", "websockets fail otherwise", CORS_ALLOW_ORIGIN="https://chat.kitestacks.com"),
    env("open-webui", "the public address before the login", WEBUI_URL="https://chat.kitestacks.com"),
    env("open-webui", "roles from groups", OAUTH_ROLES_CLAIM="groups", ENABLE_OAUTH_ROLE_MANAGEMENT="true"),
    secret_environment(
        "open-webui", "unset, everybody is logged out at each start", "WEBUI_SECRET_KEY", "OPENAI_API_KEY"
    ),
    secret_environment(
        "litellm", "the salt must never change", "LITELLM_MASTER_KEY", "LITELLM_SALT_KEY", "DATABASE_URL"
    ),
    health("litellm", "/health calls the real models, for money", "/health/liveliness"),
    env("litellm", "the default is not known", GENERIC_USER_ID_ATTRIBUTE="preferred_username"),
    env("litellm", "the public address", PROXY_BASE_URL="https://ai.kitestacks.com"),
    private("backup", "without it nothing can be read", "/run/secrets/repository-password"),
    env("backup-server", "what is saved can't be taken back from afar", OPTIONS="--append-only --private-repos"),
    private("backup-server", "an empty list of users lets nobody in", "/run/secrets/htpasswd"),
    health("portal", "a path without a login", "/healthz"),
    Demand(
        "site-proxy",
        "no configuration by API",
        lambda known: (
            '"disabled": true' in str(files(known)["/etc/caddy/site-proxy.json"])
            or '"disabled":true' in str(files(known)["/etc/caddy/site-proxy.json"])
        ),
    ),
]


@pytest.mark.parametrize("demand", DEMANDS, ids=lambda demand: f"{demand.container}: {demand.fact}")
def test_fact_is_heeded(demand: Demand) -> None:
    found = [known for stack in STACKS for name, known in plan(stack).containers().items() if name == demand.container]

    assert found, f"{demand.container} stands nowhere"
    assert all(demand.holds(known) for known in found)


@pytest.mark.parametrize("service", KNOWN_SERVICES)
def test_every_service_has_its_facts_in_the_table(service: str) -> None:
    containers = {name for stack in STACKS for name in containers_of(service, stack)}

    assert containers & {demand.container for demand in DEMANDS}
