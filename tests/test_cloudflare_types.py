"""The Cloudflare types registered by hand are those of the pinned package: same tokens, same property names."""

from __future__ import annotations

import importlib
import inspect
import warnings
from typing import TYPE_CHECKING

import pulumi
import pytest

from components.edge import cloudflare
from components.edge.cloudflare import CloudflareResource
from tests.recorder import ROOT, foundation_outputs, load_balanced, run_program, stack_config

if TYPE_CHECKING:
    from types import ModuleType

TYPES = [each for _, each in inspect.getmembers(cloudflare, inspect.isclass) if issubclass(each, CloudflareResource)]


@pytest.fixture(scope="module")
def registered() -> dict[str, dict[str, object]]:
    runs = [
        run_program("kscloud1", config=load_balanced(stack_config("kscloud1", ROOT))),
        run_program("monk", references={"kscloud1": foundation_outputs("monk", "kscloud1")}),
    ]
    found = [known for run in runs for known in run.recorder.resources if known.type.startswith("cloudflare:")]
    return {known.type: known.inputs for known in found}


@pytest.mark.parametrize(
    "ours", [each for each in TYPES if each is not CloudflareResource], ids=lambda each: each.__name__
)
def test_token_and_properties_are_those_of_the_package(
    ours: type[CloudflareResource], registered: dict[str, dict[str, object]]
) -> None:
    package = _package("pulumi_cloudflare")
    theirs = getattr(package, ours.__name__)
    token = f"cloudflare:index/{ours.__name__[0].lower()}{ours.__name__[1:]}:{ours.__name__}"
    known = {pulumi_name(name) for name in inspect.signature(getattr(package, f"{ours.__name__}Args")).parameters}

    assert token in inspect.getsource(theirs._internal_init)
    assert token in registered
    assert set(registered[token]) <= known


def test_token_function_is_that_of_the_package() -> None:
    package = _package("pulumi_cloudflare.get_zero_trust_tunnel_cloudflared_token")

    assert (
        "cloudflare:index/getZeroTrustTunnelCloudflaredToken:getZeroTrustTunnelCloudflaredToken"
        in inspect.getsource(package)
    )


def test_package_is_not_imported_by_the_program() -> None:
    """It takes two to three seconds at every preview."""
    source = inspect.getsource(cloudflare)

    assert "import pulumi_cloudflare\n" not in source.replace("`import pulumi_cloudflare`", "")
    assert issubclass(cloudflare.DnsRecord, pulumi.CustomResource)


def _package(name: str) -> ModuleType:
    """The real package; on import it warns of its own deprecated classes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module(name)


def pulumi_name(python_name: str) -> str:
    """`account_id` as the engine spells it."""
    first, *rest = python_name.split("_")
    return first + "".join(part.capitalize() for part in rest)
