"""RUNBOOK.md as tests read it: its pages, and the commands that each tells its reader to type."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from components.runbook.facts import NEEDS_THE_REAL_THING
from tests.stack_files import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = ROOT / "RUNBOOK.md"
_PROGRAMS = (
    "cat",
    "curl",
    "docker",
    "df",
    "du",
    "for",
    "git",
    "make",
    "pulumi",
    "python3",
    "source",
    "ssh",
    "sudo",
    "tailscale",
)


def pages() -> dict[str, str]:
    """Each fault's text by its title; what stands above the first has none."""
    head, *faults = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    return {"": head} | {fault.partition("\n")[0]: fault.partition("\n")[2] for fault in faults}


def commands(text: str) -> Iterator[str]:
    """Everything that a page says to type, in order: indented lines, and words in backticks with arguments."""
    for line in text.splitlines():
        if line.startswith("    "):
            if not line.strip().startswith(("error:", "It is running", "Its last", "|", "(", "export")):
                yield line.strip()
        else:
            found = re.findall(r"`([^`]+)`", line)
            yield from (code for code in found if code.split()[0] in _PROGRAMS and len(code.split()) > 1)


def needs_the_real_thing(command: str) -> bool:
    """Whether the page itself says that no rehearsal plays it."""
    return command.startswith(tuple(known.partition("<")[0] for known in NEEDS_THE_REAL_THING))
