"""Packages that are signed once, and a fresh machine for each test that wants one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.host_setup import debian
from tests.host_setup.asked import Packages
from tests.host_setup.machine import Machine
from tests.host_setup.packages import Signer, docker_packages, tailscale_packages, write_repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packages]:
    """Two versions each of Docker and Tailscale, as their own repositories offer them; skips where tools lack."""
    if reason := debian.missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("packages")
    folder.chmod(0o755)  # apt reads it as a user of its own
    signer = Signer()
    try:
        docker, tailscale = folder / "docker" / "debian", folder / "tailscale" / "debian"
        both = [*docker_packages("28.5.0"), *docker_packages("28.5.1")[1:]]
        write_repository(docker, "stable", both, signer)
        write_repository(tailscale, "main", [*tailscale_packages("1.102.2"), *tailscale_packages("1.102.3")], signer)
        (docker / "gpg").write_bytes(signer.public_key(armored=True))
        (tailscale / "bookworm.noarmor.gpg").write_bytes(signer.public_key(armored=False))
        yield Packages(folder=folder, fingerprint=signer.fingerprint)
    finally:
        signer.close()
        shutil.rmtree(folder)


@pytest.fixture
def machine(tmp_path: Path, packages: Packages) -> Iterator[Machine]:
    """A fresh Debian machine that has nothing of KiteStacks yet."""
    started = Machine.start(tmp_path / "machine", packages.folder)
    try:
        yield started
    finally:
        started.remove()
