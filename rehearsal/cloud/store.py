"""The simulated cloud's memory: one JSON file, replaced whole on every change."""

from __future__ import annotations

import copy
import fcntl
import json
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Data = dict[str, Any]

_EMPTY: Data = {
    "cloudflare": {
        "account_id": "",
        "connect": "",
        "plan": "enterprise",
        "zones": {},
        "tunnels": {},
        "tunnel_configs": {},
        "dns_records": {},
        "monitors": {},
        "pools": {},
        "load_balancers": {},
    },
    "tailscale": {"policy": None, "keys": {}},
    "command": {"commands": {}, "runs": []},
    "docker": {"containers": {}, "networks": {}, "volumes": {}, "images": {}},
}


DEVICES = "tailnet.devices.json"
"""The file that says which hosts have joined the simulated tailnet."""
DISKS = "disks"
"""The folder of a rehearsal that holds its hosts' disks."""


class StateError(Exception):
    """The state folder cannot be used; the message says why and what to do."""


def write_private(path: Path, content: object) -> None:
    """Replace a file at once with JSON that only its owner can read."""
    fresh = path.with_name(f".{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
    fresh.replace(path)


class Store:
    """The cloud of one rehearsal, shared by all simulated providers.

    Creates ``cloud.json`` in the state folder. A file edited by hand is read again, so that drift can be rehearsed.

    Args:
        folder: the rehearsal's state folder; made if it is not there.
        real_data: databases are real ones, so that their steps can be run.
    """

    def __init__(self, folder: Path, *, real_data: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self.real_data = real_data
        self._path = folder / "cloud.json"
        self._lock = threading.RLock()
        self._stamp: tuple[int, int, int] | None = None
        self._data: Data = copy.deepcopy(_EMPTY)
        if not self._path.exists():
            write_private(self._path, self._data)

    def view(self) -> Data:
        """Read the cloud as it is now; not to be changed.

        Raises:
            StateError: the file is not what this class wrote.
        """
        with self._lock:
            try:
                facts = self._path.stat()
                stamp = (facts.st_mtime_ns, facts.st_ino, facts.st_size)
                if stamp != self._stamp:
                    read = json.loads(self._path.read_text(encoding="utf-8"))
                    self._data = {part: {**empty, **read.get(part, {})} for part, empty in _EMPTY.items()}
                    self._stamp = stamp
            except (OSError, ValueError, AttributeError, TypeError) as error:
                message = f"{self._path} cannot be read ({error}); remove it to begin with an empty cloud"
                raise StateError(message) from error
            return self._data

    @contextmanager
    def change(self) -> Iterator[Data]:
        """Change the cloud: a copy to work on, kept if the block ends well and forgotten if it raises."""
        with self._lock:
            fresh = copy.deepcopy(self.view())
            yield fresh
            write_private(self._path, fresh)

    def seed(
        self, account_id: str | None, zones: Mapping[str, str], connect: str | None, plan: str | None = None
    ) -> None:
        """Put in place what no program creates: the account, its zones, their plan and where connectors dial."""
        with self.change() as data:
            cloudflare = data["cloudflare"]
            cloudflare["account_id"] = account_id or cloudflare["account_id"]
            cloudflare["connect"] = connect or cloudflare["connect"]
            cloudflare["plan"] = plan or cloudflare["plan"]
            cloudflare["zones"].update(zones)

    def connections(self, tunnel_id: str) -> int:
        """Count the live connections of a tunnel; the edge writes them, and without an edge there are none."""
        try:
            counts = json.loads((self.folder / "edge.connections.json").read_text(encoding="utf-8"))
            return int(counts.get(tunnel_id, 0))
        except (FileNotFoundError, ValueError):
            return 0

    def devices(self) -> dict[str, dict[str, str]]:
        """Give the devices that have joined the tailnet: the rehearsal writes its hosts down, with their addresses."""
        try:
            found: dict[str, dict[str, str]] = json.loads((self.folder / DEVICES).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return found


def claim(folder: Path) -> TextIO:
    """Take the folder for this process; the claim ends with the process, however it ends.

    Raises:
        StateError: another process has it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "cloud.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    lock = os.fdopen(descriptor, "r+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = lock.read().strip() or "unknown"
        lock.close()
        message = f"a simulated cloud already serves {folder} (process {holder}); stop it first or use another --state"
        raise StateError(message) from error
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock
