"""The scripts and the stand-ins are clean shell, each small, and the way they travel loses nothing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from components.host_setup import program
from tests.host_setup.packages import FAKES

SCRIPTS = sorted(Path(program.__file__).with_name("scripts").glob("*.sh"))


@pytest.mark.parametrize("script", [*SCRIPTS, *sorted(FAKES.iterdir())], ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("needs shellcheck: apt-get install shellcheck")
    done = subprocess.run(["shellcheck", "-x", str(script)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_each_script_is_small_and_says_first_what_it_is_for() -> None:
    assert len(SCRIPTS) == 9
    for script in SCRIPTS:
        lines = script.read_text().splitlines()
        assert len(lines) < 120, script.name
        assert any(line.startswith("# ") and "shellcheck" not in line for line in lines[:3]), script.name


@pytest.mark.parametrize("key", ["tskey-auth-x", "with $dollar `tick` 'quote' \\ and \"more\""])
def test_scripts_and_key_arrive_as_they_are(key: str, tmp_path: Path) -> None:
    """The program is run with a runner that keeps what has arrived, in a folder that stands for /run."""
    keep = f'cp -r "$WORK" {tmp_path}/kept\n'
    text = program.text(key).replace("/run/kitestacks", f"{tmp_path}/kitestacks")
    text = text.replace('bash "$WORK/run.sh" </dev/null', keep)
    subprocess.run(["bash", "-s"], input=text, text=True, check=True)

    kept = {path.name: path.read_text() for path in (tmp_path / "kept").iterdir()}
    assert kept.pop("join-key") == f"{key}\n"
    # The folder's name stands in the runner too, which cleans up after runs that were killed.
    assert {name: content.replace(str(tmp_path), "/run") for name, content in kept.items()} == program.scripts()
    assert [path.name for path in tmp_path.iterdir()] == ["kept"], "the folder is gone afterwards"
    assert (tmp_path / "kept").stat().st_mode & 0o077 == 0


def test_program_that_breaks_off_runs_nothing(tmp_path: Path) -> None:
    text = program.text("").replace("/run/kitestacks", f"{tmp_path}/kitestacks")
    cut = text[: text.rindex("bash ")]

    done = subprocess.run(["bash", "-s"], input=cut, text=True, capture_output=True, check=False)

    assert (done.stdout, done.stderr) == ("", "")
    assert not list(tmp_path.iterdir())
