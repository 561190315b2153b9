"""Distribution: images of the programs that keep data, of Debian's packages, where the real ones can't be had.

PostgreSQL and MariaDB are Debian's; restic, rest-server, supercronic and Syncthing are built from Go modules. Each
image has the interface of the real one, as far as the plans use it (the folders in `data/`).
"""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from docker.errors import ImageNotFound

from components.databases import postgres_data
from rehearsal.images.archive import add_bytes, add_program
from rehearsal.images.program import ImageError
from rehearsal.images.roles import local_tag, plain_repository
from toolchain.restic import REST_SERVER, RESTIC, SUPERCRONIC
from toolchain.syncthing import SYNCTHING

if TYPE_CHECKING:
    from docker.client import DockerClient

    from kitestacks.console import Console

_FOLDER = Path(__file__).with_name("data")
_SUITE = "trixie"
"""PostgreSQL 17 and MariaDB 11.8."""
_PACKAGES = ("curl", "mariadb-server", "netcat-openbsd", "postgresql", "python3", "python3-pymysql")
_OPTIONS = (
    "--variant=apt",
    '--aptopt=Acquire::Languages { "none"; }',
    *(f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "locale", "man")),
    # What the packages' own scripts made for a server that starts by itself.
    '--customize-hook=rm -rf "$1"/var/lib/mysql/* "$1"/var/lib/postgresql/*',
)
_BASE = "kitestacks-rehearsal/debian"
_IMAGES = {
    "linuxserver/bookstack": "bookstack",
    "kitestacks/backup": "backup",
    "mariadb": "mariadb",
    "postgres": "postgres",
    "restic/rest-server": "rest-server",
    "syncthing/syncthing": "syncthing",
}
"""The folder of each image, by the real one's repository."""
_BUILT = {"backup": (RESTIC, SUPERCRONIC), "rest-server": (REST_SERVER,), "syncthing": (SYNCTHING,)}


def keeps_data(image: str) -> bool:
    """Whether an image is of a program that keeps data, whose work a rehearsal with real data needs done."""
    return plain_repository(image) in _IMAGES


@dataclass(frozen=True)
class DataRecipe:
    """What the image of such a program is made of.

    Attributes:
        image: The real image's reference.
        console: Where to say what is being built.
    """

    image: str
    console: Console

    @property
    def has_real(self) -> bool:
        """Whether the real image is worth a try; the wiki is always the small one, whose pages a drill can read."""
        return self._folder.name != "bookstack"

    @property
    def tag(self) -> str:
        """Its name in the local daemon; a stand-in of the same image may be there beside it."""
        return local_tag(self.image, "debian/")

    @property
    def inputs(self) -> str:
        """A hash of all that goes in."""
        digest = hashlib.sha256(f"{_base_hash()} {self.image}".encode())
        for file in sorted(self._folder.iterdir()):
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
        for program in _BUILT.get(self._folder.name, ()):
            digest.update(program.version.encode())
        return digest.hexdigest()

    @property
    def buildargs(self) -> dict[str, str]:
        """What its Dockerfile asks for."""
        return {"BASE": f"{_BASE}:{_base_hash()}", "PGDATA": postgres_data(self.image)}

    def prepare(self, client: DockerClient) -> None:
        """Sees to it that the first layer, the same in all of these images, is there.

        Raises:
            ImageError: it can't be made here.
        """
        try:
            client.api.inspect_image(self.buildargs["BASE"])
        except ImageNotFound:
            _make_base(client, self.console)

    def context(self) -> io.BytesIO:
        """The archive that the daemon builds from.

        Raises:
            CommandError: a program can't be built.
        """
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for file in sorted(self._folder.iterdir()):
                mode = 0o755 if file.suffix == ".sh" else 0o644
                add_bytes(tar, file.name, file.read_bytes(), mode)
            for program in _BUILT.get(self._folder.name, ()):
                add_program(tar, program.ensure(self.console), program.name)
            if self._folder.name == "backup":
                add_program(tar, Path(shutil.which("docker") or "/usr/bin/docker"), "docker")
        archive.seek(0)
        return archive

    @property
    def _folder(self) -> Path:
        return _FOLDER / _IMAGES[plain_repository(self.image)]


def _base_hash() -> str:
    return hashlib.sha256(" ".join((_SUITE, *_PACKAGES, *_OPTIONS)).encode()).hexdigest()[:12]


def _make_base(client: DockerClient, console: Console) -> None:
    program = shutil.which("mmdebstrap")
    if program is None:
        raise ImageError(
            "real databases need images that can't be pulled here, or mmdebstrap to make them of Debian's packages: "
            "apt-get install mmdebstrap"
        )
    with (
        console.step("make a Debian with PostgreSQL and MariaDB (about a minute, once)"),
        tempfile.TemporaryDirectory(prefix="kitestacks-debian-") as folder,
    ):
        made = Path(folder, "root.tar")
        command = [program, *_OPTIONS, f"--include={','.join(_PACKAGES)}", _SUITE, str(made)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ImageError(f"mmdebstrap could not make a Debian {_SUITE}:\n{done.stderr.strip()[-1000:]}")
        with made.open("rb") as root:
            client.api.import_image_from_data(root, _BASE, _base_hash())
