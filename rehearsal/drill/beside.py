"""Beside: what somebody goes on doing while a drill is played."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Self


class Beside(ABC):
    """Does one thing again and again in a thread of its own, for as long as the block lasts.

    Args:
        pause: Seconds between two times.
    """

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @abstractmethod
    def once(self) -> None:
        """Does it."""

    def _go_on(self) -> None:
        while not self._ended.is_set():
            self.once()
            self._ended.wait(self._pause)
