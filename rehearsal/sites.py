"""Asks sites through the local edge, as a visitor would."""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kitestacks.exits import CommandError, Exit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rehearsal.twin import Twin

_PATIENCE = 30.0
"""Seconds that a site may take after `up` has ended."""
_TIMEOUT = 2.0
"""Seconds after which a visitor has no answer."""


@dataclass(frozen=True)
class Answer:
    """What a visitor got.

    Attributes:
        status: HTTP status; None: no answer at all.
        by: The connector that carried it, by its container's name.
        fault: The edge's code for what is missing, if something is.
    """

    status: int | None
    by: str = ""
    fault: str = ""

    @property
    def good(self) -> bool:
        """Whether the site itself answered."""
        return self.status is not None and self.status < http.client.BAD_REQUEST


def ask(twin: Twin, hostname: str, path: str = "/", upload: bytes | None = None) -> Answer:
    """One request to a site through the edge; with `upload` it brings something along."""
    connection = http.client.HTTPConnection("127.0.0.1", twin.port, timeout=_TIMEOUT)
    try:
        connection.request("GET" if upload is None else "POST", path, upload, headers={"Host": hostname})
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        return Answer(None)
    finally:
        connection.close()
    return Answer(
        response.status,
        response.headers.get("X-Rehearsal-Connector", ""),
        response.headers.get("X-Rehearsal-Fault", ""),
    )


def local_address(twin: Twin, hostname: str) -> str:
    """The site's address in a browser on this machine: kitestacks.com becomes kitestacks.localhost."""
    return f"http://{hostname.rpartition('.')[0]}.localhost:{twin.port}"


def wait_until_answering(twin: Twin, hostnames: Iterable[str]) -> None:
    """Waits until every site answers.

    Raises:
        CommandError: one does not in time; says what its last answer was.
    """
    deadline = time.monotonic() + _PATIENCE
    for hostname in hostnames:
        while not (answer := ask(twin, hostname)).good:
            if time.monotonic() > deadline:
                what = f"status {answer.status}, fault {answer.fault or 'unknown'}" if answer.status else "nothing"
                raise CommandError(
                    f"{hostname} does not answer through the edge (got {what})", "make rehearsal-status", Exit.TIMEOUT
                )
            time.sleep(0.1)
