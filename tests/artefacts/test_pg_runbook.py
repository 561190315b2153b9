"""The runbook's commands about the login's database, typed on two copies of a real PostgreSQL.

`python3 -m kitestacks database` runs as it is, on hosts whose Docker daemon knows the copy of this machine. `pulumi up`
is what it comes to for a copy: it starts again, told who writes by the stack files as they are then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from components.machine import Done, Machine
from components.services.authentik_db.writer import writer
from kitestacks import database
from kitestacks.__main__ import parser_of
from tests.artefacts.copies import ROWS, Copy, state, wait
from tests.runbook_page import pages

if TYPE_CHECKING:
    from tests.stack_files import StackFiles

DATABASE = "python3 -m kitestacks database "
UP = "pulumi up -s "


@dataclass
class Hosts:
    """Both hosts, and the hands of the one who types.

    Attributes:
        files: The stack files.
        copies: The copies, by host.
        writers: Who writes, as each was told last.
    """

    files: StackFiles
    copies: dict[str, Copy]
    writers: dict[str, str] = field(default_factory=dict)

    def type(self, command: str) -> None:
        """One line of the page."""
        if command.startswith(DATABASE):
            assert database.run(parser_of("database").parse_args(command.removeprefix(DATABASE).split())) == 0
        else:
            self.up(command.removeprefix(UP))

    def up(self, host: str) -> None:
        """`pulumi up -s <host>`."""
        self.writers[host] = writer(self.files.fleet(host)) or ""
        self.copies[host].stop()
        self.copies[host].up(self.writers[host])


class Daemon(Machine):
    """A host's `docker` program, for the one container that is asked about, and its shell."""

    def __init__(self, hosts: Hosts, endpoint: str) -> None:
        super().__init__("unix:///nowhere")
        host = "kscloud1" if "kscloud1" in endpoint else "monk"
        self._copy, self._writer = hosts.copies[host], hosts.writers.get(host, "kscloud1")

    def docker(self, *arguments: str, stdin: str = "") -> Done:
        assert not stdin
        match arguments:
            case ("ps", *_):
                return Done(code=0, out="authentik-db\n", err="")
            case ("stop", *_):
                self._copy.stop()
                return Done(code=0, out="", err="")
            case ("exec", "-i", "authentik-db", "sh", _, verb, *more):
                done = self._copy.verb(verb, self._writer, *more)
                return Done(code=done.returncode, out=done.stdout, err=done.stderr)
            case _:
                raise AssertionError(arguments)


@pytest.fixture
def hosts(running: tuple[Copy, Copy], files: StackFiles, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    """Both, deployed, with their data where the files say; lines are typed in the files' folder."""
    found = Hosts(files, {copy.host: copy for copy in running}, dict.fromkeys(("kscloud1", "monk"), "kscloud1"))
    for host, copy in found.copies.items():
        files.edit(host, "host.data", str(copy.folder))
    monkeypatch.chdir(files.folder)
    monkeypatch.setattr(database, "Machine", lambda endpoint: Daemon(found, endpoint))
    return found


def typed(title: str) -> list[str]:
    """The lines of a page that this file plays, in order; what a sentence names in passing is none of them."""
    lines = (line.strip() for line in pages()[title].splitlines() if line.startswith("    "))
    return [line for line in lines if line.startswith((DATABASE, UP))]


def rows(copy: Copy) -> str:
    return copy.sql("SELECT count(*) || ' to ' || max(number) FROM rows")


def test_copy_that_fell_too_far_behind_is_made_anew_by_the_lines_of_its_page(
    hosts: Hosts, capsys: pytest.CaptureFixture[str]
) -> None:
    kscloud1, monk = hosts.copies["kscloud1"], hosts.copies["monk"]
    monk.stop()
    kscloud1.sql("SELECT pg_drop_replication_slot('monk')")
    kscloud1.sql("INSERT INTO rows VALUES (1000)")
    # The place of the log that monk would ask for is gone, as after a long absence.
    for _ in range(2):
        kscloud1.sql("SELECT pg_switch_wal()")
    kscloud1.stop()
    kscloud1.options = ("-c", "wal_keep_size=0")
    kscloud1.up("kscloud1")
    kscloud1.sql("CHECKPOINT")
    monk.start("kscloud1")
    wait(lambda: "has already been removed" in monk.log, "monk to ask in vain")
    status, *lines = typed("Replication stopped")

    hosts.type(status)
    assert "authentik-db on monk does NOT follow kscloud1" in capsys.readouterr().out
    for line in lines:
        hosts.type(line)
    assert "docker.before-" in capsys.readouterr().out

    wait(lambda: state(monk, "kscloud1").behind("kscloud1") == 0, "monk to have everything")
    hosts.type(status)
    assert "authentik-db on monk follows kscloud1: it lacks 0 bytes" in capsys.readouterr().out
    assert rows(monk) == rows(kscloud1) == f"{ROWS + 1} to 1000"


def test_lost_writer_is_replaced_rejoined_and_given_back_its_place_by_the_lines_of_its_page(
    hosts: Hosts, capsys: pytest.CaptureFixture[str]
) -> None:
    kscloud1, monk = hosts.copies["kscloud1"], hosts.copies["monk"]
    let_monk_write, bring_back, rejoin, follow, switch, *both = typed("kscloud1 is gone")
    kscloud1.kill()

    hosts.files.edit("monk", "services.authentik.database", "local")
    hosts.type(let_monk_write)
    monk.sql("INSERT INTO rows VALUES (1000)")
    assert bring_back == follow == "pulumi up -s kscloud1"
    assert "this copy was a primary itself" in kscloud1.refused("monk"), "bringing it back is refused"
    hosts.type(rejoin)
    hosts.type(follow)
    wait(lambda: state(kscloud1, "monk").behind("monk") == 0, "kscloud1 to have everything")

    hosts.files.edit("monk", "services.authentik.database", None)
    hosts.type(switch)
    assert "kscloud1 writes now, and has all that monk wrote" in capsys.readouterr().out
    for line in both:
        hosts.type(line)

    kscloud1.sql("INSERT INTO rows VALUES (2000)")
    wait(lambda: rows(monk) == rows(kscloud1), "monk to follow again")
    assert rows(monk) == f"{ROWS + 2} to 2000"
