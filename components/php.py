"""PHP: runs a script of ours inside a container whose app is written in PHP, with the app's own classes.

A script is a file beside its step. It reads one JSON document from standard input, and its last line of output is
{"done": [...]}: what it changed, in words. So no secret stands in an argument list, and nothing is left behind.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from components.machine import StepError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from components.machine import Machine
    from components.step_program import Given

_OPENING = "<?php"
_LINES_SHOWN = 3


def run_php(
    machine: Machine,
    container: str,
    script: Path,
    given: Given,
    *,
    through: Sequence[str] = (),
    values: Mapping[str, Any] | None = None,
) -> list[str]:
    """What the script changed; an empty list if everything was as it should be.

    Args:
        machine: Where the container is.
        container: What Docker calls it.
        script: The PHP file; its text goes along.
        given: The step's facts and secrets: the script gets all of them, and no secret gets out in an error.
        through: The command that the image needs before `php`, to have its environment and its user.
        values: Further values for the script.

    Raises:
        StepError: the script failed; with its last words.
    """
    code = script.read_text(encoding="utf-8").removeprefix(_OPENING)
    document = json.dumps({**given.facts, **given.secrets, **(values or {})})
    ended = machine.execute(container, (*through, "php", "-r", code), stdin=document)
    last = ended.out.strip().rpartition("\n")[2]
    if ended.code == 0:
        try:
            return [str(line) for line in json.loads(last)["done"]]
        except (ValueError, KeyError, TypeError):
            pass
    said = (ended.err.strip() or ended.out.strip() or f"it ended with {ended.code}").splitlines()[-_LINES_SHOWN:]
    text = " / ".join(line.strip() for line in said)
    for secret in given.secrets.values():
        text = text.replace(secret, "...")
    raise StepError(f"{script.name} in {container}: {text}")
