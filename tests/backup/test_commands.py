"""What the owner types, against a host whose containers a script plays: words, refusals, notes."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from components.proven import proven_restores, write_down
from kitestacks import backup_command, backup_host, restore, restore_drill
from kitestacks.__main__ import parser_of
from kitestacks.exits import CommandError, Exit
from tests.runbook_page import commands, pages

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from tests.stack_files import StackFiles

MODULES: dict[str, ModuleType] = {"backup": backup_command, "restore": restore, "restore-drill": restore_drill}
DOCKER = r"""#!/bin/bash
# docker's command: keeps what it was told and what came on standard input, and answers as a file says.
home=$(dirname "$0")
echo "$*" >> "$home/said"
cat >> "$home/stdin"
kind=${2%%:*}; [ -f "$home/answer$kind" ] || kind=
cat "$home/answer$kind" 2>/dev/null
exit "$(cat "$home/code$kind" 2>/dev/null || echo 0)"
"""


class Docker:
    """The script, and what it was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "docker").write_text(DOCKER)
        (folder / "docker").chmod(0o755)

    def answers(self, text: str, code: int = 0, host: str = "") -> None:
        """To every host, or to those whose address begins so."""
        kind = host.removesuffix("://")
        (self.folder / f"answer{kind}").write_text(text)
        (self.folder / f"code{kind}").write_text(str(code))

    @property
    def said(self) -> list[str]:
        file = self.folder / "said"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def stdin(self) -> str:
        return (self.folder / "stdin").read_text()


@pytest.fixture
def docker(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Docker:
    folder = tmp_path_factory.mktemp("docker")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(backup_host, "pulumi", lambda *_: json.dumps({"backup.recovery-password": "opens-it"}))
    return Docker(folder)


def run(files: StackFiles, *words: str) -> int:
    name, *rest = words
    arguments = parser_of(name).parse_args([*rest, "--folder", str(files.folder)])
    return int(MODULES[name].run(arguments))


def test_drill_that_proves_is_noted_for_the_guards(docker: Docker, files: StackFiles) -> None:
    docker.answers("bookstack: proven with snapshot abc: 3 files and folders read, canary found\n")
    before = datetime.now(UTC).replace(microsecond=0)

    assert run(files, "restore-drill", "bookstack", "-s", "monk") == Exit.OK
    noted = proven_restores(files.folder, "monk")
    assert set(noted) == {"bookstack"}
    assert noted["bookstack"] >= before
    container = "exec -i backup python3 -m components.backup_runner drill bookstack"
    assert docker.said == [f"-H unix:///var/run/docker.sock {container}"]


def test_drill_that_fails_notes_only_what_it_proved(docker: Docker, files: StackFiles) -> None:
    docker.answers("forgejo: proven with snapshot abc: canary found\nkavita: NOT proven: damaged\n", code=1)

    with pytest.raises(CommandError, match="restore-drill all: kavita: NOT proven: damaged") as failed:
        run(files, "restore-drill", "all", "-s", "monk")
    assert failed.value.exit_code == Exit.RESOURCE
    assert set(proven_restores(files.folder, "monk")) == {"forgejo"}


def test_drill_on_the_keeper_brings_the_password_and_leaves_none(docker: Docker, files: StackFiles) -> None:
    docker.answers("bookstack: proven with snapshot abc: 3 files and folders read, canary found\n")

    assert run(files, "restore-drill", "bookstack", "-s", "monk", "--on", "kscloud1") == Exit.OK
    (said,) = docker.said
    assert said.startswith("-H ssh://kite@kscloud1 exec -i backup ")
    assert said.endswith("drill bookstack --of monk --repository /data/backup-server/monk")
    assert docker.stdin == "opens-it\n"
    assert "opens-it" not in said
    assert set(proven_restores(files.folder, "monk")) == {"bookstack"}


def test_drill_on_a_host_that_does_not_keep_the_backup_is_refused(docker: Docker, files: StackFiles) -> None:
    files.add_host("attic")
    files.edit("attic", "services.backup", {"image": "kitestacks/backup:1", "to": "monk"})

    with pytest.raises(CommandError, match="attic does not keep the backup of monk") as refused:
        run(files, "restore-drill", "bookstack", "-s", "monk", "--on", "attic")
    assert "--on kscloud1" in refused.value.way_out
    assert not docker.said


def test_status_says_when_and_where_and_takes_the_hosts_own_drills_over(
    docker: Docker, files: StackFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    later = int(datetime.now(UTC).timestamp())
    facts = {"saved": later, "bytes": 2**20, "failed": "the backup server does not answer"}
    answer = {"services": {"bookstack": facts, "kavita": {}}, "check": {}}
    at_home = {"bookstack": {"proven": later - 5 * 24 * 3600}, "kavita": {"failed": "no canary"}}
    docker.answers(json.dumps({**answer, "proofs": {"monk": at_home}}) + "\n", host="unix://")
    docker.answers(json.dumps({**answer, "proofs": {"monk": {"bookstack": {"proven": later}}}}) + "\n", host="ssh://")
    write_down(files.folder, "monk", "bookstack", datetime(2026, 1, 1, tzinfo=UTC))

    assert run(files, "backup", "status", "-s", "monk") == Exit.OK
    shown = capsys.readouterr().out.splitlines()
    assert "saved 0 h ago" in shown[0]
    assert "FAILED: the backup server does not answer" in shown[0]
    assert "restore proven 0 h ago on kscloud1" in shown[0]
    assert "saved never" in shown[1]
    assert "restore proven never  NOT PROVEN on monk: no canary" in shown[1]
    assert proven_restores(files.folder, "monk")["bookstack"].timestamp() == later


def test_status_goes_on_without_the_keeper(
    docker: Docker, files: StackFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = {"services": {"bookstack": {"saved": 1}}, "check": {}, "proofs": {"monk": {"bookstack": {"proven": 86400}}}}
    docker.answers(json.dumps(facts) + "\n", host="unix://")
    docker.answers("", code=1, host="ssh://")

    assert run(files, "backup", "status", "-s", "monk") == Exit.OK
    shown = capsys.readouterr()
    assert "on monk" in shown.out
    assert "what kscloud1 has proven is not known" in shown.out + shown.err


@pytest.mark.parametrize(
    ("said", "way_out"),
    [
        ("bookstack-db is one side of a ring: what is brought back here", "a wiki on two hosts"),
        ("authentik-db follows another host's database: restore on", "the host that writes"),
    ],
)
def test_database_that_others_depend_on_is_not_replaced_alone(
    docker: Docker, files: StackFiles, said: str, way_out: str
) -> None:
    docker.answers(f"failed: {said}\n", code=1)

    with pytest.raises(CommandError, match=said) as refused:
        run(files, "restore", "bookstack", "-s", "monk", "--overwrite")
    assert refused.value.exit_code == Exit.POLICY
    assert way_out in refused.value.way_out


def test_newer_data_is_said_with_the_way_out(docker: Docker, files: StackFiles) -> None:
    docker.answers("failed: bookstack holds what the backup does not: 3 files are newer\n", code=1)

    with pytest.raises(CommandError, match="3 files are newer") as refused:
        run(files, "restore", "bookstack", "-s", "monk")
    assert refused.value.exit_code == Exit.POLICY
    assert "--overwrite" in refused.value.way_out


def test_lines_of_the_runbook_show_what_would_change_and_bring_it_back(docker: Docker, files: StackFiles) -> None:
    typed = "python3 -m kitestacks restore "
    lines = [line for text in pages().values() for line in commands(text) if line.startswith(typed)]

    for line in lines:
        docker.answers("forgejo: brought back\n")
        assert run(files, *line.split()[3:]) == Exit.OK

    container = "-H unix:///var/run/docker.sock exec -i backup python3 -m components.backup_runner restore all"
    assert docker.said == [f"{container} --dry-run", f"{container} --overwrite"]


def test_dry_run_and_snapshot_are_passed_on(docker: Docker, files: StackFiles) -> None:
    run(files, "restore", "bookstack", "-s", "monk", "--dry-run", "--snapshot", "abc")

    assert docker.said[0].endswith("restore bookstack --snapshot abc --dry-run")


def test_restore_on_the_keeper_brings_the_password_and_leaves_none(docker: Docker, files: StackFiles) -> None:
    run(files, "restore", "bookstack", "-s", "monk", "--to", "kscloud1")

    (said,) = docker.said
    assert said.startswith("-H ssh://kite@kscloud1 exec -i backup ")
    assert said.endswith("restore bookstack --of monk --repository /data/backup-server/monk")
    assert docker.stdin == "opens-it\n"
    assert "opens-it" not in said


def test_prune_runs_beside_the_repository_and_only_lists_at_first(docker: Docker, files: StackFiles) -> None:
    run(files, "backup", "prune", "-s", "monk")

    (said,) = docker.said
    assert said.startswith("-H ssh://kite@kscloud1 exec -i --user 65532:65532 backup restic ")
    assert "--repo /data/backup-server/monk" in said
    assert said.endswith("forget --group-by host,tags --keep-within 1y --dry-run")
    assert docker.stdin == "opens-it"


def test_prune_without_a_proven_restore_is_refused(docker: Docker, files: StackFiles) -> None:
    with pytest.raises(CommandError, match=r"no restore was proven lately of .*bookstack") as refused:
        run(files, "backup", "prune", "-s", "monk", "--yes")
    assert "restore-drill all -s monk" in refused.value.way_out
    assert not docker.said

    for service in files.fleet("monk").kept_here:
        write_down(files.folder, "monk", service)
    assert run(files, "backup", "prune", "-s", "monk", "--yes") == Exit.OK
    assert docker.said[0].endswith("--keep-within 1y --prune")


def test_host_without_a_backup_is_named(docker: Docker, files: StackFiles) -> None:
    with pytest.raises(CommandError, match="no backup is made of 'attic'") as refused:
        run(files, "backup", "now", "-s", "attic")
    assert "kscloud1, monk" in refused.value.way_out
    assert not docker.said


def test_failed_backup_is_the_commands_failure(docker: Docker, files: StackFiles) -> None:
    docker.answers("bookstack: NOT saved: the dump bookstack-db.sql is cut short\n", code=1)

    with pytest.raises(CommandError, match="is cut short"):
        run(files, "backup", "now", "-s", "monk")


@pytest.mark.parametrize("words", [("backup", "check"), ("restore", "nosuch"), ("restore-drill", "all")])
@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", "says nothing"),
        ("Error response from daemon: No such container: backup\n", "No such container"),
        ("Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?\n", "Cannot connect"),
        ("error during connect: ssh: Could not resolve hostname monk\n", "error during connect"),
    ],
)
def test_container_that_is_not_reached_is_named_with_what_makes_it(
    docker: Docker, files: StackFiles, said: str, told: str, words: tuple[str, ...]
) -> None:
    docker.answers(said, code=1)

    with pytest.raises(CommandError, match=f"^backup on monk: .*{told}") as refused:
        run(files, *words, "-s", "monk")
    assert (
        refused.value.way_out == "does backup run? docker -H unix:///var/run/docker.sock ps; pulumi up -s monk makes it"
    )
    assert refused.value.exit_code == Exit.RESOURCE
