"""Twin: where one rehearsal lives, and what it decided once and must not change."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_FILE = "twin.json"


@dataclass(frozen=True, kw_only=True)
class Twin:
    """One rehearsal of the fleet on this machine.

    Attributes:
        state: The folder that holds all of it: state, passphrase, simulated cloud, logs. Nothing else is touched.
        installation: The mark on its containers and networks, which keeps it apart from the real thing.
        port: Where the local edge answers visitors, on the loopback address.
        connect: host:port where connectors dial the local edge.
        docker: The Docker endpoint; None: there is no daemon, and containers are simulated.
        real_data: Databases, their replication and backups are real; else stand-ins play them.
        account_id: The simulated Cloudflare account.
        zone_id: The simulated zone.
    """

    state: Path
    installation: str = "rehearsal"
    port: int = 8080
    connect: str
    docker: str | None
    real_data: bool = False
    account_id: str = field(default_factory=lambda: secrets.token_hex(16))
    zone_id: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def project(self) -> Path:
        """The Pulumi project that the engine runs in: the real program with rehearsed stack files."""
        return self.state / "project"

    @property
    def backend(self) -> Path:
        """The engine's state, of the rehearsal alone."""
        return self.state / "backend"

    @property
    def public_edge(self) -> str:
        """Where containers reach the local edge, as they reach Cloudflare otherwise."""
        return f"{self.connect.rpartition(':')[0]}:{self.port}"

    @property
    def no_daemon(self) -> str:
        """The endpoint that stands for simulated containers: nobody listens there, least of all a real host."""
        return f"unix://{self.state}/simulated.sock"

    @property
    def passphrase(self) -> Path:
        """The file with the passphrase that encrypts the rehearsal's secrets."""
        return self.state / "passphrase"

    @property
    def logs(self) -> Path:
        """Where the engine's and the helpers' output goes."""
        return self.state / "logs"

    def save(self) -> None:
        """Writes down what was decided; makes the folders, for the owner's eyes only."""
        for folder in (self.state, self.project, self.backend, self.logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.passphrase.exists():
            self.passphrase.touch(mode=0o600)
            self.passphrase.write_text(secrets.token_urlsafe(32))
        decided = {key: value for key, value in asdict(self).items() if key != "state"}
        (self.state / _FILE).write_text(json.dumps(decided, indent=2))


def state_folder() -> Path:
    """The folder of the rehearsal that commands speak of: `KITESTACKS_REHEARSAL`, or the one below this project."""
    return Path(os.environ.get("KITESTACKS_REHEARSAL", ROOT / ".kitestacks" / "rehearsal"))


def load(state: Path) -> Twin | None:
    """The rehearsal that lives in a folder, if one does."""
    file = state / _FILE
    return Twin(state=state, **json.loads(file.read_text())) if file.exists() else None
