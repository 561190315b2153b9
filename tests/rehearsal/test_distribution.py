"""Images of the programs that keep data: which they are, what changes them, what is said where they can't be made."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING, cast

import pytest
from docker.errors import ImageNotFound

from kitestacks.console import Console
from rehearsal.images import distribution
from rehearsal.images.distribution import DataRecipe, keeps_data
from rehearsal.images.program import ImageError
from tests.stack_files import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from docker.client import DockerClient

POSTGRES = "postgres:18.6-trixie"
SCRIPTS = sorted((ROOT / "rehearsal" / "images" / "data").rglob("*.sh"))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (POSTGRES, True),
        ("example.org/library/postgres:17", True),
        ("lscr.io/linuxserver/bookstack:v26.05.3-ls280", True),
        ("restic/rest-server:0.14.0", True),
        ("someone/postgres:18", False),
        ("grafana/grafana:13.2.0", False),
    ],
)
def test_programs_that_keep_data_are_known_by_their_repository(image: str, *, expected: bool) -> None:
    assert keeps_data(image) is expected


def test_image_stands_beside_the_stand_in_of_the_same_one() -> None:
    recipe = DataRecipe(POSTGRES, Console())

    assert recipe.tag == "kitestacks-rehearsal/debian/postgres:18.6-trixie"
    assert recipe.has_real
    assert not DataRecipe("linuxserver/bookstack:1", Console()).has_real


@pytest.mark.parametrize(
    ("image", "data"),
    [(POSTGRES, "/var/lib/postgresql/18/docker"), ("postgres:17.6", "/var/lib/postgresql/data")],
)
def test_postgresql_keeps_its_data_where_the_real_image_does(image: str, data: str) -> None:
    assert DataRecipe(image, Console()).buildargs["PGDATA"] == data


def test_changed_script_changes_the_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = DataRecipe(POSTGRES, Console()).inputs
    shutil.copytree(ROOT / "rehearsal" / "images" / "data", tmp_path / "data")
    monkeypatch.setattr(distribution, "_FOLDER", tmp_path / "data")
    assert DataRecipe(POSTGRES, Console()).inputs == before

    with (tmp_path / "data" / "postgres" / "docker-entrypoint.sh").open("a") as script:
        script.write("# another one\n")
    assert DataRecipe(POSTGRES, Console()).inputs != before


def test_context_has_the_scripts_as_programs() -> None:
    with tarfile.open(fileobj=DataRecipe(POSTGRES, Console()).context()) as tar:
        modes = {entry.name: entry.mode for entry in tar.getmembers()}

    assert modes == {"Dockerfile": 0o644, "docker-entrypoint.sh": 0o755}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_scripts_are_clean(script: Path) -> None:
    checker = shutil.which("shellcheck")
    if checker is None:
        pytest.skip("no shellcheck here: apt-get install shellcheck")
    done = subprocess.run([checker, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


class _Empty:
    """A daemon that has no image."""

    class api:  # noqa: N801 - as the SDK calls it
        """Its plain interface."""

        @staticmethod
        def inspect_image(name: str) -> None:
            """Knows none."""
            raise ImageNotFound(name)


def test_without_mmdebstrap_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(ImageError, match="apt-get install mmdebstrap"):
        DataRecipe(POSTGRES, Console()).prepare(cast("DockerClient", _Empty))


def test_debian_that_can_not_be_had_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "mmdebstrap"
    program.write_text("#!/bin/sh\necho 'E: the archive does not answer' >&2\nexit 25\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")

    with pytest.raises(ImageError, match="the archive does not answer"):
        DataRecipe(POSTGRES, Console()).prepare(cast("DockerClient", _Empty))
