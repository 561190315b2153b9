"""Line: what the tailnet is between two hosts, a way for TCP connections that can be cut without a word to anybody."""

from __future__ import annotations

import contextlib
import socket
import threading

from tests.ports import free_port

_BLOCK = 65536
_FILLERS = 4
"""Half-open connections that fill a queue of one; the kernel drops whatever comes after them."""


class Line:
    """A loopback port that leads to another one.

    Cut, it loses packets as a network does: who is connected waits, and who dials gets no answer, not even a refusal.

    Args:
        target: The port that it leads to.
    """

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self._target = target
        self._whole = threading.Event()
        self._open: set[socket.socket] = set()
        self._door: list[socket.socket] = []

    def start(self) -> None:
        """Carries what comes, and what waited while it was cut."""
        self._close_door()
        door = self._listen(64)
        self._whole.set()
        threading.Thread(target=self._serve, args=(door,), daemon=True).start()

    def cut(self) -> None:
        """Loses everything from now on."""
        self._whole.clear()
        self._close_door()
        self._listen(0)
        for _ in range(_FILLERS):
            filler = socket.socket()
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(("127.0.0.1", self.port))
            self._door.append(filler)

    def stop(self) -> None:
        """Ends every connection, as the end of a host at one side does in time."""
        self._close_door()
        self._whole.set()
        for each in tuple(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _listen(self, queue: int) -> socket.socket:
        door = socket.socket()
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(("127.0.0.1", self.port))
        door.listen(queue)
        self._door.append(door)
        return door

    def _close_door(self) -> None:
        for each in self._door:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self._door.clear()

    def _serve(self, door: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                outer, _ = door.accept()
                threading.Thread(target=self._carry, args=(outer,), daemon=True).start()

    def _carry(self, outer: socket.socket) -> None:
        with contextlib.suppress(OSError), outer, socket.create_connection(("127.0.0.1", self._target)) as inner:
            self._open |= {outer, inner}
            back = threading.Thread(target=self._pump, args=(inner, outer), daemon=True)
            back.start()
            self._pump(outer, inner)
            back.join()
            self._open -= {outer, inner}

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(_BLOCK):
                self._whole.wait()
                sink.sendall(block)
        self._whole.wait()
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
