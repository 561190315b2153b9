"""The bare program: registers what `resources.json` beside it lists, literals only, with nothing but the SDK."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi

SECRET = "4dabf18193072939515e22adb298388d"  # noqa: S105 - the key by which the engine marks a special value in a state


def literal(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A recorded value, its secret parts marked as such."""
    if isinstance(value, dict):
        if SECRET in value:
            return pulumi.Output.secret(json.loads(value["plaintext"]))
        return {key: literal(each) for key, each in value.items()}
    return [literal(each) for each in value] if isinstance(value, list) else value


def main() -> None:
    """Registers everything in its recorded order, parents and providers first."""
    recorded = json.loads(Path(__file__).with_name("resources.json").read_text())
    made: dict[str | None, Any] = {}
    for each in recorded["resources"]:
        opts = pulumi.ResourceOptions(
            parent=made.get(each["parent"]), provider=made.get(each["provider"]), version=each["version"]
        )
        if not each["custom"]:
            component = pulumi.ComponentResource(each["type"], each["name"], None, opts)
            component.register_outputs(literal(each["outputs"]))
            made[each["urn"]] = component
        elif each["type"].startswith("pulumi:providers:"):
            package = each["type"].removeprefix("pulumi:providers:")
            made[each["urn"]] = pulumi.ProviderResource(package, each["name"], literal(each["inputs"]), opts)
        else:
            made[each["urn"]] = pulumi.CustomResource(each["type"], each["name"], literal(each["inputs"]), opts)
    for name, value in recorded["outputs"].items():
        pulumi.export(name, literal(value))


if __name__ == "__main__":
    main()
