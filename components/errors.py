"""What the program says when it can't go on: all faults at once, each with place, rule, value and a way out."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One fault in what was declared.

    Attributes:
        path: Dotted path of the setting, as it stands in the stack file (``services.portal.image``).
        rule: What must hold, and the value that breaks it; never a secret.
        way_out: What to write or type instead.
    """

    path: str
    rule: str
    way_out: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.rule}" + (f" ({self.way_out})" if self.way_out else "")


class ProgramError(pulumi.RunError):
    """Stops the program before anything is registered; its message lists all problems, one a line."""

    def __init__(self, where: str, problems: list[Problem]) -> None:
        self.problems = problems
        faults = "1 fault" if len(problems) == 1 else f"{len(problems)} faults"
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"{where}: {faults}, nothing was changed.\n{lines}")
