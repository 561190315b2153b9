"""Data folders: made with their owners before a container starts, since Docker would make them root's."""

from __future__ import annotations

from dataclasses import dataclass


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
