"""Build: a local image for every image that the stack files name, made only when something changed."""
# The Docker SDK brings no types.
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import hashlib
import io
import tarfile
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from docker.errors import DockerException, ImageNotFound
from urllib3.exceptions import HTTPError

from kitestacks.console import Console
from rehearsal.daemon import DaemonError, connect
from rehearsal.images.archive import add_bytes, add_folder, add_program
from rehearsal.images.distribution import DataRecipe, keeps_data
from rehearsal.images.program import ImageError, source_hash, standin_binary
from rehearsal.images.roles import Part, Role, local_tag, repository_of, role_of, version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from docker.client import DockerClient

HASH_LABEL = "kitestacks.rehearsal.inputs"
DEFAULT_CADDY = Path(__file__).parents[2] / ".kitestacks" / "toolchain" / "bin" / "caddy"
_PULL_PATIENCE = 15
"""Seconds without a word from the registry."""
_PLAYED = ("bin/bash", "bin/cat", "bin/curl", "bin/node_exporter", "bin/sh", "bin/wget", "usr/bin/curl", "usr/bin/wget")
"""Programs that behave in a stand-in as they do in a real image."""
_ASKED = ("ak", "healthcheck.sh", "nc", "node", "pg_isready", "python", "python3", "redis-cli")
"""Programs of real images that health checks call: in a stand-in each asks whether the service answers."""
LINKS = (*_PLAYED, *(f"bin/{name}" for name in _ASKED), "extra/healthcheck", "usr/local/bin/cloudflared")
"""Where the one program lies in every image."""
_BASE = "FROM scratch\nCOPY standin /\n"
"""The first layer, with the program and /tmp, the same in all images and therefore kept once."""
_LAYOUT = 2
"""To be counted up when the files of `context` change in another way than by their content."""
_DOCKERFILES = {
    Part.CONNECTOR: 'USER 65532:65532\nENTRYPOINT ["cloudflared", "--no-autoupdate"]\nCMD ["version"]\n',
    Part.NODE_EXPORTER: 'EXPOSE 9100\nUSER 65534:65534\nENTRYPOINT ["/bin/node_exporter"]\n',
    Part.SERVICE: 'ENV STANDIN_NAME="{name}" STANDIN_PORTS="{ports}"\nENTRYPOINT ["/bin/standin", "service"]\n',
    Part.CADDY: (
        "COPY caddy /\nENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data\nEXPOSE 80 443\nWORKDIR /srv\n"
        'CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]\n'
    ),
}
_CADDYFILE = b":80\nroot * /srv\nfile_server\n"


@dataclass(frozen=True)
class _Recipe:
    """What a stand-in is made of."""

    image: str
    role: Role
    caddy: Path
    build_caddy: Callable[[], object] | None
    buildargs: Mapping[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        """Its name in the local daemon."""
        return local_tag(self.image)

    @property
    def has_real(self) -> bool:
        """Whether the real image is worth a try."""
        return self.role.part is Part.CADDY

    @property
    def dockerfile(self) -> str:
        ports = ",".join(map(str, self.role.ports))
        return _BASE + _DOCKERFILES[self.role.part].format(name=self.role.name, ports=ports)

    @property
    def inputs(self) -> str:
        """A hash of all that goes in; a Caddy program counts by its size, since reading it takes too long."""
        digest = hashlib.sha256(f"{_LAYOUT} {source_hash()} {self.dockerfile}".encode())
        if self.role.part is Part.CADDY and self.caddy.is_file():
            digest.update(f"{self.caddy.stat().st_size}".encode() + _CADDYFILE)
        return digest.hexdigest()

    def prepare(self, _: DockerClient) -> None:
        """Gets the Caddy program, if it needs one that is not there."""
        if self.role.part is Part.CADDY and not self.caddy.is_file() and self.build_caddy:
            self.build_caddy()

    def context(self) -> io.BytesIO:
        """The archive that the daemon builds from."""
        if self.role.part is Part.CADDY and not self.caddy.is_file():
            raise ImageError(
                f"the real caddy image can't be pulled, and no Caddy program to build one around is at {self.caddy}"
            )
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            add_bytes(tar, "Dockerfile", self.dockerfile.encode())
            add_program(tar, standin_binary(), "standin/bin/standin")
            add_folder(tar, "standin/tmp", 0o1777)
            for link in LINKS:
                entry = tarfile.TarInfo(f"standin/{link}")
                entry.type, entry.linkname = tarfile.SYMTYPE, "/bin/standin"
                tar.addfile(entry)
            if self.role.part is Part.CADDY:
                add_program(tar, self.caddy, "caddy/usr/bin/caddy")
                add_bytes(tar, "caddy/etc/caddy/Caddyfile", _CADDYFILE)
                for folder in ("config", "data", "srv"):
                    add_folder(tar, f"caddy/{folder}", 0o755)
        archive.seek(0)
        return archive


def ensure(
    images: Mapping[str, Sequence[int]],
    console: Console | None = None,
    *,
    caddy: Path = DEFAULT_CADDY,
    build_caddy: Callable[[], object] | None = None,
    real_data: bool = False,
) -> dict[str, str]:
    """Sees to it that the local daemon has an image for each of the given ones.

    Args:
        images: References as they stand in the stack files, each with the ports that its service declares.
        console: Where to say what is being built.
        caddy: A static Caddy program, for the case that the real Caddy image can't be pulled.
        build_caddy: What makes that program, called only when it is needed and not there.
        real_data: Whether the programs that keep data have to be real ones.

    Returns:
        Each reference with the local one to run in its place; a real image stands for itself.

    Raises:
        ImageError: there is no daemon, no Go, or no Caddy where they are needed, or the daemon refuses.
    """
    try:
        with closing(connect()) as client:
            hashes = _local_hashes(client)
            local: dict[str, str] = {}
            for image, ports in sorted(images.items()):
                recipe: _Recipe | DataRecipe
                if real_data and keeps_data(image):
                    recipe = DataRecipe(image, console or Console())
                else:
                    recipe = _Recipe(image, role_of(image, ports), caddy, build_caddy)
                local[image] = _find(client, recipe, hashes, console) or _build(client, recipe, console)
            return local
    except (DaemonError, DockerException, OSError) as error:
        raise ImageError(f"the stand-in images can't be built: {error}") from error


def _find(
    client: DockerClient, recipe: _Recipe | DataRecipe, hashes: Mapping[str, str], console: Console | None
) -> str | None:
    """A reference for an image that need not be built: the real one, or one made from what is there now."""
    if recipe.has_real and _is_here(client, recipe.image):
        return recipe.image
    if hashes.get(recipe.tag) == recipe.inputs:
        return recipe.tag
    return recipe.image if recipe.has_real and _pull(recipe.image, console) else None


def _build(client: DockerClient, recipe: _Recipe | DataRecipe, console: Console | None) -> str:
    recipe.prepare(client)
    with _doing(console, f"build what stands for {recipe.image}"):
        client.images.build(
            fileobj=recipe.context(),
            custom_context=True,
            tag=recipe.tag,
            buildargs=dict(recipe.buildargs),
            labels={HASH_LABEL: recipe.inputs},
            rm=True,
            forcerm=True,
        )
    return recipe.tag


def _local_hashes(client: DockerClient) -> dict[str, str]:
    """What each stand-in in the daemon was made of."""
    images = client.api.images(filters={"label": HASH_LABEL})
    return {tag: image["Labels"][HASH_LABEL] for image in images for tag in image["RepoTags"] or ()}


def _is_here(client: DockerClient, image: str) -> bool:
    try:
        client.api.inspect_image(image)
    except ImageNotFound:
        return False
    return True


def _pull(image: str, console: Console | None) -> bool:
    """Tries to get the real image, as long as the registry keeps talking."""
    patient = connect(timeout=_PULL_PATIENCE)
    with closing(patient), _doing(console, f"pull {image}"):
        try:
            for line in patient.api.pull(repository_of(image), tag=version_of(image), stream=True, decode=True):
                if "error" in line:
                    return False
        except (DockerException, OSError, HTTPError):
            return False
        return _is_here(patient, image)


def _doing(console: Console | None, what: str) -> AbstractContextManager[object]:
    return console.step(what) if console else nullcontext()
