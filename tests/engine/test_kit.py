"""A house burned down: from the kit and its password alone, both stacks' states are back, and a service's data."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pyrage
import pytest

from kitestacks import kit
from kitestacks.__main__ import parser_of
from kitestacks.exits import CommandError, Exit
from tests.stack_files import ROOT
from toolchain import restic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.lab import Lab

pytestmark = pytest.mark.engine
PASSWORD = "correct horse battery staple"  # noqa: S105 - of a kit for tests
STACKS = ("kscloud1", "monk")


def _run(*words: str) -> int:
    return kit.run(parser_of("kit").parse_args(list(words)))


@pytest.fixture(scope="module")
def made(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kit of two deployed stacks."""
    folder = tmp_path_factory.mktemp("kit")
    (folder / "password").write_text(PASSWORD)
    for stack in STACKS:
        lab.up(stack)
    with pytest.MonkeyPatch.context() as patch:
        _in(lab, patch)
        file = folder / "kit.age"
        assert _run("make", str(file), "--folder", str(lab.twin.project), "--password-file", f"{folder}/password") == 0
    return folder


def _in(lab: Lab, patch: pytest.MonkeyPatch) -> None:
    for name, value in lab.environment.items():
        patch.setenv(name, value)


def test_kit_is_one_private_file_that_shows_nothing(made: Path) -> None:
    file = made / "kit.age"

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes().startswith(b"age-encryption.org/v1")
    assert b"Pulumi" not in file.read_bytes()


def test_kit_has_all_that_an_empty_machine_needs(made: Path) -> None:
    packed = pyrage.passphrase.decrypt((made / "kit.age").read_bytes(), PASSWORD)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        names = set(archive.getnames())
        backups = json.load(archive.extractfile(".kitestacks/kit/backups.json") or io.BytesIO())

    assert {"KIT.md", "RUNBOOK.md", "Pulumi.yaml", "Pulumi.monk.yaml", "Pulumi.kscloud1.yaml"} <= names
    assert {"__main__.py", "components/backup_runner/__main__.py", "requirements.txt"} <= names
    assert {".kitestacks/kit/monk.json", ".kitestacks/kit/kscloud1.json", ".kitestacks/kit/passphrase"} <= names
    assert set(backups) == set(STACKS)
    for host in STACKS:
        assert len(backups[host]["recovery password"]) >= 40
        assert backups[host]["kept on"] != host


@pytest.mark.parametrize("password", ["not the password of it", PASSWORD + "x"])
def test_wrong_password_opens_nothing(made: Path, tmp_path: Path, password: str) -> None:
    (tmp_path / "password").write_text(password)

    with pytest.raises(CommandError, match="does not open: the password is wrong") as refused:
        _run("open", str(made / "kit.age"), "--into", f"{tmp_path}/in", "--password-file", f"{tmp_path}/password")

    assert refused.value.exit_code == Exit.AUTHENTICATION
    assert not (tmp_path / "in").exists()


def test_damaged_kit_is_named(made: Path, tmp_path: Path) -> None:
    whole = (made / "kit.age").read_bytes()
    (tmp_path / "kit.age").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(CommandError, match="or the file is damaged"):
        _run("open", f"{tmp_path}/kit.age", "--into", f"{tmp_path}/in", "--password-file", f"{made}/password")


def test_folder_that_holds_something_is_left_alone(made: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")

    with pytest.raises(CommandError, match="is not empty"):
        _run("open", str(made / "kit.age"), "--into", str(tmp_path), "--password-file", f"{made}/password")
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_short_password_makes_no_kit(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("short")

    with pytest.raises(CommandError, match="fewer than 12 characters"):
        _run("make", f"{tmp_path}/kit.age", "--password-file", f"{tmp_path}/password")
    assert not (tmp_path / "kit.age").exists()


def test_burned_house_comes_back_from_the_kit_alone(
    lab: Lab, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the old project is used but the simulated cloud and the engine: no file, no state, no passphrase."""
    before = {stack: lab.export(stack)["deployment"]["resources"] for stack in STACKS}
    _in(lab, monkeypatch)
    for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(name)
    folder = tmp_path / "new"
    assert _run("open", str(made / "kit.age"), "--into", str(folder), "--password-file", f"{made}/password") == 0

    (folder / ".venv").symlink_to(ROOT / ".venv")
    environment = {
        **os.environ,
        "PULUMI_BACKEND_URL": f"file://{folder}/.kitestacks/state",
        "PULUMI_CONFIG_PASSPHRASE_FILE": f"{folder}/.kitestacks/kit/passphrase",
    }
    for stack in STACKS:
        done = subprocess.run(
            ["pulumi", "--non-interactive", "preview", "-s", stack, "--expect-no-changes"],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        exported = subprocess.run(
            ["pulumi", "stack", "export", "-s", stack], cwd=folder, env=environment, capture_output=True, check=True
        )
        resources = json.loads(exported.stdout)["deployment"]["resources"]
        assert [each["urn"] for each in resources] == [each["urn"] for each in before[stack]]


def test_data_comes_back_with_restic_and_the_kits_recovery_password(made: Path, tmp_path: Path) -> None:
    """The last way, without this project: restic, the repository's folder, and what the kit says."""
    program = restic.RESTIC.find()
    if program is None:
        pytest.skip("no restic here: python3 -m kitestacks toolchain --restic")
    packed = pyrage.passphrase.decrypt((made / "kit.age").read_bytes(), PASSWORD)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        backups = json.load(archive.extractfile(".kitestacks/kit/backups.json") or io.BytesIO())
    (tmp_path / "recovery").write_text(backups["monk"]["recovery password"])
    (tmp_path / "machine").write_text("the burned machine's own")
    (tmp_path / "book").write_text("written before the fire")
    store = str(tmp_path / "store")

    def run(password: str, *words: str) -> None:
        command: list[str | Path] = [
            program,
            "--repo",
            store,
            "--password-file",
            f"{tmp_path}/{password}",
            "--no-cache",
            *words,
        ]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    run("machine", "init")
    run("machine", "key", "add", "--new-password-file", f"{tmp_path}/recovery")
    run("machine", "backup", "book")
    (tmp_path / "book").unlink()
    run("recovery", "restore", "latest", "--target", str(tmp_path / "back"))

    assert (tmp_path / "back" / "book").read_text() == "written before the fire"
