"""Comparison: the real program and the bare one side by side, and how both grow."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from bench.cost import Cost, median

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.world import World
    from kitestacks.console import Console

COMMANDS = ("preview", "up")


@dataclass(frozen=True, kw_only=True)
class Ratios:
    """One cost in multiples of another; memory is None where it was not measured."""

    seconds: float
    processor: float
    mebibytes: float | None


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What one command costs with the real program and with the bare one."""

    ours: Cost
    bare: Cost

    @property
    def ratios(self) -> Ratios:
        """The real program in multiples of the bare one."""
        return ratios(self.ours, self.bare)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One stack, measured.

    Attributes:
        stack: The stack.
        services: How many services were generated into it; 0: it is as its file says.
        resources: How many resources both programs register.
        commands: `preview` and `up`, with nothing to do.
        unrefreshed: The real program's preview without the look at what is really there.
    """

    stack: str
    services: int
    resources: int
    commands: Mapping[str, Pair]
    unrefreshed: Cost


@dataclass(frozen=True, kw_only=True)
class Growth:
    """From a smaller stack to a larger one.

    Attributes:
        smaller: Its services.
        larger: Its services.
        resources: How many times the resources.
        commands: How many times the cost of the real program, by command.
        further: What each further resource costs, by command.
    """

    smaller: int
    larger: int
    resources: float
    commands: Mapping[str, Ratios]
    further: Mapping[str, Pair]


def ratios(cost: Cost, base: Cost) -> Ratios:
    """A cost in multiples of another."""
    measured = cost.mebibytes is not None and base.mebibytes
    return Ratios(
        seconds=cost.seconds / base.seconds,
        processor=cost.processor / base.processor,
        mebibytes=(cost.mebibytes or 0) / base.mebibytes if measured and base.mebibytes else None,
    )


def growth(smaller: Comparison, larger: Comparison) -> Growth:
    """How the costs grow from one stack to a larger one."""
    more = larger.resources - smaller.resources
    return Growth(
        smaller=smaller.services,
        larger=larger.services,
        resources=larger.resources / smaller.resources,
        commands={name: ratios(larger.commands[name].ours, smaller.commands[name].ours) for name in COMMANDS},
        further={
            name: Pair(
                ours=_each(smaller.commands[name].ours, larger.commands[name].ours, more),
                bare=_each(smaller.commands[name].bare, larger.commands[name].bare, more),
            )
            for name in COMMANDS
        },
    )


def _each(before: Cost, after: Cost, count: int) -> Cost:
    known = before.mebibytes is not None and after.mebibytes is not None
    return Cost(
        seconds=(after.seconds - before.seconds) / count,
        processor=(after.processor - before.processor) / count,
        mebibytes=((after.mebibytes or 0) - (before.mebibytes or 0)) / count if known else None,
    )


def interleaved(cases: Mapping[str, Callable[[], Cost]], runs: int, note: Callable[[str], None]) -> dict[str, Cost]:
    """The median cost of each case; they take turns, each round in the other direction, so that none is favoured."""
    costs: dict[str, list[Cost]] = {name: [] for name in cases}
    for turn in range(runs):
        for name in list(cases)[:: -1 if turn % 2 else 1]:
            note(f"{name}, run {turn + 1} of {runs}")
            costs[name].append(cases[name]())
    return {name: median(each) for name, each in costs.items()}


def compare(console: Console, world: World, stack: str, *, services: int, runs: int) -> Comparison:
    """Measures both programs on a deployed stack."""
    what = f"{stack} with {services} generated services" if services else stack
    with console.step(f"measure {what}") as step:
        ours = world.real(stack)
        step.note("the bare program")
        bare, resources = world.bare(stack)
        cases = {
            "preview": ours.preview,
            "bare preview": bare.preview,
            "up": ours.up,
            "bare up": bare.up,
            "preview without refresh": lambda: ours.preview("--refresh=false"),
        }
        costs = interleaved(cases, runs, step.note)
    return Comparison(
        stack=stack,
        services=services,
        resources=resources,
        commands={name: Pair(ours=costs[name], bare=costs[f"bare {name}"]) for name in COMMANDS},
        unrefreshed=costs["preview without refresh"],
    )


def growths(comparisons: Sequence[Comparison]) -> list[Growth]:
    """The steps from each generated stack to the next larger one."""
    generated = [each for each in comparisons if each.services]
    return [growth(*pair) for pair in pairwise(generated)]
