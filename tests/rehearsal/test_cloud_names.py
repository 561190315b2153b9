"""Every simulated type has the real SDK's token and names: the simulation may not accept what reality would not."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.cloud.__main__ import PROVIDERS
from rehearsal.cloud.docker import DOCKER

if TYPE_CHECKING:
    from types import ModuleType

    from rehearsal.cloud.resource import Resource, Shape

# SDK packages warn of their own old names while they are imported.
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")

RESOURCES = [resource for provider in (*PROVIDERS, DOCKER) for resource in provider.resources]
FUNCTIONS = [function for provider in (*PROVIDERS, DOCKER) for function in provider.functions]


def module(token: str) -> ModuleType:
    package, place, _ = token.split(":")
    inner = place.partition("/")[0]
    return importlib.import_module(f"pulumi_{package}" if inner == "index" else f"pulumi_{package}.{inner}")


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def parameters(arguments: type[Any]) -> list[inspect.Parameter]:
    return list(inspect.signature(arguments.__init__).parameters.values())[1:]


def shape_of(sdk: ModuleType, arguments: type[Any]) -> Shape:
    """Read the names, on the wire, that a class of arguments takes at any depth."""
    found: Shape = {}
    for parameter in parameters(arguments):
        nested = re.findall(r"ForwardRef\('(\w+Args)'\)", str(parameter.annotation))
        getter = getattr(arguments, parameter.name).fget
        name = getattr(getter, "_pulumi_name", camel(parameter.name))
        found[name] = shape_of(sdk, getattr(sdk, nested[0])) if nested else {}
    return found


def pruned(shape: Shape, like: Shape) -> Shape:
    """Keep the depth that the simulation looks into."""
    return {name: pruned(inner, like[name]) if like.get(name) else {} for name, inner in shape.items()}


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.type_name)
def test_a_type_agrees_with_the_sdk(resource: Resource) -> None:
    sdk, name = module(resource.type_name), resource.type_name.rpartition(":")[2]
    real, arguments = getattr(sdk, name), getattr(sdk, f"{name}Args")
    assert f"'{resource.type_name}'" in inspect.getsource(real)
    assert pruned(shape_of(sdk, arguments), resource.inputs) == resource.inputs
    required = {camel(each.name) for each in parameters(arguments) if each.default is inspect.Parameter.empty}
    assert set(resource.required) == required
    outputs = {
        getattr(value.fget, "_pulumi_name", camel(key))
        for key, value in vars(real).items()
        if isinstance(value, property)
    }
    assert {*resource.computed, *resource.secrets} <= outputs
    assert {*resource.replaces, *resource.unordered, *resource.choices} <= set(resource.inputs)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.type_name)
def test_the_sdk_s_secret_outputs_are_secret_here(resource: Resource) -> None:
    real = getattr(module(resource.type_name), resource.type_name.rpartition(":")[2])
    marked = re.search(r"additional_secret_outputs=\[([^\]]*)\]", inspect.getsource(real))
    sdk_secrets = set(re.findall(r'"(\w+)"', marked[1])) if marked else set()
    assert sdk_secrets - {"bcryptHash"} <= set(resource.secrets)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_function_agrees_with_the_sdk(function: Any) -> None:  # noqa: ANN401 - a Function, whose module is not needed
    sdk = module(function.name)
    snake = re.sub(r"(?<!^)(?=[A-Z])", "_", function.name.rpartition(":")[2]).lower()
    assert f"'{function.name}'" in inspect.getsource(getattr(sdk, snake))
