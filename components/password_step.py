"""The step that sets a database user's password in the running database, where it is not the one that it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.machine import StepError
from components.step_program import wait_until

if TYPE_CHECKING:
    from components.machine import Done, Machine
    from components.step_program import Given

_READY = {
    "postgres": ("pg_isready", "-q", "-h", "127.0.0.1"),
    "mariadb": ("healthcheck.sh", "--connect", "--innodb_initialized"),
}


def run(given: Given, machine: Machine) -> str:
    """Asks the database with the password; sets it as the database's own administrator if it is refused.

    Raises:
        StepError: the database does not answer, or refuses the change.
    """
    facts, password = given.facts, given.secrets["password"]
    engine, container = facts["engine"], facts["container"]
    wait_until(lambda: machine.execute(container, _READY[engine]).code == 0, f"database {container}")
    user, database = facts["user"], facts["database"]
    ask = _ask_postgres if engine == "postgres" else _ask_mariadb
    if ask(machine, container, user, database, password).code == 0:
        return f"the password of {user} in {container} is as it should be"
    if engine == "postgres":
        done = _change_postgres(machine, container, user, database, password)
    else:
        done = _change_mariadb(machine, container, user, password, given.secrets["root-password"])
    if done.code or ask(machine, container, user, database, password).code:
        what = done.err.replace(password, "...").strip() or "it still refuses the new one"
        raise StepError(f"the password of {user} in {container} could not be changed: {what}")
    return f"the password of {user} in {container} is changed"


def _ask_postgres(machine: Machine, container: str, user: str, database: str, password: str) -> Done:
    """Logs in over the network, where a password counts; it goes by standard input into the client's own variable."""
    address = "$(hostname -i | cut -d' ' -f1)"
    client = f'psql -X -q -w -h "{address}" -U {user} -d {database}'
    script = f"read -r PGPASSWORD; export PGPASSWORD; exec {client} -c 'SELECT 1'"
    return machine.execute(container, ("sh", "-c", script), stdin=f"{password}\n")


def _change_postgres(machine: Machine, container: str, user: str, database: str, password: str) -> Done:
    statement = f"ALTER ROLE \"{user}\" PASSWORD '{password}';\n"
    return machine.execute(
        container, ("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", user, "-d", database), stdin=statement
    )


def _ask_mariadb(machine: Machine, container: str, user: str, database: str, password: str) -> Done:
    client = f"mariadb --protocol=TCP -h 127.0.0.1 -u {user} {database}"
    script = f"read -r MYSQL_PWD; export MYSQL_PWD; exec {client} -e 'SELECT 1'"
    return machine.execute(container, ("sh", "-c", script), stdin=f"{password}\n")


def _change_mariadb(machine: Machine, container: str, user: str, password: str, root_password: str) -> Done:
    """As root through the socket inside the container; its password is the first line, the statement the rest."""
    script = "read -r MYSQL_PWD; export MYSQL_PWD; exec mariadb --protocol=SOCKET -u root"
    statement = f"ALTER USER '{user}'@'%' IDENTIFIED BY '{password}';\n"
    return machine.execute(container, ("sh", "-c", script), stdin=f"{root_password}\n{statement}")
