"""The bare program of a deployed stack: the same resources with the values that the state has recorded for them.

It has no settings, no components of ours, no templates, no hooks and no outputs to wait for; what the real program
takes beyond it is the price of all that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_STACK = "pulumi:pulumi:Stack"
_PROVIDER = "pulumi:providers:"


def recorded(state: Mapping[str, Any]) -> dict[str, Any]:
    """What `bare_program.py` reads, from a stack's state as `pulumi stack export --show-secrets` prints it.

    Left out: the stack itself and default providers, which the engine makes; assets, which no stack here has.
    """
    resources = state["deployment"]["resources"]
    versions = {each["urn"]: each["inputs"]["version"] for each in resources if "version" in each.get("inputs", {})}
    outputs: Mapping[str, Any] = next((each.get("outputs", {}) for each in resources if each["type"] == _STACK), {})
    return {
        "resources": [
            _resource(each, versions) for each in resources if each["type"] != _STACK and not _is_default(each)
        ],
        "outputs": outputs,
    }


def _resource(resource: Mapping[str, Any], versions: Mapping[str, str]) -> dict[str, Any]:
    provider = resource.get("provider", "").rpartition("::")[0]
    own = resource["type"].startswith(_PROVIDER)
    return {
        "urn": resource["urn"],
        "type": resource["type"],
        "name": resource["urn"].split("::", 3)[3],
        "custom": resource["custom"],
        "parent": resource.get("parent"),
        "provider": provider,
        "version": versions.get(resource["urn"] if own else provider),
        "inputs": _given(
            {key: value for key, value in resource.get("inputs", {}).items() if not (own and key == "version")}
        ),
        "outputs": {} if resource["custom"] else resource.get("outputs", {}),
    }


def _is_default(resource: Mapping[str, Any]) -> bool:
    name = str(resource["urn"]).split("::", 3)[3]
    return str(resource["type"]).startswith(_PROVIDER) and (name == "default" or name.startswith("default_"))


def _given(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A value without what engine and providers noted in it for themselves."""
    if isinstance(value, dict):
        return {key: _given(each) for key, each in value.items() if not key.startswith("__")}
    return [_given(each) for each in value] if isinstance(value, list) else value
