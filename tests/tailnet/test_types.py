"""The Tailscale types registered by hand are those of the pinned package: same tokens, same property names."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING

import pytest

from components.tailnet import tailscale
from components.tailnet.tailscale import TailscaleResource, type_token
from tests.recorder import run_program
from tests.test_cloudflare_types import pulumi_name

if TYPE_CHECKING:
    from tests.recorder import Recorded

TYPES = [each for _, each in inspect.getmembers(tailscale, inspect.isclass) if issubclass(each, TailscaleResource)]
OURS = [each for each in TYPES if each is not TailscaleResource]


@pytest.fixture(scope="module")
def registered() -> dict[str, Recorded]:
    return {known.type: known for known in run_program("kscloud1").recorder.resources}


@pytest.mark.parametrize("ours", OURS, ids=lambda each: each.__name__)
def test_token_and_properties_are_those_of_the_package(
    ours: type[TailscaleResource], registered: dict[str, Recorded]
) -> None:
    package = importlib.import_module("pulumi_tailscale")
    theirs = getattr(package, ours.__name__)
    known = {pulumi_name(name) for name in inspect.signature(getattr(package, f"{ours.__name__}Args")).parameters}

    assert type_token(ours) in inspect.getsource(theirs._internal_init)
    assert set(registered[type_token(ours)].inputs) <= known


def test_package_is_not_imported_by_the_program() -> None:
    """It takes time at every preview."""
    assert "import pulumi_tailscale" not in inspect.getsource(tailscale)


def test_policy_is_protected_and_never_overwrites(registered: dict[str, Recorded]) -> None:
    policy = registered["tailscale:index/acl:Acl"]

    assert policy.protect
    assert policy.inputs["overwriteExistingContent"] is False
    assert policy.inputs["resetAclOnDestroy"] is False


def test_keys_join_one_host_once_and_are_secret(registered: dict[str, Recorded]) -> None:
    key = registered["tailscale:index/tailnetKey:TailnetKey"]

    assert (key.inputs["preauthorized"], key.inputs["ephemeral"], key.inputs["reusable"]) == (True, False, False)
    assert key.secret_outputs == ("key",)
    assert "tailnet-policy" in key.dependencies, "the tag must be owned first"
