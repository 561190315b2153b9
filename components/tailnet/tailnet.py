"""Tailnet: the private network, as far as this program tells Tailscale about it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pulumi

from components.errors import ProgramError
from components.foundation import outputs_of
from components.tailnet.known import known_tailnet, tag_of
from components.tailnet.own_way import newly_cut_off
from components.tailnet.plan import plan_of
from components.tailnet.policy import Policy, dump, policy_of
from components.tailnet.reach import reachability_change
from components.tailnet.tailscale import Acl, TailnetKey, type_token

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from components.fleet import Fleet
    from components.tailnet import parties
    from components.tailnet.plan import Plan

OUTPUT = "tailnet"
"""The stack output that holds the policy as it was last accepted."""
NOTHING = Policy(grants=())
"""What a change is measured against where no policy of this program is known."""


class Tailnet(pulumi.ComponentResource):
    """The tailnet's policy and the keys of its hosts, on the foundation.

    Creates: the one policy document, protected, since without it everything would reach everything; and for each host
    of the fleet one key that joins it under its own tag.
    Leaves out: joining, which is done on the host itself, and the devices of people.

    Attributes:
        policy: The document, once Tailscale has accepted it.
        host_keys: Each host's key; secret, good for one use within 90 days.
    """

    def __init__(self, name: str, *, plan: Plan, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kitestacks:index:Tailnet", name, None, opts)
        explain = pulumi.ErrorHook(f"{name}-policy-refused", explain_refusal(name))
        acl = Acl(
            f"{name}-policy",
            acl=dump(plan.policy),
            opts=pulumi.ResourceOptions(
                parent=self, protect=True, hooks=pulumi.ResourceHookBinding(on_error=[explain])
            ),
        )
        self.policy = acl.acl
        self.host_keys: Mapping[str, pulumi.Output[str]] = {
            host: TailnetKey(
                f"{name}-{host}-key",
                tags=[tag_of(host)],
                description=f"{host} joins once",
                # Only an owned tag can be given, and the policy says who owns it.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[acl]),
            ).key
            for host in plan.hosts
        }
        self.register_outputs({"policy": self.policy})

    def outputs(self) -> dict[str, pulumi.Output[str]]:
        """What the stack puts out: the policy, for the next plan to compare with."""
        return {OUTPUT: self.policy}


async def tailnet_of(fleet: Fleet) -> Tailnet | None:
    """The private network, registered by the foundation where its file has the section; says what it changes.

    Raises:
        ProgramError: an owner who has a way in today would lose it.
    """
    plan = plan_of(fleet) if fleet.here == fleet.foundation else None
    if plan is None:
        return None
    known = await outputs_of(f"{pulumi.get_organization()}/{pulumi.get_project()}/{fleet.here}")
    text = known.get(OUTPUT)
    before = policy_of(json.loads(text)) if text else None
    tailnet = known_tailnet(fleet, plan.policy, *([before] if before else ()))
    problems = list(newly_cut_off(plan, before, tailnet)) if before else []
    if problems:
        raise ProgramError(f"Pulumi.{fleet.here}.yaml", problems)
    _say_change(before, plan.policy, tailnet)
    return Tailnet("tailnet", plan=plan)


def _say_change(before: Policy | None, after: Policy, tailnet: parties.Tailnet) -> None:
    """Prints who newly reaches what and who no longer does; nothing where that stays as it is."""
    lines = reachability_change(before or NOTHING, after, tailnet)
    if not lines:
        return
    heading = "Who reaches whom on the tailnet changes (+ newly, - no longer):"
    if before is None:
        heading = "The tailnet gets its first policy from here. It lets through this and nothing else:"
    pulumi.log.info("\n".join([heading, *(f"  {line}" for line in lines)]))


def explain_refusal(name: str) -> Callable[[pulumi.ErrorHookArgs], bool]:
    """The error hook of the policy: what to do where Tailscale keeps one that somebody else wrote."""
    stack, project = pulumi.get_stack(), pulumi.get_project()
    parent = f"urn:pulumi:{stack}::{project}::kitestacks:index:Tailnet::{name}"
    command = (
        f"pulumi import {type_token(Acl)} {name}-policy acl --parent {name}={parent}"
        f" --generate-code=false --yes -s {stack}"
    )

    def hook(args: pulumi.ErrorHookArgs) -> bool:
        if any("non-default policy" in error or "(412)" in error for error in args.errors):
            pulumi.log.error(
                "the tailnet has a policy already, and this program overwrites none that it does not know.\n"
                f"Take it over by one command: {command}\n"
                f"Then pulumi preview -s {stack} shows what would change of it."
            )
        return False

    return hook
