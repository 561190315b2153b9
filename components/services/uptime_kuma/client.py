"""A client of Uptime Kuma 2, which is spoken to by socket.io alone (`louislam/uptime-kuma:server/server.js`, 2.5.3)."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import requests
import socketio
from socketio.exceptions import SocketIOError

from components.machine import StepError
from components.step_program import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LIMIT = 30
"""Seconds for one answer."""


@contextmanager
def connected(address: str) -> Iterator[Kuma]:
    """A connection for as long as the block lasts.

    Raises:
        StepError: nobody answers at the address.
    """
    kuma = Kuma(address)
    kuma.connect()
    try:
        yield kuma
    finally:
        kuma.close()


class Kuma:
    """One connection. What Kuma sends by itself is kept, the newest of each kind, until it is asked for."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._news = threading.Condition()

    def connect(self) -> None:
        """Waits until the connection stands, and Kuma has said whether it wants a login.

        Raises:
            StepError: nobody answers.
        """
        wait_until(self._connects, "Uptime Kuma")
        self._wait(lambda: "autoLogin" in self._kept or "loginRequired" in self._kept, "autoLogin or loginRequired")

    def connect_anew(self) -> None:
        """Connects again, where Kuma may have ended the connection."""
        self.close()
        self.connect()

    def close(self) -> None:
        """Ends the connection."""
        self._socket.disconnect()

    def ask(self, event: str, *values: object) -> Any:  # noqa: ANN401 - any JSON
        """What Kuma answers to an event, whatever it is.

        Raises:
            StepError: it does not answer.
        """
        try:
            return self._socket.call(event, values, timeout=_LIMIT)
        except SocketIOError as error:
            raise StepError(f"Uptime Kuma did not answer {event}: {type(error).__name__}") from None

    def do(self, event: str, *values: object) -> dict[str, Any]:
        """What Kuma answers to an event that it has to agree to.

        Raises:
            StepError: it does not agree, and why.
        """
        answer = self.ask(event, *values)
        if not answer.get("ok"):
            raise StepError(f"Uptime Kuma refused {event}: {answer.get('msg')}")
        return dict(answer)

    def sent(self, event: str) -> Any:  # noqa: ANN401 - any JSON
        """The newest of what Kuma sends by itself under a name; waits for the first.

        Raises:
            StepError: it sends none.
        """
        self._wait(lambda: event in self._kept, event)
        return self._kept[event]

    def monitors(self) -> list[dict[str, Any]]:
        """All monitors, as Kuma lists them now."""
        with self._news:
            self._kept.pop("monitorList", None)
        self.do("getMonitorList")
        return list(self.sent("monitorList").values())

    def _connects(self) -> bool:
        # The library hears each packet in a thread of its own: one that comes late would end the next connection
        # of the same client, or tell it something old.
        self._kept: dict[str, Any] = {}
        self._socket = socketio.Client(reconnection=False)
        self._socket.on("*", partial(self._keep, self._kept))
        try:
            self._socket.connect(self._address, transports=["websocket"], wait_timeout=_LIMIT)
        except SocketIOError:
            return False
        return True

    def _keep(self, kept: dict[str, Any], event: str, *values: Any) -> None:  # noqa: ANN401 - any JSON
        with self._news:
            kept[event] = values[0] if values else None
            self._news.notify_all()

    def _wait(self, ready: Callable[[], bool], what: str) -> None:
        with self._news:
            if not self._news.wait_for(ready, timeout=_LIMIT):
                raise StepError(f"Uptime Kuma did not send {what}")


def page_groups(address: str, slug: str) -> list[dict[str, Any]]:
    """The headings of a status page with their monitors, as visitors get them.

    Raises:
        StepError: there is no such page.
    """
    answer = requests.get(f"{address}/api/status-page/{slug}", timeout=_LIMIT)
    if not answer.ok:
        raise StepError(f"Uptime Kuma has no status page {slug}: status {answer.status_code}")
    return list(answer.json()["publicGroupList"])
