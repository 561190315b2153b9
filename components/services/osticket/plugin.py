"""The step that sets osTicket's login at Authentik, its agents and its administrator's password."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from components.php import run_php
from components.step_program import wait_until

if TYPE_CHECKING:
    from components.machine import Machine
    from components.step_program import Given

APP = "/var/www/html"
"""Where our image keeps osTicket."""
_READY = ("curl", "-fsS", "-o", "/dev/null", "http://127.0.0.1:8080/")


def run(given: Given, machine: Machine) -> str:
    """Writes the plugin's rows through osTicket's own classes, which encrypt the client's secret with the salt.

    An agent who is no longer listed stays as he is: his tickets carry his name. Authentik's groups shut him out.

    Raises:
        StepError: osTicket does not answer or refuses.
    """
    container = given.facts["container"]
    wait_until(lambda: machine.execute(container, _READY).code == 0, "osTicket")
    done = run_php(machine, container, Path(__file__).with_suffix(".php"), given, values={"app": APP})
    return "; ".join(done) or "the help desk's login, agents and administrator are as they should be"
