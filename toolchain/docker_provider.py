"""The Docker provider: from a mirror, Pulumi's download site, or built from Go modules.

It is kept in the engine's plugin cache, where it is found without a warning.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from kitestacks import paths
from toolchain import fetch, gobuild, versions
from toolchain.files import FOLDER, HOME, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitestacks.console import Console

NAME = "pulumi-resource-docker"
FILE = HOME / "plugins" / f"resource-docker-v{versions.DOCKER_PROVIDER}" / NAME
SOURCES = Path(__file__).parent / "go" / "provider"
FRAMEWORK = "github.com/hashicorp/terraform-plugin-framework"
DOWNLOAD_SECONDS = 300
INSTALL = ("plugin", "install", "resource", "docker", versions.DOCKER_PROVIDER)


def from_mirror(mirror: str, engine: Path, env: Mapping[str, str], console: Console) -> Path:
    """Unpack a mirror's provider and hand it to the engine."""
    with tempfile.TemporaryDirectory(dir=paths.private(FOLDER)) as folder:
        program = Path(folder, NAME)
        with console.step("unpack the Docker provider of the mirror") as step:
            fetch.from_mirror(mirror, NAME, program, step)
        return _install(program, engine, env)


def from_site(engine: Path, env: Mapping[str, str], console: Console) -> Path:
    """Let the engine download Pulumi's own provider."""
    if (reason := fetch.site_fault()) is not None:
        raise UnavailableError(reason)
    console.run(
        [engine, *INSTALL],
        title="download the Docker provider",
        expect="about half a minute",
        log=paths.LOGS / "plugin-docker.log",
        env={**env, "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "false"},
        timeout=DOWNLOAD_SECONDS,
    )
    return _checked()


def from_source(engine: Path, env: Mapping[str, str], console: Console) -> Path:
    """Build the provider from the upstream provider and Pulumi's bridge."""
    bridge, bridge_version = versions.BRIDGE_MODULE
    folder = gobuild.module_folder(
        "docker-provider",
        {bridge: bridge_version, versions.UPSTREAM_NAME: "v0.0.0"},
        {
            versions.UPSTREAM_NAME: "./upstream",
            **{module: f"{other} {version}" for module, (other, version) in versions.PROVIDER_REPLACES.items()},
        },
    )
    _open_up(gobuild.download(folder, *versions.UPSTREAM_MODULE, console), folder / "upstream")
    shutil.copy(SOURCES / "main.go", folder)
    with tempfile.TemporaryDirectory(dir=paths.private(FOLDER)) as made:
        program = Path(made, NAME)
        gobuild.build(
            folder,
            ".",
            program,
            console,
            title="build the Docker provider from Go modules",
            expect="about 4 min on two cores",
            flags=gobuild.linker(f"-X main.version={versions.DOCKER_PROVIDER}"),
        )
        return _install(program, engine, env)


def _open_up(source: Path, upstream: Path) -> None:
    """Copy the upstream provider out of Go's cache and make its inner package reachable.

    Its tests, and what it adds with a plugin framework that the bridge's version cannot carry, are left out.
    """
    shutil.copytree(source, upstream, copy_function=shutil.copyfile)
    for folder in (upstream, *(each for each in upstream.rglob("*") if each.is_dir())):
        folder.chmod(0o700)
    for file in (upstream / "internal" / "provider").glob("*.go"):
        if file.name.endswith("_test.go") or f'"{FRAMEWORK}' in file.read_text():
            file.unlink()
    (upstream / "shim").mkdir()
    shutil.copy(SOURCES / "shim.go", upstream / "shim")


def _install(program: Path, engine: Path, env: Mapping[str, str]) -> Path:
    """Put a provider into the engine's plugin cache."""
    program.chmod(0o755)
    archive = program.with_suffix(".tar.gz")
    # Packed without compressing: it is unpacked again at once.
    with tarfile.open(archive, "w:gz", compresslevel=0) as pack:
        pack.add(program, NAME)
    done = subprocess.run(
        [engine, *INSTALL, "--file", archive, "--reinstall"],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UnavailableError(f"the engine refused the provider: {done.stderr.strip() or done.stdout.strip()}")
    return _checked()


def _checked() -> Path:
    try:
        subprocess.run([FILE, "-version"], capture_output=True, timeout=DOWNLOAD_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise UnavailableError(f"{FILE} does not run here: {error}") from None
    return FILE
