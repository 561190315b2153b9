"""The wiki's two databases on this machine: the plan's own options and steps, the distribution's own MariaDB."""

from __future__ import annotations

import contextlib
import importlib
import json
import shutil
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from components.step_program import Given
from tests.artefacts.servers import as_user, need, owned_folder
from tests.ports import free_port
from tests.services.machines import PlayedMachine, run_here
from tests.services.plans import containers_in, files, plan_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from components.machine import Done
    from tests.recorder import Recorded, Run

PRIMARY, STANDBY = "monk", "kscloud1"
FOLLOWER = "sharedbyboth"
LIMIT = 90
"""Seconds that a condition may take on a machine that does much else."""
_SMALL = ("--innodb-log-file-size=8M", "--innodb-buffer-pool-size=24M", "--innodb-flush-method=fsync")
_SCHEMA = """
CREATE TABLE migrations (id INT AUTO_INCREMENT PRIMARY KEY, migration VARCHAR(99));
CREATE TABLE pages (id INT AUTO_INCREMENT PRIMARY KEY, number INT UNIQUE, text VARCHAR(99));
CREATE TABLE views (id INT AUTO_INCREMENT PRIMARY KEY, views INT);
CREATE TABLE activities (id INT AUTO_INCREMENT PRIMARY KEY, type VARCHAR(99));
INSERT INTO migrations (migration) VALUES ('first');
INSERT INTO views (views) VALUES (0);
"""
_DONE = "INSERT INTO activities (type) VALUES (CONCAT('by hand on ', @host))"
SAVE = "INSERT INTO pages (number, text) VALUES (@number, 'saved'); UPDATE views SET views = @number"
TABLES = ("migrations", "pages", "views", "activities")


@dataclass
class Server:
    """One host's `bookstack-db`.

    Attributes:
        host: Which host.
        folder: Where it lives.
        port: Where it answers on loopback, as it would on its Tailscale address.
        tailnet: Where the other host reaches it, when that is not the same.
        data: What the stack files say of the way between the hosts.
        primary: Which host they name.
        logged: Whether it runs with the plan's options; else as a database that was never part of a ring.
        executed: The scripts and statements that its steps ran, without passwords.
    """

    host: str
    folder: Path
    port: int = field(default_factory=free_port)
    tailnet: int = 0
    data: str = "ring"
    primary: str = PRIMARY
    logged: bool = True
    executed: list[str] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.folder.parent / 'scripts'}:/usr/sbin:/usr/bin:/bin"
        names = {"MYSQL_UNIX_PORT": str(self.folder / "socket"), "MYSQL_TCP_PORT": str(self.port)}
        return {"PATH": path, "HOME": str(self.folder), "TMPDIR": str(self.folder), "LC_ALL": "C.UTF-8", **names}

    @property
    def plan(self) -> Run:
        edits = (("services.bookstack.data", self.data), ("services.bookstack.site.primary", self.primary))
        return plan_with(self.host, *edits)

    @property
    def container(self) -> Recorded:
        return containers_in(self.plan, "bookstack")["bookstack-db"]

    @property
    def words(self) -> dict[str, str]:
        return files(self.container)

    def start(self, *more: str) -> None:
        command = self.container.inputs["command"]
        options = command[1:] if self.logged else [each for each in command[1:] if "character" in each]
        places = [f"--datadir={self.folder / 'data'}", f"--socket={self.folder / 'socket'}", f"--port={self.port}"]
        program = [need("mariadbd", "mariadb-server"), "--no-defaults", *options, *places, "--bind-address=127.0.0.1"]
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(
            [*program, *_SMALL, f"--pid-file={self.folder / 'pid'}", *more],
            env=self.environment,
            stdout=log,
            stderr=log,
            **as_user("mysql"),
        )
        log.close()
        ping = ["/usr/bin/mariadb-admin", "--no-defaults", "--user=nobody", "ping"]
        until(
            lambda: subprocess.run(ping, env=self.environment, capture_output=True, check=False).returncode == 0,
            lambda: (self.folder / "log").read_text()[-2000:],
        )

    def kill(self) -> None:
        """As when the power goes."""
        assert self._process
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(LIMIT)

    def first_start(self, template: Path) -> Server:
        """A new folder, with the accounts that the image makes; what it logs of them, it logs."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(template, self.folder / "data")
        for each in (self.folder, *self.folder.rglob("*")):
            if as_user("mysql"):
                shutil.chown(each, "mysql", "mysql")
        self.start()
        password, root = self.words["/run/secrets/password"], self.words["/run/secrets/root-password"]
        self.execute_sql(
            f"CREATE DATABASE bookstack; CREATE USER bookstack@'%' IDENTIFIED BY '{password}';"
            "GRANT ALL ON bookstack.* TO bookstack@'%'; SET sql_log_bin = 0;"
            f"ALTER USER root@localhost IDENTIFIED BY '{root}'",
            password="",
            database="mysql",
        )
        return self

    def execute_sql(
        self, statements: str, *options: str, password: str | None = None, database: str = "bookstack"
    ) -> str:
        """As the database's own administrator."""
        done = self.try_sql(statements, *options, password=password, database=database)
        assert done.code == 0, done.err
        return done.out.strip()

    def try_sql(
        self,
        statements: str,
        *options: str,
        user: str = "root",
        password: str | None = None,
        database: str = "bookstack",
    ) -> Done:
        root = self.words["/run/secrets/root-password"] if password is None else password
        client = ["/usr/bin/mariadb", "--no-defaults", "-N", "-B", "-u", user, *options, database]
        return run_here(client, statements, {**self.environment, "MYSQL_PWD": root})

    def as_wiki(self) -> dict[str, str]:
        """Who the wiki is in its database."""
        return {"user": "bookstack", "password": self.words["/run/secrets/password"]}

    def migrate(self) -> None:
        """What the wiki does at each start: nothing, where it was done before."""
        if "migrations" not in self.execute_sql("SHOW TABLES"):
            self.execute_sql(_SCHEMA)

    def use(self) -> None:
        """Somebody does something in the wiki."""
        self.execute_sql(f"SET @host = '{self.host}'; {_DONE}")

    def step(self, other: Server, **more: object) -> str:
        """Runs the plan's own step, with the other side's place on this machine."""
        given = json.loads(self.plan.recorder.of_type("Command")[f"bookstack-{self.data}"].inputs["stdin"])
        facts = {**given["facts"], "address": "127.0.0.1", "port": other.tailnet or other.port, **more}
        program = importlib.import_module(f"components.services.bookstack.{self.data.replace('-', '_')}")

        def execute(command: Sequence[str], stdin: str) -> Done:
            self.executed.append(f"{' '.join(command)}\n{stdin.partition(chr(10))[2]}")
            if command[0] == "bash":
                return self.copy(other, command[2])
            return run_here(command, stdin, self.environment)

        # Each host's plan is made with invented values; in a real fleet this one is the foundation's, on both.
        secrets = {**given["secrets"], "replication-password": FOLLOWER}
        said: str = program.run(Given(facts=facts, secrets=secrets), PlayedMachine(answer=execute))
        return said

    def copy(self, other: Server, word: str) -> Done:
        """Runs the plan's own copier here, with the other side's place on this machine."""
        planned = containers_in(self.plan, "bookstack")["bookstack-copy"]
        _, script, _ = planned.inputs["entrypoints"]
        given = files(planned)
        environment = dict(entry.split("=", 1) for entry in planned.inputs["envs"])
        for path in (script, environment["WORD"]):
            (self.folder / path.rpartition("/")[2]).write_text(given[path] if path == script else FOLLOWER)
        places = {
            "SOURCE": "127.0.0.1",
            "SOURCE_PORT": str(other.port),
            "TARGET": "127.0.0.1",
            "TARGET_PORT": str(self.port),
            "FIGURES": str(self.folder),
            "WORD": str(self.folder / "replication-password"),
            "LOCK": str(self.folder / "copy.lock"),
        }
        assert places.keys() <= environment.keys()
        return run_here(["bash", str(self.folder / "copy.sh"), word], "", environment | places | self.environment)

    def figures(self, other: Server | None = None) -> dict[str, float]:
        """Runs the plan's own health check as the container's user, and reads what it left."""
        _, shell, script, folder, role, *asks = self.container.inputs["healthcheck"]["tests"]
        assert shell == "sh"
        assert folder in [mount["target"] for mount in self.container.inputs["mounts"]]
        if asks:
            word = self.folder / "replication-password"
            word.write_text(FOLLOWER)
            assert self.words[asks.pop()]
            asks = ["127.0.0.1", str(other.port if other else 1), str(word)]
        command = [shell, "-c", self.words[script], "health", str(self.folder), role, *asks]
        subprocess.run(
            command, env=self.environment, check=True, capture_output=True, timeout=LIMIT, **as_user("mysql")
        )
        lines = (self.folder / "replication.prom").read_text().splitlines()
        return {name: float(value) for name, value in (line.split() for line in lines if line[0] != "#")}

    def changes(self) -> list[str]:
        """What its steps changed so far."""
        found = [each for each in self.executed if "sql_log_bin" in each or "mariadb-dump" in each]
        self.executed.clear()
        return found

    def following(self) -> dict[str, str]:
        """What it says of the one that it follows."""
        shown = self.execute_sql("SHOW SLAVE STATUS\\G", "--column-names")
        return {name: value.strip() for name, _, value in (line.strip().partition(":") for line in shown.splitlines())}

    def runs(self) -> bool:
        status = self.following()
        return status["Slave_IO_Running"] == status["Slave_SQL_Running"] == "Yes"

    def numbers(self) -> set[int]:
        return set(map(int, self.execute_sql("SELECT number FROM pages").split()))

    def checksums(self) -> str:
        return self.execute_sql(f"CHECKSUM TABLE {', '.join(TABLES)} EXTENDED")


def join(empty: Path, monk: Server, kscloud1: Server) -> None:
    """Both hosts as a new fleet has them: the foundation came first, and its wiki made the tables."""
    kscloud1.first_start(empty)
    assert kscloud1.step(monk) == "ready for monk, which does not answer yet"
    kscloud1.migrate()
    monk.first_start(empty)
    assert monk.step(kscloud1) == "filled from kscloud1"
    monk.migrate()
    until(kscloud1.runs, kscloud1.following)
    monk.use()
    same(monk, kscloud1)


def same(one: Server, other: Server) -> None:
    """Both sides hold the same, and both go on following."""
    until(lambda: one.checksums() == other.checksums(), lambda: (one.following(), other.following()))
    until(lambda: one.runs() and other.runs(), lambda: (one.following(), other.following()))


class Writer(threading.Thread):
    """One person who goes on saving pages wherever the site proxy leads: to the primary while it answers.

    A page without an answer is written anew, with a number of its own: the one before may have been saved after all.
    """

    def __init__(self, order: Sequence[Server]) -> None:
        super().__init__()
        self._order, self._end = order, threading.Event()
        self.saved: dict[int, str] = {}

    def run(self) -> None:
        number = 0
        while not self._end.is_set():
            for server in self._order:
                number += 1
                if server.try_sql(f"SET @number = {number}; {SAVE}").code == 0:
                    self.saved[number] = server.host
                    break

    def wait_for(self, more: int, host: str) -> None:
        """Until so many further pages are saved on a host."""
        before = self._on(host)
        until(lambda: self._on(host) >= before + more, lambda: f"{len(self.saved)} saved")

    def finish(self) -> dict[int, str]:
        self._end.set()
        self.join(LIMIT)
        return self.saved

    def _on(self, host: str) -> int:
        return list(self.saved.values()).count(host)


def until(ready: Callable[[], bool], why: Callable[[], Any] = lambda: "not in time") -> None:
    """Waits for a condition."""
    end = time.monotonic() + LIMIT
    while not ready():
        if time.monotonic() > end:
            pytest.fail(str(why()))
        time.sleep(0.05)


@contextlib.contextmanager
def template() -> Iterator[Path]:
    """An empty data folder, from which each server gets its own."""
    install = need("mariadb-install-db", "mariadb-server")
    with owned_folder("mysql") as folder:
        made = folder / "template"
        options = [f"--datadir={made}", "--auth-root-authentication-method=normal", "--skip-test-db", *_SMALL]
        done = subprocess.run(
            [install, "--no-defaults", *options], capture_output=True, text=True, check=False, **as_user("mysql")
        )
        assert done.returncode == 0, done.stderr
        yield made
