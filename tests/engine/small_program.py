"""Small programs of a test's own, run by the real engine against a lab's simulated cloud."""

from __future__ import annotations

import subprocess
import textwrap
from typing import TYPE_CHECKING

from tests.stack_files import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.lab import Lab


def up_small_program(lab: Lab, folder: Path, program: str, secret: str) -> tuple[int, str]:
    """`pulumi up` of a program, with one provider's secret set; takes away what it made. Status and output."""
    (folder / "Pulumi.yaml").write_text(
        f"name: refusal\nruntime: {{name: python, options: {{virtualenv: {ROOT}/.venv}}}}\n"
    )
    (folder / "__main__.py").write_text(textwrap.dedent(program) + "\n")

    def pulumi(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [lab.tools.engine, "--non-interactive", *arguments],
            cwd=folder,
            env=lab.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    pulumi("stack", "init", "once")
    pulumi("config", "set", secret, "any", "--plaintext")
    finished = pulumi("up", "--yes", "--skip-preview", "--parallel", "1")
    pulumi("destroy", "--yes", "--skip-preview", "--remove")
    return finished.returncode, finished.stdout + finished.stderr
