"""Small programs of a test's own, run by the real engine against a lab's simulated cloud."""

from __future__ import annotations

import subprocess
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.stack_files import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.lab import Lab


@dataclass(frozen=True)
class SmallProgram:
    """A project with one stack, whose program each test writes anew.

    Attributes:
        lab: Whose engine and cloud it runs on.
        folder: The project.
    """

    lab: Lab
    folder: Path

    @classmethod
    def open(cls, lab: Lab, folder: Path, secret: str) -> SmallProgram:
        """Makes the stack, with one provider's secret."""
        small = cls(lab, folder)
        (folder / "Pulumi.yaml").write_text(
            f"name: refusal\nruntime: {{name: python, options: {{virtualenv: {ROOT}/.venv}}}}\n"
        )
        small.pulumi("stack", "init", "once")
        small.pulumi("config", "set", secret, "any", "--plaintext")
        return small

    def up(self, program: str) -> tuple[int, str]:
        """`pulumi up`; status and output."""
        (self.folder / "__main__.py").write_text(textwrap.dedent(program) + "\n")
        finished = self.pulumi("up", "--yes", "--skip-preview", "--parallel", "1")
        return finished.returncode, finished.stdout + finished.stderr

    def close(self) -> None:
        """Takes away what the programs made."""
        self.pulumi("destroy", "--yes", "--skip-preview", "--remove")

    def pulumi(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs an engine command in the project."""
        return subprocess.run(
            [self.lab.tools.engine, "--non-interactive", *arguments],
            cwd=self.folder,
            env=self.lab.environment,
            capture_output=True,
            text=True,
            check=False,
        )
