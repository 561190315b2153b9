"""Secrets: the one place that makes them. A service declares what it needs; nobody invents, copies or types one."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pulumi

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.fleet import Fleet

GIVEN = "secret"
"""The configuration namespace of secrets that the owner brings: `pulumi config set --secret secret:<name>`."""
_KEY_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class Secret:
    """One secret of a service, made of letters and digits unless it is a key.

    Attributes:
        purpose: What it opens, in words.
        length: Characters, without the prefix.
        prefix: What it has to begin with.
        key: 32 random bytes in base64 instead of characters.
        fixed: It can't be changed later without losing what it encrypted; a rotation is refused.
        typed: People type it; the stack output `passwords` shows it on demand.
        shared: Every host needs the same one, so the foundation makes it.
    """

    purpose: str
    length: int = 40
    prefix: str = ""
    key: bool = False
    fixed: bool = False
    typed: bool = False
    shared: bool = False


class _Random(pulumi.CustomResource):
    """A resource of the random provider, registered without its package, in the version that requirements.txt pins."""

    result: pulumi.Output[str]
    base64: pulumi.Output[str]

    def __init__(self, kind: str, name: str, inputs: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        secret = pulumi.ResourceOptions(
            version=version("pulumi_random"),
            additional_secret_outputs=["result", "bcryptHash", "base64", "hex"],
            # What a secret opens would be lost with it; only `rotate` replaces one, and then on purpose.
            ignore_changes=["length", "special"],
        )
        outputs = {"result": None, "base64": None}
        super().__init__(
            f"random:index/{kind[0].lower()}{kind[1:]}:{kind}",
            name,
            {**outputs, **inputs},
            pulumi.ResourceOptions.merge(opts, secret),
        )


class Vault(pulumi.ComponentResource):
    """All secrets that the running stack makes, and those that the foundation made for it.

    Creates: one random value per declared secret of this host's services; on the foundation also the shared ones of the
    whole fleet, so that every host gets the same.
    Leaves out: the owner's own secrets (a provider's API key), which are configuration: see `given`.

    A value that the owner gives as `secret:<service>.<name>` is taken instead of a made one: so an installation that is
    already there keeps its keys.

    Attributes:
        shared: The shared secrets by `<service>.<name>`; secret.
    """

    def __init__(
        self,
        name: str,
        *,
        fleet: Fleet,
        made_elsewhere: Mapping[str, pulumi.Input[str]] | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("kitestacks:index:Vault", name, None, opts)
        self._name = name
        self._fleet = fleet
        self._config = pulumi.Config(GIVEN)
        self.shared: dict[str, pulumi.Output[str]] = (
            {key: self._make(key, secret) for key, secret in fleet.shared_secrets.items()}
            if made_elsewhere is None
            else {key: pulumi.Output.secret(value) for key, value in made_elsewhere.items()}
        )
        self._own = {key: self._make(key, secret) for key, secret in fleet.own_secrets.items()}
        self.register_outputs({"names": sorted({*self.shared, *self._own})})

    def value(self, service: str, name: str) -> pulumi.Output[str]:
        """The secret of a service, made or given."""
        key = f"{service}.{name}"
        return self._own[key] if key in self._own else self.shared[key]

    def given(self, name: str) -> pulumi.Output[str]:
        """A secret that only the owner can bring along; the contract has refused a plan without it."""
        return self._config.require_secret(name)

    def passwords(self) -> dict[str, pulumi.Output[str]]:
        """The secrets that people type, by `<service>.<name>`."""
        typed = {**self._fleet.own_secrets, **self._fleet.shared_secrets}
        found = {**self.shared, **self._own}
        return {key: found[key] for key, secret in sorted(typed.items()) if secret.typed and key in found}

    def _make(self, key: str, secret: Secret) -> pulumi.Output[str]:
        given = self._config.get_secret(key)
        if given is not None:
            return pulumi.Output.secret(given)
        name = f"{self._name}-{key.replace('.', '-')}"
        keepers = {"rotate": self._fleet.rotation(key)} if self._fleet.rotation(key) else None
        opts = pulumi.ResourceOptions(parent=self)
        if secret.key:
            made = _Random("RandomBytes", name, {"length": _KEY_BYTES, "keepers": keepers}, opts).base64
        else:
            inputs = {"length": secret.length, "special": False, "keepers": keepers}
            made = _Random("RandomPassword", name, inputs, opts).result
        return pulumi.Output.secret(pulumi.Output.concat(secret.prefix, made))
