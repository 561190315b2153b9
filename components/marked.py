"""Marked: a part of a page that the program writes, between two marks that its readers do not see."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def renewed(page: str, name: str, how: str, lines: Iterable[str]) -> str:
    """The page with its part of that name written anew.

    Args:
        page: The page.
        name: What the part is called.
        how: What to type to have it written; stands in the mark.
        lines: The part.

    Raises:
        ValueError: the page has lost its marks.
    """
    begin, end = f"<!-- {name}: `{how}` writes what follows -->", f"<!-- end of {name} -->"
    head, found, rest = page.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        msg = f"the page has no {begin} and {end}"
        raise ValueError(msg)
    return "\n".join([f"{head}{begin}", "", *lines, "", f"{end}{tail}"])
