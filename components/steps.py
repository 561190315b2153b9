"""Steps: what an app lets nobody declare is done by a small program that looks first and changes only what differs.

A step is a module below `components` with a function `run(given, machine)`; `python3 -m kitestacks step <module>` runs
it. All that it needs comes as JSON on standard input, so no secret stands in an argument list, an environment or a log.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pulumi

if TYPE_CHECKING:
    from collections.abc import Mapping


class Step(pulumi.CustomResource):
    """A step of a service (`command:local:Command`).

    It runs when it is created and again whenever what it is given differs, a secret or not: standard input is an
    ordinary input, so a change is an update in place and never a delete.

    Args:
        resource_name: Begins with the service's name.
        program: The module below `components`, for example `services.forgejo.login_source`.
        facts: Plain values; shown in a preview.
        secrets: Secret values; encrypted in the state.
        opts: Parent, and what has to be healthy before.
    """

    def __init__(
        self,
        resource_name: str,
        *,
        program: str,
        facts: Mapping[str, Any],
        secrets: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions,
    ) -> None:
        command = f"python3 -m kitestacks step {program}"
        given = pulumi.Output.json_dumps({"facts": dict(facts), "secrets": dict(secrets)})
        quiet = pulumi.ResourceOptions(
            version=version("pulumi_command"), additional_secret_outputs=["stdout", "stderr", "stdin"]
        )
        super().__init__(
            "command:local:Command",
            resource_name,
            {
                "create": command,
                "update": command,
                "stdin": pulumi.Output.secret(given),
                "environment": {"KITESTACKS_STEP": json.dumps(dict(facts), sort_keys=True)},
                "logging": "none",
                "addPreviousOutputInEnv": False,
            },
            pulumi.ResourceOptions.merge(opts, quiet),
        )
