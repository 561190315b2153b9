"""The step that makes the role which followers log in as, and keeps its password true; in the copy that writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.machine import StepError
from components.step_program import wait_until

if TYPE_CHECKING:
    from components.machine import Machine
    from components.step_program import Given


def run(given: Given, machine: Machine) -> str:
    """Asks with the password over the network; makes the role, or sets its password, where it is refused.

    Raises:
        StepError: the database does not answer, or refuses.
    """
    facts, password = given.facts, given.secrets["password"]
    container, role = facts["container"], facts["role"]
    wait_until(lambda: machine.execute(container, ("pg_isready", "-q", "-h", "127.0.0.1")).code == 0, container)
    if _answers(machine, container, role, password):
        return f"the role {role} in {container} is as it should be"
    statements = (
        f"SELECT 'CREATE ROLE {role}' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') \\gexec\n"  # noqa: S608 - no value of a user
        f"ALTER ROLE {role} LOGIN REPLICATION NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{password}';\n"
    )
    client = ("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", facts["user"], "-d", facts["database"])
    done = machine.execute(container, client, stdin=statements)
    if done.code or not _answers(machine, container, role, password):
        what = done.err.replace(password, "...").strip() or "it still refuses the password"
        raise StepError(f"the role {role} in {container} could not be set: {what}")
    return f"the role {role} in {container} is set"


def _answers(machine: Machine, container: str, role: str, password: str) -> bool:
    """Whether the role may follow, asked as a follower does: the password goes by standard input."""
    address = "$(hostname -i | cut -d' ' -f1)"
    client = f'psql -XAtqw -d "host={address} user={role} dbname=replication replication=true" -c IDENTIFY_SYSTEM'
    script = f"read -r PGPASSWORD; export PGPASSWORD; exec {client}"
    return machine.execute(container, ("sh", "-c", script), stdin=f"{password}\n").code == 0
