"""Ready programs from elsewhere: a mirror that the user names, or Pulumi's download site. Nothing unchecked is kept."""

from __future__ import annotations

import functools
import hashlib
import lzma
import os
import platform
import shutil
import sys
import tarfile
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import IO, TYPE_CHECKING

from kitestacks import paths
from toolchain import versions
from toolchain.files import BIN, FOLDER, NotThereError, UnavailableError, digest, whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitestacks.console import Step

MIRROR_VARIABLE = "KITESTACKS_TOOLCHAIN_MIRROR"
SUMS = "SHA256SUMS"
SITE = "https://get.pulumi.com"
CONNECT_SECONDS = 5
"""How long a site may take to answer before the next way is tried."""

CHUNK = 1 << 20
OFFICIAL = ("pulumi", "pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python")
"""What is taken out of Pulumi's release: the engine, its Python language host, and what the host calls."""


@contextmanager
def _open(address: str) -> Iterator[IO[bytes]]:
    """A file by path or http(s) address.

    Raises:
        UnavailableError: It cannot be had; the message says why.
    """
    try:
        if urllib.parse.urlsplit(address).scheme in ("http", "https"):
            with urllib.request.urlopen(address, timeout=CONNECT_SECONDS) as answer:  # noqa: S310 - http(s) only, see above
                yield answer
        else:
            with Path(address).expanduser().open("rb") as file:
                yield file
    except FileNotFoundError:
        raise NotThereError(f"{address} is not there") from None
    except urllib.error.HTTPError as error:
        if error.code == HTTPStatus.NOT_FOUND:
            raise NotThereError(f"{address} is not there") from None
        raise UnavailableError(f"{address}: {error}") from None
    except OSError as error:
        raise UnavailableError(f"{address}: {getattr(error, 'reason', None) or error.strerror or error}") from None


def _sums(address: str) -> dict[str, str]:
    """A checksum file's lines: name to SHA-256."""
    with _open(address) as file:
        lines = file.read(CHUNK).decode(errors="replace").splitlines()
    fields = [line.split(maxsplit=1) for line in lines if line.strip()]
    return {field[1].lstrip("*./"): field[0].lower() for field in fields if len(field) == 2}  # noqa: PLR2004 - checksum, name


def from_mirror(mirror: str, program: str, target: Path, step: Step) -> None:
    """Unpack `<program>.xz` of a mirror to a file.

    It is checked against the mirror's SHA256SUMS; where it has none, against the checksum pinned in this project.

    Raises:
        UnavailableError: It is not there, is damaged, or does not have the checksum it should have.
    """
    archive = f"{program}.xz"
    base = mirror.rstrip("/") + "/"
    try:
        sums: dict[str, str] | None = _sums(base + SUMS)
    except NotThereError:
        sums = None
    if sums is not None and archive not in sums:
        raise UnavailableError(f"{base}{SUMS} does not name {archive}")
    packed, plain = _unpack(base + archive, target, step)
    if sums is not None and packed != sums[archive]:
        raise UnavailableError(f"{base}{archive} has checksum {packed}, {SUMS} says {sums[archive]}")
    if sums is None and plain != versions.KNOWN_GOOD[program]:
        raise UnavailableError(f"{base} has no {SUMS}, and {archive} does not hold the {program} known to this project")


def _unpack(address: str, target: Path, step: Step) -> tuple[str, str]:
    """Decompress to a file; the checksums of what was read and of what was written."""
    packed, plain = hashlib.sha256(), hashlib.sha256()
    unpacker = lzma.LZMADecompressor()
    with _open(address) as source, target.open("wb") as out:
        while chunk := source.read(CHUNK):
            packed.update(chunk)
            try:
                data = unpacker.decompress(chunk)
            except (lzma.LZMAError, EOFError) as error:
                raise UnavailableError(f"{address} is damaged: {error}") from None
            plain.update(data)
            out.write(data)
            step.note(f"{out.tell() / 1e6:.0f} MB unpacked")
    if not unpacker.eof:
        raise UnavailableError(f"{address} is cut short")
    return packed.hexdigest(), plain.hexdigest()


@functools.cache
def site_fault() -> str | None:
    """Why Pulumi's download site cannot be used from here, or None; asked once."""
    try:
        with _open(f"{SITE}/releases/sdk/pulumi-{versions.ENGINE}-checksums.txt"):
            return None
    except UnavailableError as reason:
        return str(reason)


def from_site(step: Step) -> None:
    """Get Pulumi's own release: the engine and its Python language host, into the toolchain's folder.

    Raises:
        UnavailableError: The site cannot be reached, has nothing for this machine, or the checksum is not what it says.
    """
    if (reason := site_fault()) is not None:
        raise UnavailableError(reason)
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine())
    name = f"pulumi-v{versions.ENGINE}-{sys.platform}-{machine}.tar.gz"
    wanted = _sums(f"{SITE}/releases/sdk/pulumi-{versions.ENGINE}-checksums.txt").get(name)
    if wanted is None:
        raise UnavailableError(f"{SITE} has no checksum for {name}")
    with tempfile.TemporaryDirectory(dir=paths.private(FOLDER)) as folder:
        archive = Path(folder, name)
        with _open(f"{SITE}/releases/sdk/{name}") as source, archive.open("wb") as out:
            while chunk := source.read(CHUNK):
                out.write(chunk)
                step.note(f"{out.tell() / 1e6:.0f} MB")
        if (found := digest(archive)) != wanted:
            raise UnavailableError(f"{name} has checksum {found}, the site's list says {wanted}")
        _take_out(archive)


def _take_out(archive: Path) -> None:
    with tarfile.open(archive) as release:
        for member in release:
            name = os.path.basename(member.name)  # noqa: PTH119 - a name inside an archive is no path of this machine
            if member.isfile() and name in OFFICIAL and (content := release.extractfile(member)) is not None:
                with whole(BIN / name) as part, part.open("wb") as out:
                    shutil.copyfileobj(content, out)
