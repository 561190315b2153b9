"""The shell program that prepares a host: the scripts of this package in one text, for standard input."""

from __future__ import annotations

import hashlib
import shlex
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCRIPTS = Path(__file__).with_name("scripts")
_END = "END-OF-FILE"


@cache
def scripts() -> dict[str, str]:
    """The scripts by file name: the runner, what the steps share, and the steps in their order."""
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(_SCRIPTS.glob("*.sh"))}


def command(facts: Mapping[str, str], *, user: str) -> str:
    """What is run on the host: a shell as root that reads the program, with plain facts in its environment.

    The facts stand here and not in the program so that a preview shows which of them differs; the program's digest
    says whether the scripts do.
    """
    digest = hashlib.sha256("".join(scripts().values()).encode()).hexdigest()[:12]
    words = [f"{name}={shlex.quote(value)}" for name, value in sorted({**facts, "PROGRAM": digest}.items())]
    as_root = "" if user == "root" else "sudo -n "
    # sudo drops the variable that says at which of its addresses the host was reached.
    return f'{as_root}env ARRIVED="$SSH_CONNECTION" {" ".join(words)} bash -s'


def text(join_key: str) -> str:
    """The program: puts the scripts and the key into a folder in memory that only root may read, and runs them.

    What it ends with is what starts the steps, so a connection that breaks while it is sent starts none.
    """
    files = {**scripts(), "join-key": f"{join_key}\n"} if join_key else scripts()
    lines = [
        "set -eu",
        "umask 077",
        "export WORK=$(mktemp -d /run/kitestacks-host-setup.XXXXXX)",
        """trap 'rm -rf "$WORK"' EXIT""",
    ]
    lines += [f"cat >\"$WORK/{name}\" <<'{_END}'\n{content}{_END}" for name, content in files.items()]
    return "\n".join([*lines, 'bash "$WORK/run.sh" </dev/null', ""])
