"""Reads a rendered blueprint as Authentik would: tags, references, and what a reference stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import yaml

NUMBERED = (
    "authentik_core.user",
    "authentik_providers_oauth2.oauth2provider",
    "authentik_providers_proxy.proxyprovider",
)
"""Models whose primary key is a number; all others have a UUID."""
SHIPPED = {
    ("authentik_flows.flow", "slug"): {
        "default-provider-authorization-implicit-consent",
        "default-provider-invalidation-flow",
    },
    ("authentik_crypto.certificatekeypair", "name"): {"authentik Self-signed Certificate"},
    ("authentik_providers_oauth2.scopemapping", "managed"): {
        f"goauthentik.io/providers/oauth2/scope-{scope}"
        for scope in ("openid", "profile", "email", "entitlements", "offline_access", "authentik_api")
    },
}
"""What every Authentik has, by model and field (`blueprints/default`, `blueprints/system`, `authentik/crypto`)."""


@dataclass(frozen=True)
class Tag:
    """A tag of the file: its name, and its one value or its list."""

    name: str
    value: Any


class _Loader(yaml.SafeLoader):
    pass


def _tag(loader: _Loader, suffix: str, node: yaml.Node) -> Tag:
    value: Any = (
        loader.construct_sequence(node, deep=True)
        if isinstance(node, yaml.SequenceNode)
        else loader.construct_scalar(node)  # type: ignore[arg-type]
    )
    return Tag(suffix, value)


_Loader.add_multi_constructor("!", _tag)


@dataclass(frozen=True)
class Reader:
    """A blueprint's text, read.

    Attributes:
        entries: Its entries, tags and all.
    """

    entries: list[dict[str, Any]]

    @classmethod
    def of(cls, text: str) -> Reader:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader with tags
        assert document["version"] == 1
        return cls(document["entries"])

    def of_model(self, model: str, state: str | None = None) -> list[dict[str, Any]]:
        """The entries of a model, in order; those to be deleted only by `state`."""
        return [
            entry
            for entry in self.entries
            if entry["model"] == model and (entry["state"] == state if state else entry["state"] != "absent")
        ]

    def tags(self, name: str) -> list[Any]:
        """The values of all tags of a name."""
        return [tag.value for entry in self.entries for tag in _tags_in(entry) if tag.name == name]

    def dangling(self, found_elsewhere: frozenset[str] = frozenset()) -> list[str]:
        """References that lead nowhere: to no earlier entry of the file, and to nothing that every Authentik has."""
        seen: dict[str, str] = {}
        faults: list[str] = []
        for entry in self.entries:
            for tag in _tags_in(entry):
                if tag.name == "KeyOf" and tag.value not in seen:
                    faults.append(f"!KeyOf {tag.value}")
                if tag.name == "Find":
                    model, (field, value) = tag.value
                    if value not in SHIPPED.get((model, field), set()) | found_elsewhere:
                        faults.append(f"!Find {tag.value}")
            if "id" in entry and entry["state"] != "absent":
                assert entry["id"] not in seen, f"two entries {entry['id']}"
                seen[entry["id"]] = entry["model"]
        return faults

    def request(self, entry: dict[str, Any]) -> dict[str, Any]:
        """What reaches Authentik's serializer: identifiers and attributes, references followed."""
        return {key: self._followed(value) for key, value in {**entry.get("identifiers", {}), **entry["attrs"]}.items()}

    def _followed(self, value: Any) -> Any:  # noqa: ANN401 - any YAML value
        if isinstance(value, list):
            return [self._followed(each) for each in value]
        if isinstance(value, dict):
            return {key: self._followed(each) for key, each in value.items()}
        if not isinstance(value, Tag):
            return value
        if value.name == "File":
            return f"text-of-{value.value}"
        models = {entry["id"]: entry["model"] for entry in self.entries if "id" in entry}
        model = models[value.value] if value.name == "KeyOf" else value.value[0]
        return 7 if model in NUMBERED else str(UUID(int=7))


def _tags_in(value: Any) -> list[Tag]:  # noqa: ANN401 - any YAML value
    if isinstance(value, Tag):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [tag for each in inner for tag in _tags_in(each)]
