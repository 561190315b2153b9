"""Golden files: what a plan is expected to hold, to be read by people in a diff."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"
RENEW = "--renew-golden"


@dataclass(frozen=True)
class Golden:
    """Compares with a golden file, or writes it where `pytest --renew-golden` asks for it."""

    renew: bool

    def check(self, name: str, text: str) -> None:
        """Fails with the way to accept the change if the text is another."""
        file = FOLDER / name
        if self.renew:
            file.write_text(text)
        assert text == file.read_text(), f"if that is meant: pytest {RENEW}, and read the diff"
