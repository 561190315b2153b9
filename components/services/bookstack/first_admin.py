"""The step that closes BookStack's shipped account and lets Authentik's groups decide on roles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from components.php import run_php
from components.step_program import wait_until

if TYPE_CHECKING:
    from components.machine import Machine
    from components.step_program import Given

APP = "/app/www"
"""Where the image keeps BookStack (`linuxserver/docker-bookstack:Dockerfile`)."""
_READY = ("curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:80/status")
_AS_THE_APP = ("/usr/bin/with-contenv", "/usr/bin/s6-setuidgid", "abc")
"""With the secrets that the image read from files, and as the user whose files BookStack writes."""


def run(given: Given, machine: Machine) -> str:
    """Gives the shipped account our address and password, or makes ours beside it; then maps groups to roles.

    The account is taken over only while its password is still the shipped one: an owner's own stays as it is.

    Raises:
        StepError: BookStack does not answer or refuses.
    """
    container = given.facts["container"]
    wait_until(lambda: machine.execute(container, _READY).code == 0, "BookStack")
    script = Path(__file__).with_suffix(".php")
    done = run_php(machine, container, script, given, through=_AS_THE_APP, values={"app": APP})
    return "; ".join(done) or "the wiki's administrator and roles are as they should be"
