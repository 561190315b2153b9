"""The stack files as pydantic models, and the only reader of `pulumi.Config`.

A stack file (`Pulumi.<host>.yaml`) is a list of what one host runs. The program reads its own through the engine and
the others, as plain text, from beside it: so a plan for one host knows which sites the whole fleet declares, without
waiting for what other stacks put out.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import pulumi
import yaml
from pulumi.runtime.config import CONFIG
from pulumi.runtime.settings import get_root_directory
from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)

from components.edge.load_balancer import LoadBalancerSettings
from components.errors import Problem, ProgramError
from components.host_setup.settings import HostSetupSettings
from components.model import Model
from components.services import KNOWN_SERVICES
from components.settings_errors import problems_of
from components.tailnet.settings import TailnetSettings
from components.types import (
    AbsolutePath,
    CloudflareId,
    DockerEndpoint,
    Duration,
    Fqdn,
    HostName,
    ImageRef,
    PeerAddress,
    PrivateAddress,
    RootPath,
    check_image,
)

if TYPE_CHECKING:
    from components.service import Service

PROJECT = "kitestacks"


class HostSettings(Model):
    """One machine: how its Docker daemon is reached, where its data lies, which address is its private one."""

    docker: DockerEndpoint
    data: AbsolutePath = Field(description="Folder on the host that holds one folder of data per service.")
    tailscale_address: PrivateAddress
    root: RootPath = Field(
        default="/", description="Where the host's file system begins; another folder only where a host is rehearsed."
    )
    reached_at: PeerAddress | None = Field(
        default=None,
        description="Where other hosts reach it, unless at tailscale-address: only where a host is rehearsed.",
    )
    health_interval: Duration = Field(default="10s", description="Time between two health checks of a container.")
    start_timeout: Duration = Field(
        default="3m0s", description="How long `up` waits for a container to become healthy."
    )
    machine: HostName | None = Field(
        default=None,
        description="A word for the machine itself, the day that it came for example. Another one, when a new machine "
        "or a new disk has taken its place, lets everything be prepared anew: folders, databases, accounts.",
    )
    setup: HostSetupSettings | None = Field(
        default=None, description="Prepares the machine over SSH. Without it the host is prepared by hand."
    )

    @property
    def incarnation(self) -> dict[str, str]:
        """What is given to everything that is done once to a machine, and once more to the next one."""
        return {"machine": self.machine} if self.machine else {}


class EdgeSettings(Model):
    """The post office: the domain at Cloudflare, and how visitors find a living host. It stands in one file."""

    domain: Fqdn = Field(description="The zone at Cloudflare; the section stands in one file, the foundation's.")
    failover: Literal["replicas", "load-balancer"] = Field(
        default="replicas",
        description="replicas: shared sites hang on one tunnel with a connector on each host (free). "
        "load-balancer: Cloudflare checks each host and chooses one (paid).",
    )
    load_balancer: LoadBalancerSettings | None = Field(
        default=None, description="Needed for `failover: load-balancer`; may stay while it is not in use."
    )


class GuardSettings(Model):
    """What a plan that could lose data has to show for itself."""

    restore_days: int = Field(
        default=35, ge=1, description="Days for which a proven restore excuses a plan that could lose data."
    )


class OrderedBlocks(Model):
    """Named blocks that keep the order in which the owner wrote them: the portal shows sites in it."""

    _order: tuple[str, ...] = PrivateAttr(default=())

    @model_validator(mode="wrap")
    @classmethod
    def _keep_order(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401 - any YAML value
        blocks = handler(data)
        if isinstance(data, dict):
            blocks._order = tuple(data)  # noqa: SLF001 - its own
        return blocks

    def in_order(self) -> dict[str, Any]:
        """The blocks that are there, by the names that the file gives them."""
        found = {name: getattr(self, name.replace("-", "_")) for name in self._order}
        return {name: block for name, block in found.items() if block is not None}


_blocks: dict[str, Any] = {
    name.replace("-", "_"): (service.Settings | None, None) for name, service in KNOWN_SERVICES.items()
}
Services: type[OrderedBlocks] = create_model(
    "Services", __base__=OrderedBlocks, __doc__="What the host runs: one block per service.", **_blocks
)


class StackFile(Model):
    """Everything a stack file may say under `config`, each key with the prefix `kitestacks:`."""

    host: HostSettings
    services: Services = Field(default_factory=Services)
    edge: EdgeSettings | None = Field(
        default=None, description="Only in the file of the foundation, the host that is deployed first."
    )
    tailnet: TailnetSettings | None = Field(
        default=None,
        description="Only in the foundation's file. Without it the private network's policy is not managed from here.",
    )
    guards: GuardSettings = Field(
        default_factory=GuardSettings, description="What a plan that could lose data has to show for itself."
    )
    images: dict[str, str] = Field(
        default_factory=dict,
        description="Where images come from instead: a whole reference, or a prefix ending in /, to its replacement.",
    )
    installation: HostName = Field(
        default=PROJECT,
        description="Names this installation in labels and tunnels; any other value also goes before container names.",
    )
    cloudflare_account_id: CloudflareId | None = Field(
        default=None, description="32 hexadecimal digits; the foundation needs it."
    )
    cloudflare_zone_id: CloudflareId | None = Field(
        default=None, description="32 hexadecimal digits; the foundation needs it."
    )

    @field_validator("images")
    @classmethod
    def _replacements_are_pinned(cls, images: dict[str, str]) -> dict[str, str]:
        for key, replacement in images.items():
            if not key.endswith("/"):
                check_image(replacement)
            elif not replacement.endswith("/"):
                msg = f"must replace the prefix {key!r} by another that ends in /, got {replacement!r}"
                raise ValueError(msg)
        return images

    @cached_property
    def service_settings(self) -> dict[str, Any]:
        """The blocks that are there, by service name, in the owner's order."""
        return self.services.in_order()

    def image(self, reference: ImageRef) -> str:
        """The reference to pull for a declared one: the longest replacement of `images` that fits."""
        for key in sorted(self.images, key=len, reverse=True):
            if reference == key:
                return self.images[key]
            if key.endswith("/") and reference.startswith(key):
                return self.images[key] + reference.removeprefix(key)
        return reference


def service_class(name: str) -> type[Service]:
    """The component of a service name as it stands in a stack file."""
    return KNOWN_SERVICES[name]


def read_stack_files() -> dict[str, StackFile]:
    """All stack files of the project by stack name, the running stack's own first.

    Raises:
        ProgramError: with every fault of every file.
    """
    own = pulumi.get_stack()
    found = {own: _own_values()} | {name: raw for name, raw in _files_beside().items() if name != own}
    problems: list[Problem] = []
    stacks: dict[str, StackFile] = {}
    for name, raw in found.items():
        if isinstance(raw, Problem):
            problems.append(raw)
            continue
        try:
            stacks[name] = StackFile.model_validate(raw)
        except ValidationError as error:
            at = "" if name == own else f"Pulumi.{name}.yaml: "
            problems += problems_of(error, StackFile, at)
    problems += _missing_accounts(own, stacks.get(own))
    if problems:
        raise ProgramError(f"Pulumi.{own}.yaml", problems)
    return stacks


def _own_values() -> dict[str, Any]:
    """What the engine gives the running stack: the same values as the file, with `--config` on top."""
    prefix = f"{PROJECT}:"
    config = pulumi.Config(PROJECT)
    values: dict[str, Any] = {}
    for key, text in CONFIG.get().items():
        if key.startswith(prefix):
            name = key.removeprefix(prefix)
            values[name] = config.get_object(name) if text[:1] in ("{", "[") else text
    return values


def _files_beside() -> dict[str, dict[str, Any] | Problem]:
    """The plain values of the stack files beside the running one; encrypted ones are not ours to read."""
    found: dict[str, dict[str, Any] | Problem] = {}
    prefix = f"{PROJECT}:"
    for path in sorted(Path(get_root_directory() or ".").glob("Pulumi.*.yaml")):
        name = path.name.removeprefix("Pulumi.").removesuffix(".yaml")
        try:
            # The safe loader, in C where there is one: a plan reads every host's file.
            document = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506
        except yaml.YAMLError as error:
            line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
            found[name] = Problem(path=path.name, rule=f"must be YAML, and is not at line {line}")
            continue
        config = (document or {}).get("config") or {}
        values = {
            key.removeprefix(prefix): value
            for key, value in config.items()
            if key.startswith(prefix) and not (isinstance(value, dict) and "secure" in value)
        }
        if "host" in values:
            found[name] = values
    return found


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _missing_accounts(stack: str, own: StackFile | None) -> list[Problem]:
    """Values that no file can bring along because they belong to the owner's account."""
    missing: list[Problem] = []
    if pulumi.Config("cloudflare").get_secret("apiToken") is None and "CLOUDFLARE_API_TOKEN" not in os.environ:
        command = f"pulumi config set --secret cloudflare:apiToken -s {stack}"
        missing.append(Problem(path="cloudflare:apiToken", rule="must be set, encrypted", way_out=f"type: {command}"))
    if own is not None and own.edge is not None:
        for key, where in (
            ("cloudflare-account-id", "the account's overview in the dashboard shows it"),
            ("cloudflare-zone-id", f"the overview of {own.edge.domain} in the dashboard shows it"),
        ):
            if getattr(own, key.replace("-", "_")) is None:
                command = f"pulumi config set {key} <id> -s {stack}"
                missing.append(Problem(path=key, rule="must be set", way_out=f"type: {command}; {where}"))
    if own is not None and own.tailnet is not None and not _tailscale_credentials():
        command = f"pulumi config set --secret tailscale:apiKey -s {stack}"
        where = "the admin console's Keys page makes one; an OAuth client will do too: oauthClientId, oauthClientSecret"
        missing.append(
            Problem(path="tailscale:apiKey", rule="must be set, encrypted", way_out=f"type: {command}; {where}")
        )
    return missing


def _tailscale_credentials() -> bool:
    """Whether the provider has what it takes: a key, or a client with its secret or an identity (its own rule)."""
    config = pulumi.Config("tailscale")

    def given(key: str, variable: str) -> bool:
        return config.get_secret(key) is not None or variable in os.environ

    proof = given("oauthClientSecret", "TAILSCALE_OAUTH_CLIENT_SECRET") or given(
        "identityToken", "TAILSCALE_IDENTITY_TOKEN"
    )
    return given("apiKey", "TAILSCALE_API_KEY") or (given("oauthClientId", "TAILSCALE_OAUTH_CLIENT_ID") and proof)
