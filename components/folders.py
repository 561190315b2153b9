"""Data folders: made with their owners before a container starts, since Docker would make them root's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, kw_only=True)
class DataFolder:
    """A folder below the host's data root.

    Attributes:
        path: Relative to the data root, for example `bookstack-db`.
        owner: Numeric user and group of the program that writes there.
        mode: Octal permissions.
    """

    path: str
    owner: str = "0:0"
    mode: str = "0750"


def outermost(folders: Iterable[str]) -> tuple[str, ...]:
    """Folders without those that lie in another of them: what is copied or moved as a whole must be so once."""
    found = sorted(set(folders))
    return tuple(each for each in found if not any(PurePosixPath(each).is_relative_to(o) for o in found if o != each))
