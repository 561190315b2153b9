"""The owner's own way in: SSH from the owner's devices to every host. Once cut, it can't be mended from afar."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.errors import Problem
from components.tailnet.evaluate import Evaluator
from components.tailnet.settings import OWNER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.tailnet.parties import Tailnet
    from components.tailnet.plan import Plan
    from components.tailnet.policy import Policy


def cut_off(plan: Plan, tailnet: Tailnet) -> Iterator[Problem]:
    """One problem for each owner and host between which no rule opens SSH; none where that was said out loud."""
    if plan.settings.cut_own_way:
        return
    evaluator = Evaluator(plan.policy, tailnet)
    for login in plan.settings.groups[OWNER]:
        for host, port in plan.hosts.items():
            if not _reaches(evaluator, login, host, port):
                yield Problem(
                    path=f"{plan.at}tailnet.access",
                    rule=f"must let {login} reach {host} on tcp {port}, the owner's own way in, and does not",
                    way_out=f"add {{from: [{OWNER}], ports: [{port}]}}, or say it out loud: `cut-own-way: true`",
                )


def newly_cut_off(plan: Plan, before: Policy, tailnet: Tailnet) -> Iterator[Problem]:
    """One problem for each owner whom the policy before let in by SSH and this one does not.

    The group may have lost a login, by intent or by a typing error: `cut_off` only knows those that are left.
    """
    if plan.settings.cut_own_way:
        return
    old, new = Evaluator(before, tailnet), Evaluator(plan.policy, tailnet)
    for login in before.groups.get(f"group:{OWNER}", ()):
        for host, port in plan.hosts.items():
            if _reaches(old, login, host, port) and not _reaches(new, login, host, port):
                yield Problem(
                    path=f"{plan.at}tailnet.groups.{OWNER}",
                    rule=f"must keep {login}, who reaches {host} on tcp {port} today and would not any more",
                    way_out="put the login back, or say it out loud: `cut-own-way: true`",
                )


def _reaches(evaluator: Evaluator, login: str, host: str, port: int) -> bool:
    tailnet = evaluator.tailnet
    destination = next(tailnet.party(device) for device in tailnet.devices if device.name == host)
    return evaluator.reach(tailnet.person(login), destination, port).allowed
