"""The Command provider's remote command, registered without its package, as `components/edge/cloudflare.py` does."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import pulumi

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIAL_ERRORS = 3
"""How often a host that does not answer is asked again."""
_DIAL_SECONDS = 15


class RemoteCommand(pulumi.CustomResource):
    """A command over SSH (`command:remote:Command`), run when it is created and again whenever its inputs differ.

    It has no `delete` and no `triggers`: a change is an update in place, and letting it go leaves the host as it is.

    Args:
        resource_name: Unique in the stack.
        connection: How the host is reached: `host`, `port`, `user`, `hostKey` and, secret, `privateKey`.
        command: What is run; plain, and shown in a preview and in an error, so nothing secret stands in it.
        stdin: What it reads; secret.
        opts: Parent, and what has to be there before.

    Attributes:
        stdout: What the command said; secret.
    """

    stdout: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        connection: Mapping[str, pulumi.Input[str | int]],
        command: str,
        stdin: pulumi.Input[str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        limits = {"dialErrorLimit": _DIAL_ERRORS, "perDialTimeout": _DIAL_SECONDS}
        quiet = pulumi.ResourceOptions(
            version=version("pulumi_command"),
            additional_secret_outputs=["connection", "stdin", "stdout", "stderr"],
        )
        super().__init__(
            "command:remote:Command",
            resource_name,
            {
                "connection": pulumi.Output.secret({**connection, **limits}),
                "create": command,
                "update": command,
                "stdin": pulumi.Output.secret(stdin),
                "logging": "none",
                "addPreviousOutputInEnv": False,
                "stdout": None,
            },
            pulumi.ResourceOptions.merge(opts, quiet),
        )
