"""The Tailscale resource types that this program registers, without their package.

As in `components/edge/cloudflare.py`: importing the package costs every preview time, a few light classes do not. The
package stays in requirements.txt, which says the provider's version, and a test holds each name here against it.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pulumi

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@cache
def _provider_version() -> str:
    return version("pulumi_tailscale")


class TailscaleResource(pulumi.CustomResource):
    """A resource of the Tailscale provider, in the version that requirements.txt pins."""

    def __init__(self, name: str, inputs: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(version=_provider_version()))
        super().__init__(type_token(type(self)), name, dict(inputs), opts)


def type_token(kind: type[TailscaleResource]) -> str:
    """How the engine names a type."""
    name = kind.__name__
    return f"tailscale:index/{name[0].lower()}{name[1:]}:{name}"


class Acl(TailscaleResource):
    """The tailnet's one policy document. It never overwrites one that somebody else wrote, and stays when it is let go.

    Attributes:
        acl: The document, once it is accepted.
    """

    acl: pulumi.Output[str]

    def __init__(self, resource_name: str, *, acl: str, opts: pulumi.ResourceOptions) -> None:
        inputs = {"acl": acl, "overwriteExistingContent": False, "resetAclOnDestroy": False}
        super().__init__(resource_name, inputs, opts)


class TailnetKey(TailscaleResource):
    """A key with which one device joins once: approved before, tagged, and staying when it is offline.

    It is good for 90 days, which is as long as Tailscale allows. A used or expired one is not made anew.

    Attributes:
        key: Its text; secret.
    """

    key: pulumi.Output[str]

    def __init__(
        self, resource_name: str, *, tags: Sequence[str], description: str, opts: pulumi.ResourceOptions
    ) -> None:
        inputs = {
            "tags": list(tags),
            "description": description,
            "preauthorized": True,
            "ephemeral": False,
            "reusable": False,
            "recreateIfInvalid": "never",
            "key": None,
        }
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=["key"]))
        super().__init__(resource_name, inputs, opts)
