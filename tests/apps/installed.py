"""Gets the real apps from their registries, each into a folder of its own below `.kitestacks/apps`, once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from email.parser import Parser
from typing import TYPE_CHECKING
from zipfile import ZipFile

import pytest

from kitestacks import paths

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

APPS = paths.STATE / "apps"
LITELLM = "litellm[proxy]==1.99.2"
"""The release beside the pinned image's that the registry has."""
OPEN_WEBUI = "open-webui==0.11.0"
OIDC_PROVIDER = "oidc-provider@8.8.1"
_HEAVY = ("accelerate", "sentence-transformers")
"""What Open WebUI asks for to search in documents on its own processor; it brings gigabytes and no login needs it."""


def litellm() -> Path:
    """The Python of an environment with LiteLLM's proxy."""
    return _environment("litellm", [[LITELLM, "prometheus-client"]])


def open_webui() -> Path:
    """The Python of an environment with Open WebUI, without what is heavy and not needed to log in."""
    folder = APPS / "wheels"
    _run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), OPEN_WEBUI])
    (wheel,) = folder.glob("open_webui-*.whl")
    return _environment("open-webui", [_light_requirements(wheel), ["--no-deps", str(wheel)]])


def oidc_provider() -> Path:
    """The folder in which node finds oidc-provider."""
    folder = APPS / "oidc-provider"
    if not (folder / "node_modules").is_dir():
        npm = shutil.which("npm")
        if npm is None:
            pytest.fail("npm is needed for the login that stands in for Authentik: apt-get install npm")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}\n')
        _run([npm, "install", "--no-audit", "--no-fund", OIDC_PROVIDER], cwd=folder)
    return folder


def _light_requirements(wheel: Path) -> list[str]:
    with ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        wanted = Parser().parsestr(archive.read(name).decode()).get_all("Requires-Dist", [])
    return [each for each in wanted if "extra ==" not in each and not each.startswith(_HEAVY)]


def _environment(name: str, installs: Sequence[Sequence[str]]) -> Path:
    """A virtual environment, finished as soon as its mark is there."""
    folder = APPS / name
    python, mark = folder / "bin" / "python", folder / "finished"
    if not mark.exists():
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        for wanted in installs:
            _run([str(python), "-m", "pip", "install", "-q", *wanted])
        mark.touch()
    return python


def _run(command: Sequence[str], cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"{' '.join(command[:6])} ...: {done.stderr[-2000:]}")
