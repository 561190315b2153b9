"""Force: how an owner insists, for one run, on a plan that a guard refuses."""

from __future__ import annotations

import os

FORCE = "KITESTACKS_FORCE"
"""Environment variable that lists, with commas, the paths whose guards are lifted for one run; it is never kept."""


def is_forced(path: str) -> bool:
    """Whether the owner insists on what a setting does."""
    return path in {each.strip() for each in os.environ.get(FORCE, "").split(",")}
