"""A real Debian root as a Docker image, made once by debootstrap and kept below `.kitestacks`."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.stack_files import ROOT

_SUITE = "bookworm"
_PACKAGES = ("ca-certificates", "gpg", "iproute2", "nftables", "openssh-server", "sudo")
_RECIPE = hashlib.sha256(" ".join((_SUITE, *_PACKAGES)).encode()).hexdigest()[:12]
IMAGE = f"kitestacks-tests-debian:{_RECIPE}"
_CACHE = ROOT / ".kitestacks" / "tests"


def missing() -> str:
    """What the tests lack, with the command that brings it; empty if nothing."""
    if os.geteuid() != 0:
        return "makes a Debian root, which only root can"
    programs = {"debootstrap": "debootstrap", "ssh": "openssh-client", "gpg": "gpg", "docker": "docker.io"}
    absent = [package for program, package in programs.items() if shutil.which(program) is None]
    if absent:
        return f"needs {', '.join(absent)}: apt-get install {' '.join(absent)}"
    if _docker("info").returncode:
        return "needs a Docker daemon: apt-get install docker.io"
    return ""


def image() -> str:
    """The image's name; makes it where it is not there."""
    if _docker("image", "inspect", IMAGE).returncode == 0:
        return IMAGE
    kept = _CACHE / f"debian-{_RECIPE}.tar"
    if not kept.exists():
        _make_root(kept)
    imported = _docker("import", str(kept), IMAGE)
    assert imported.returncode == 0, imported.stderr
    return IMAGE


def _make_root(kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
        root = Path(scratch) / "root"
        command = ["debootstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", _SUITE, str(root)]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stdout[-2000:] + made.stderr[-2000:]
        partial = kept.with_suffix(".partial")
        leave_out = ["--exclude=./dev/*", "--exclude=./proc/*", "--exclude=./var/cache/apt/archives/*.deb"]
        subprocess.run(["tar", "-C", str(root), *leave_out, "-cf", str(partial), "."], check=True)
        partial.rename(kept)


def _docker(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
