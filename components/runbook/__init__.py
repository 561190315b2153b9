"""Runbook: RUNBOOK.md, rendered from what the stack files declare, so that it types names that exist.

The page is a template in plain Markdown (`RUNBOOK.md.j2`); what differs from fleet to fleet comes from `facts.py`, and
when each fault was last rehearsed from docs/rehearsed.json.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from components.runbook.facts import NEEDS_THE_REAL_THING, facts_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.fleet import Fleet
    from components.runbook.rehearsed import Rehearsal

_TEMPLATE = "RUNBOOK.md.j2"


def runbook_text(fleet: Fleet, rehearsed: Mapping[str, Rehearsal]) -> str:
    """The page.

    Args:
        fleet: What the stack files declare.
        rehearsed: The last rehearsal of each fault, by its title.
    """

    def last(title: str) -> str:
        found = rehearsed.get(title)
        return f"**Last rehearsed:** {f'{found.date}, {found.by}' if found else 'never'}."

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=False,  # noqa: S701 - Markdown, of the owner's own names
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    page = environment.get_template(_TEMPLATE)
    return page.render(facts=facts_of(fleet), last_rehearsed=last, real=NEEDS_THE_REAL_THING)
