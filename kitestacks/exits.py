"""How a command ends: Pulumi's exit numbers, and the error a user can act on."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Pulumi's own table ("Pulumi CLI Exit Codes"), so that a script needs to know one table only."""

    OK = 0
    OTHER = 1
    CONFIGURATION = 2
    AUTHENTICATION = 3
    RESOURCE = 4
    POLICY = 5
    NO_SUCH_STACK = 6
    NO_CHANGES = 7
    CANCELLED = 8
    TIMEOUT = 9
    INTERNAL = 255


class CommandError(Exception):
    """A failure that is the user's to mend. It is printed as what, why and the way out, without a traceback.

    Args:
        message: What failed and why; more lines (the end of a log, say) may follow the first.
        way_out: What to do about it, as a command where there is one; empty when there is nothing to be done.
        exit_code: How the command ends.
    """

    def __init__(self, message: str, way_out: str = "", exit_code: Exit = Exit.OTHER) -> None:
        super().__init__(message)
        self.message = message
        self.way_out = way_out
        self.exit_code = exit_code
