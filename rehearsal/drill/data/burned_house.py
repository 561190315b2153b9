"""Burned house: a host, the project and its state are gone; the recovery kit and its password bring all of it back."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rehearsal import stack_files
from rehearsal.drill.data.drill import DataDrill
from rehearsal.drill.data.restore import bring_back, save, saved_elsewhere
from rehearsal.drill.shell import Shell
from rehearsal.sites import wait_until_answering
from rehearsal.twin import ROOT

if TYPE_CHECKING:
    from rehearsal.drill.data.drill import Notes
    from rehearsal.drill.scene import Scene


def _play(scene: Scene, notes: Notes) -> None:
    """The host that burns is the last one: the home, where commands are typed and the state lies."""
    *others, burned = stack_files.names(scene.twin.project)
    canaries = {host: save(scene, Shell(scene=scene), host, notes) for host in (*others, burned)}
    with tempfile.TemporaryDirectory(prefix="kitestacks-kit-") as folder:
        password = Path(folder, "password")
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        kit, words = Path(folder, "kit.age"), ("--password-file", str(password))
        said = Shell(scene=scene).kitestacks("kit", "make", str(kit), "--folder", str(scene.twin.project), *words)
        notes.add(next(line.strip() for line in said.splitlines() if "MiB" in line))
        _burn(scene, burned)
        notes.add(f"{burned} burned down: its containers, its disk, the project and the state are gone")
        shell = _empty_machine(scene, Path(folder, "new"), kit, words)
        # As the runbook's page says: everything on the new machine is to be prepared anew.
        scene.edit(burned, "host", "machine", f"new-{secrets.token_hex(4)}", shell.place)
        for host in (*others, burned):
            shell.up(host)
            notes.add(f"{host} is up, from the kit alone")
        took = bring_back(shell, burned)
        for host, written in canaries.items():
            written.require(notes, f"all data of {host} is there, {burned}'s back in {took:.1f} s")
        wait_until_answering(scene.twin, stack_files.hostnames(scene.twin.project))
        notes.add("every site answers")
        _take_over(scene, shell)


def _burn(scene: Scene, host: str) -> None:
    """Everything of a host, and what only the machine at home has."""
    data = Path(scene.fleet(host).own.host.data)
    for container in scene.containers(host):
        container.remove(force=True)
    shutil.rmtree(data)
    shutil.rmtree(scene.twin.backend)


def _empty_machine(scene: Scene, folder: Path, kit: Path, words: tuple[str, ...]) -> Shell:
    """A machine that has the engine, the kit and its password."""
    scene.twin.backend.mkdir(mode=0o700)
    variables = {
        "PULUMI_BACKEND_URL": f"file://{folder}/.kitestacks/state",
        "PULUMI_CONFIG_PASSPHRASE_FILE": f"{folder}/.kitestacks/kit/passphrase",
        "PATH": f"{Path(scene.tools.engine).parent}:{os.environ['PATH']}",
    }
    opener = Shell(scene=scene, folder=ROOT, variables=variables)
    opener.kitestacks("kit", "open", str(kit), "--into", str(folder), *words)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return Shell(scene=scene, folder=folder, variables=variables)


def _take_over(scene: Scene, shell: Shell) -> None:
    """The rehearsal goes on with the state and the files that came out of the kit."""
    for file in scene.twin.project.glob("Pulumi.*.yaml"):
        file.write_text((shell.place / file.name).read_text())
    for stack in stack_files.names(scene.twin.project):
        with tempfile.NamedTemporaryFile() as state:
            shell.pulumi("stack", "export", "-s", stack, "--file", state.name)
            own = Shell(scene=scene)
            own.pulumi("stack", "select", "--create", stack)
            own.pulumi("stack", "import", "-s", stack, "--file", state.name)


BURNED_HOUSE = DataDrill(
    name="burned-house",
    title="the home burns down, and comes back from the recovery kit and the other host",
    wants="a `backup` on every host",
    fits=saved_elsewhere,
    play=_play,
)
