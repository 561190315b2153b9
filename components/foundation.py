"""Foundation: what the first host makes for all, as one typed model that writes and reads the stack's outputs."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import pulumi

from components.errors import Problem, ProgramError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OUTPUT = "foundation"


@dataclass(frozen=True, kw_only=True)
class Foundation:
    """The outputs that other hosts' stacks build on.

    Attributes:
        account_id: The Cloudflare account.
        zone_id: The zone of the platform's domain.
        tunnel_ids: Tunnel UUIDs by host; the shared one under `shared`.
        tunnel_tokens: Connector tokens by the same names; secret.
        secrets: What all hosts need the same, by `<service>.<name>`; secret.
        join_keys: The key with which each host joins the private network once; secret.
    """

    account_id: pulumi.Input[str]
    zone_id: pulumi.Input[str]
    tunnel_ids: Mapping[str, pulumi.Input[str]]
    tunnel_tokens: Mapping[str, pulumi.Input[str]]
    secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    join_keys: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)

    def outputs(self) -> dict[str, Any]:
        """What the foundation's stack exports."""
        return {OUTPUT: pulumi.Output.secret({each.name: getattr(self, each.name) for each in fields(self)})}

    @classmethod
    async def read(cls, stack: str, hosts: tuple[str, ...], secrets: Iterable[str]) -> Foundation:
        """Reads another stack's foundation.

        Args:
            stack: The foundation's stack, which is its host's name.
            hosts: The hosts whose tunnels must be there.
            secrets: The shared secrets that must be there.

        Raises:
            ProgramError: the foundation was not deployed, or not since these hosts are in the fleet.
        """
        here = pulumi.get_stack()
        outputs = await outputs_of(f"{pulumi.get_organization()}/{pulumi.get_project()}/{stack}")
        found: Any = outputs.get(OUTPUT)
        known = found or {"tunnel_ids": {}, "secrets": {}}
        missing = [f"tunnel for {host}" for host in hosts if host not in known["tunnel_ids"]]
        missing += [f"secret {name}" for name in secrets if name not in known.get("secrets", {})]
        if missing:
            what = "has not been deployed" if found is None else f"knows no {' and no '.join(missing)} yet"
            rule = f"stack {here} needs {stack}, which {what}"
            raise ProgramError(here, [Problem(path=stack, rule=rule, way_out=f"run `pulumi up -s {stack}` first")])
        return cls(
            account_id=found["account_id"],
            zone_id=found["zone_id"],
            tunnel_ids=found["tunnel_ids"],
            tunnel_tokens={name: pulumi.Output.secret(token) for name, token in found["tunnel_tokens"].items()},
            secrets={name: pulumi.Output.secret(value) for name, value in found["secrets"].items()},
            join_keys={name: pulumi.Output.secret(key) for name, key in found.get("join_keys", {}).items()},
        )


async def outputs_of(stack: str) -> dict[str, Any]:
    """All that a stack put out when it was last deployed; nothing where there is no such stack.

    This is the read behind `pulumi.StackReference`, asked as a question: a reference to a stack that does not exist
    ends the program in the engine's words, before it can say what to do.
    """
    try:
        result = await pulumi.runtime.invoke_async("pulumi:pulumi:readStackOutputs", {"name": stack})
    except Exception as error:
        if "unknown stack" in str(error):
            return {}
        raise
    outputs: dict[str, Any] = result["outputs"]
    return outputs
