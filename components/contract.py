"""The site contract: what must hold between the stack files, checked before anything is registered.

Each check is a small function that yields problems; together they run over everything that is declared, so that a gap
stops the preview with the line to add.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pulumi

from components import backup_plan
from components.declared import declared_blocks
from components.edge import SHARED
from components.edge.rules import SHARING_RULES
from components.errors import Problem, ProgramError
from components.login import LOGIN_SERVICE, ProxyLogin
from components.secrets import GIVEN
from components.services.authentik_db.rules import DATABASE_RULES
from components.services.bookstack.rules import PICTURE_RULES
from components.settings import service_class
from components.tailnet.check import policy_problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from components.fleet import Fleet

CONNECTOR = "cloudflared"


def check(fleet: Fleet) -> None:
    """Raises ProgramError with every breach of the contract."""
    _refuse(fleet, (*RULES, _owner_secrets_are_set))


def check_files(fleet: Fleet) -> None:
    """The same for the stack files alone, without what only the engine can read. Raises ProgramError."""
    _refuse(fleet, RULES)


def _refuse(fleet: Fleet, rules: Sequence[Callable[[Fleet], Iterator[Problem]]]) -> None:
    problems = [problem for rule in rules for problem in rule(fleet)]
    if problems:
        raise ProgramError(f"Pulumi.{fleet.here}.yaml", problems)


def _one_foundation(fleet: Fleet) -> Iterator[Problem]:
    if not fleet.foundations:
        yield Problem(
            path="edge",
            rule="must stand in the file of exactly one host, the foundation, and stands in none",
            way_out="add `kitestacks:edge: {domain: kitestacks.com}` to the file of the host that is deployed first",
        )
    elif len(fleet.foundations) > 1:
        yield Problem(
            path="edge",
            rule=f"must stand in the file of exactly one host, got it in those of {' and '.join(fleet.foundations)}",
            way_out="two foundations would both own the tunnels and DNS: keep it in one file",
        )


def _tailnet_holds(fleet: Fleet) -> Iterator[Problem]:
    for host in sorted(fleet.stacks):
        if fleet.stacks[host].tailnet is not None and host not in fleet.foundations:
            yield Problem(
                path=f"{fleet.at(host)}tailnet",
                rule="must stand in the foundation's file: a tailnet has one policy, and one stack writes it",
                way_out="move it to the file that has the `edge` section",
            )
    if len(fleet.foundations) == 1:
        yield from policy_problems(fleet)


def _host_names_are_free(fleet: Fleet) -> Iterator[Problem]:
    if SHARED in fleet.stacks:
        yield Problem(
            path=f"Pulumi.{SHARED}.yaml",
            rule=f"must have another name: {SHARED!r} is the tunnel that all hosts serve",
            way_out="name the file and its stack after the machine",
        )


def _hostnames_in_zone(fleet: Fleet) -> Iterator[Problem]:
    if not fleet.foundations:
        return
    for _, _, path, settings in declared_blocks(fleet):
        if settings.site and not f".{settings.site.hostname}".endswith(f".{fleet.domain}"):
            yield Problem(
                path=f"{path}.site.hostname",
                rule=f"must lie in the zone {fleet.domain}, got {settings.site.hostname!r}",
                way_out=f"for example {settings.site.hostname.split('.')[0]}.{fleet.domain}",
            )


def _one_service_per_hostname(fleet: Fleet) -> Iterator[Problem]:
    claims: dict[str, list[tuple[str, str, str, bool]]] = defaultdict(list)
    for host, name, path, settings in declared_blocks(fleet):
        if settings.site:
            claims[settings.site.hostname].append((host, name, path, settings.site.shared))
    for hostname, claimed in claims.items():
        services = {name for _, name, _, _ in claimed}
        places = " and ".join(path for _, _, path, _ in claimed)
        if len(services) > 1:
            yield Problem(
                path=f"{claimed[0][2]}.site.hostname",
                rule=f"must belong to one service, got {hostname!r} in {places}",
                way_out="give each its own hostname",
            )
        elif len(claimed) > 1 and not all(shared for *_, shared in claimed):
            yield Problem(
                path=f"{claimed[0][2]}.site.shared",
                rule=f"must be true in every file that has {hostname!r}, got it in {places}",
                way_out="write `shared: true` in each, or take the site out of one",
            )
        elif len(claimed) == 1 and claimed[0][3]:
            yield Problem(
                path=f"{claimed[0][2]}.site.shared",
                rule=f"must be false: {hostname!r} stands on {claimed[0][0]} alone",
                way_out="add the service to another host's file as well, or leave `shared` out",
            )


def _sites_can_answer(fleet: Fleet) -> Iterator[Problem]:
    for host, name, path, settings in declared_blocks(fleet):
        if not settings.site:
            continue
        if service_class(name).port is None:
            yield Problem(path=f"{path}.site", rule=f"must be left out: {name} answers no visitors")
        if CONNECTOR not in fleet.stacks[host].service_settings:
            yield Problem(
                path=path.rpartition(".")[0],
                rule=f"must have {CONNECTOR}: without a connector on {host} nobody reaches {settings.site.hostname}",
                way_out=f"add `{CONNECTOR}: {{image: cloudflare/cloudflared:2026.8.2}}`",
            )


def _sites_have_a_login(fleet: Fleet) -> Iterator[Problem]:
    for host, name, path, settings in declared_blocks(fleet):
        service = service_class(name)
        if not settings.site or service.port is None or settings.site.public:
            continue
        if service.login is None:
            yield Problem(
                path=f"{path}.site.public",
                rule=f"must be true: {name} has no login of its own",
                way_out="write `public: true` if anybody may see it, or leave the site out",
            )
        elif not (fleet.site_of(LOGIN_SERVICE)):
            yield Problem(
                path=f"{path}.site",
                rule=f"must have a login: {name} logs in at {LOGIN_SERVICE}, which has no site in any file",
                way_out=f"add {LOGIN_SERVICE} with its site to a host's file, or write `public: true`",
            )
        elif isinstance(service.login, ProxyLogin) and not fleet.has(LOGIN_SERVICE, host):
            yield Problem(
                path=f"{path}.site",
                rule=f"must have {LOGIN_SERVICE} on {host}: it stands in front of {name}",
                way_out=f"add {LOGIN_SERVICE} to that host's file",
            )


def _one_hostname_per_login(fleet: Fleet) -> Iterator[Problem]:
    """A service is one client of Authentik, whose application leads to one address."""
    claims: dict[str, dict[str, str]] = defaultdict(dict)
    for _, name, path, settings in declared_blocks(fleet):
        if settings.site and service_class(name).login and not settings.site.public:
            claims[name].setdefault(settings.site.hostname, path)
    for name, hostnames in claims.items():
        if len(hostnames) > 1:
            yield Problem(
                path=f"{next(iter(hostnames.values()))}.site.hostname",
                rule=f"must be the same on every host: {name} has one login, got {' and '.join(hostnames)}",
                way_out="give it one hostname and write `shared: true` in each file",
            )


def _needed_services_are_there(fleet: Fleet) -> Iterator[Problem]:
    for _, name, path, _ in declared_blocks(fleet):
        for need in service_class(name).needs(fleet):
            if not fleet.hosts_of(need.service):
                yield Problem(
                    path=path,
                    rule=f"must have {need.service} on some host: {name} needs it ({need.reason})",
                    way_out=f"add {need.service} to a host's file, or take {name} out",
                )


def _rotations_name_secrets(fleet: Fleet) -> Iterator[Problem]:
    known = fleet.shared_secrets
    for _, name, path, settings in declared_blocks(fleet):
        of_service = {f"{name}.{key}": secret for key, secret in service_class(name).secrets.items()}
        of_service |= {key: secret for key, secret in known.items() if key.startswith(f"{name}.")}
        names = sorted(key.partition(".")[2] for key, secret in of_service.items() if not secret.fixed)
        for rotated in settings.rotate:
            secret = of_service.get(f"{name}.{rotated}")
            if secret is None or secret.fixed:
                why = (
                    "is no secret of this service"
                    if secret is None
                    else "can't be made anew: what it encrypted is lost"
                )
                yield Problem(
                    path=f"{path}.rotate.{rotated}",
                    rule=why,
                    way_out=f"secrets to rotate: {', '.join(names)}" if names else "it has no secret to rotate",
                )


def _rotations_agree(fleet: Fleet) -> Iterator[Problem]:
    for key in fleet.shared_secrets:
        said = fleet.rotation(key)
        if "," in said:
            service, _, name = key.partition(".")
            yield Problem(
                path=f"services.{service}.rotate.{name}",
                rule=f"must be the same in every file, got {said.replace(',', ' and ')}: all hosts share this secret",
                way_out="write one value, or leave it out of all files but one",
            )


def _owner_secrets_are_set(fleet: Fleet) -> Iterator[Problem]:
    config = pulumi.Config(GIVEN)
    blocks: dict[str, Any] = {f"services.{name}": block for name, block in fleet.own.service_settings.items()}
    if fleet.own.host.setup is not None:
        blocks["host.setup"] = fleet.own.host.setup
    for at, settings in blocks.items():
        for path, secret in settings.owner_secrets.items():
            if config.get_secret(secret) is None:
                yield Problem(
                    path=f"{at}.{path}",
                    rule=f"names the secret {secret!r}, which must be set, encrypted",
                    way_out=f"type: pulumi config set --secret {GIVEN}:{secret} -s {fleet.here}",
                )


def _private_addresses_differ(fleet: Fleet) -> Iterator[Problem]:
    owners: dict[str, list[str]] = defaultdict(list)
    for host, stack in fleet.stacks.items():
        owners[stack.host.tailscale_address].append(host)
    for address, hosts in owners.items():
        if len(hosts) > 1:
            yield Problem(
                path="host.tailscale-address",
                rule=f"must be the host's own, got {address!r} for {' and '.join(hosts)}",
                way_out="`tailscale ip -4` on each host prints its address",
            )


RULES = (
    _one_foundation,
    _host_names_are_free,
    _hostnames_in_zone,
    _one_service_per_hostname,
    _sites_can_answer,
    _sites_have_a_login,
    _one_hostname_per_login,
    _needed_services_are_there,
    _rotations_name_secrets,
    _rotations_agree,
    _private_addresses_differ,
    backup_plan.problems,
    *SHARING_RULES,
    *DATABASE_RULES,
    *PICTURE_RULES,
    _tailnet_holds,
)
