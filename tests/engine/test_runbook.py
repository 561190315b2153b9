"""The commands of RUNBOOK.md, typed in a rehearsal as the page has them, each with the real engine and containers."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from rehearsal.daemon import Daemon
from rehearsal.sites import wait_until_answering
from tests.host_setup.asked import section
from tests.runbook_page import commands, needs_the_real_thing, pages
from tests.stack_files import PREFIX, ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.lab import Lab

SERVICES = (
    *("cloudflared", "site-proxy", "portal"),
    *("bookstack", "portainer", "authentik", "authentik-db", "node-exporter"),
)
"""What the page's commands name, and what they need."""
ELSEWHERE = {
    "make rehearsal": ("tests/engine/test_rehearsal_command.py", '"kitestacks", "rehearsal"'),
    "make deploy": ("tests/deploying/test_host.py", 'parser_of("deploy")'),
    "make drill FAULT=": ("tests/rehearsal/test_drill.py", "faults.known()"),
    "make runbook": ("tests/test_runbook.py", 'parser_of("runbook")'),
    "make sites": ("tests/test_sites_command.py", 'parser_of("sites")'),
    "make doctor": ("tests/test_command.py", '"kitestacks", "doctor"'),
    "make toolchain": ("tests/test_toolchain.py", "m.main(['toolchain'"),
    "source activate": ("tests/test_toolchain.py", "source {checkout.root}/activate"),
    "python3 -m kitestacks toolchain --from-source": ("tests/test_toolchain.py", 'run("--from-source"'),
    "python3 -m kitestacks database": ("tests/artefacts/test_pg_runbook.py", "python3 -m kitestacks database "),
    "python3 -m kitestacks kit open": ("tests/engine/test_kit.py", '_run("open"'),
    "python3 -m kitestacks restore": ("tests/backup/test_commands.py", "python3 -m kitestacks restore "),
}
"""Commands that other tests type: what they begin with, and where and how that test has them."""
SHELL = "source rehearsal/activate"
REPLACING = "pulumi up -s kscloud1 --replace"
LOGIN = "pulumi login"
MENTIONS = {"pulumi up", "pulumi preview", "docker logs", "docker rm -f", "for monk lost"}
"""Words of a program in a sentence, without what would make a command of them."""
BEGIN_ANEW = "Lost state or passphrase"
_PYTHON = (
    "import importlib, sys; from kitestacks.__main__ import COMMANDS, parser_of; name, *rest = sys.argv[1:]; "
    "sys.exit(importlib.import_module(COMMANDS[name].module).run(parser_of(name).parse_args(rest)))"
)


def typed(title: str) -> list[str]:
    """What a page tells to type and this file plays, in order."""
    found = [each for each in commands(pages()[title]) if each not in MENTIONS and not needs_the_real_thing(each)]
    return [each for each in found if not each.startswith((*ELSEWHERE, SHELL, REPLACING, LOGIN))]


def test_commands_that_other_tests_type_have_those_tests() -> None:
    everything = [command for title in pages() for command in commands(pages()[title])]

    for beginning, (file, how) in ELSEWHERE.items():
        assert how in (ROOT / file).read_text(), beginning
        assert any(command.startswith(beginning) for command in everything), beginning


def test_marks_are_few_and_each_is_needed() -> None:
    everything = {command for title in pages() if title for command in commands(pages()[title])}
    marked = {command for command in everything if needs_the_real_thing(command)}

    assert 0 < len(marked) <= len(everything) / 4


@pytest.mark.engine
def test_shell_that_the_page_practises_in_plans_the_rehearsed_hosts_and_is_left_again(lab: Lab) -> None:
    for stack in ("kscloud1", "monk"):
        lab.up(stack)
    plan = "pulumi preview -s monk --expect-no-changes"
    done = subprocess.run(
        [
            "bash",
            "-c",
            f"{SHELL} && {plan} && kitestacks_deactivate && echo left: ${{PULUMI_BACKEND_URL-no rehearsal}}",
        ],
        cwd=ROOT,
        env=os.environ | {"KITESTACKS_REHEARSAL": str(lab.twin.state)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("left: no rehearsal\n")


@pytest.mark.engine
def test_what_pages_replace_is_there_under_the_name_that_they_type(lab: Lab) -> None:
    lab.files.edit("kscloud1", "host.setup", section())
    lab.render()
    lab.make_stack("kscloud1")
    lab.up("kscloud1")
    lines = {line for title in pages() for line in commands(pages()[title]) if line.startswith(REPLACING)}
    assert lines

    for line in lines:
        _, *words = shlex.split(line)
        done = lab.pulumi(*words, "--yes", "--skip-preview")
        assert done.status == 0, done.output
        assert "1 replaced" in done.output, line


@pytest.mark.engine
def test_state_on_the_own_disk_is_logged_in_to_by_the_line_of_its_page(lab: Lab, tmp_path: Path) -> None:
    (line,) = (each for each in commands(pages()["No engine or plugin"]) if each.startswith(LOGIN))
    (tmp_path / "kitestacks-state").mkdir()
    own = {"HOME": str(tmp_path), "PULUMI_HOME": str(tmp_path / "pulumi"), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    path = {"PATH": f"{lab.tools.engine.parent}:{os.environ['PATH']}"}

    done = subprocess.run(
        ["bash", "-c", f"{line} && pulumi whoami --verbose"],
        env=path | own,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert f"file://{tmp_path}/kitestacks-state" in done.stdout


class Shell:
    """The rehearsal's shell on a lab, in which a page's real names lead to the rehearsed ones.

    Only three things differ from what a person types there: `--yes`, since nobody is asked; containers by their
    rehearsed names, as the page itself says; and sites by the local edge's address.
    """

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        for file in lab.twin.project.glob("Pulumi.*.yaml"):
            (folder / file.name).write_text(file.read_text())
        git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com"]
        others = str(folder / ".git" / "others.git")
        for words in (
            *(["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "as deployed"]),
            *(["clone", "-q", "--bare", ".", others], ["remote", "add", "origin", others], ["fetch", "-q"]),
            ["branch", "-q", "-u", "origin/main"],
        ):
            subprocess.run([*git, *words], cwd=folder, check=True)

    def type(self, command: str, given: str = "") -> str:
        """Types a line; it must succeed. Returns what it printed."""
        done = self.run(command, given)
        assert done.returncode == 0, (command, done.stdout[-3000:], done.stderr[-3000:])
        return done.stdout + done.stderr

    def run(self, command: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Types a line."""
        environment = self.lab.environment | {
            "PATH": f"{self.lab.twin.state}/bin:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }
        return subprocess.run(
            ["bash", "-c", self.rehearsed(command)],
            cwd=self.folder,
            env=environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def rehearsed(self, command: str) -> str:
        """The line with what differs."""
        if command.startswith("pulumi up"):
            command += " --yes --skip-preview"
        command = re.sub(r"https://(\S+)", rf"-H 'Host: \1' http://127.0.0.1:{self.lab.twin.port}/", command)
        command = command.replace("/home/kite/kitestacks-live/docker", str(self.lab.twin.state))
        command = command.replace("python3 -m kitestacks", f"{sys.executable} -c {shlex.quote(_PYTHON)}")
        if not command.startswith("docker"):
            return command
        names = {name.partition("-monk-")[2]: name for name in self.containers()}
        return re.sub(r"(?<![\w=.-])[a-z][a-z-]+(?![\w.=-])", lambda word: names.get(word[0], word[0]), command)

    def containers(self) -> list[str]:
        """The containers of the rehearsed monk."""
        daemon = Daemon.find()
        assert daemon
        return [str(each.name) for each in daemon.containers(self.lab.twin.installation, "monk")]


@pytest.fixture(scope="module")
def shell(docker_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    docker_lab.files.keep(*SERVICES)
    docker_lab.render()
    for stack in ("kscloud1", "monk"):
        docker_lab.up(stack)
    return Shell(docker_lab, tmp_path_factory.mktemp("page"))


@pytest.mark.engine
@pytest.mark.docker
def test_every_command_does_what_it_is_there_for(shell: Shell) -> None:
    """In the page's order, each once; what a page ends with has to hold on what the pages before it have left.

    A container that is moved out of the way is not there for later pages, so that comes last.
    """
    titles = [title for title in pages() if title != BEGIN_ANEW]
    each_once = dict.fromkeys(command for title in titles for command in typed(title))
    each_once = dict.fromkeys(sorted(each_once, key=lambda command: command.startswith("docker rename")))
    printed = {command: shell.type(command) for command in each_once}

    loop = next(text for command, text in printed.items() if command.startswith("for i in"))
    assert re.search("x-answered-by: (monk|kscloud1)", loop, flags=re.IGNORECASE)
    assert "200" in next(text for command, text in printed.items() if command.endswith("head -1"))
    assert "portainer.admin-password" in printed["pulumi stack output passwords --show-secrets -s monk"]
    assert "nothing of monk is unknown to its stack" in printed["python3 -m kitestacks orphans -s monk"]
    assert "healthy" in printed["docker ps --filter label=kitestacks.service=cloudflared"]
    assert len(printed) > 20


@pytest.mark.engine
@pytest.mark.docker
def test_lost_state_is_begun_anew_by_the_commands_of_its_page(shell: Shell) -> None:
    """Every step, in order; the token that the owner types comes by standard input."""
    for command in typed(BEGIN_ANEW):
        if command.startswith("pulumi stack init kscloud1"):
            _forget_what_the_old_passphrase_encrypted(shell.lab)
        if command.startswith("pulumi preview"):
            continue
        if command == "pulumi up -s kscloud1":
            _take_the_policy_over(shell, command)
        shell.type(command, given="rehearsal-token-that-opens-nothing\n" if "config set" in command else "")

    for stack in ("kscloud1", "monk"):
        shell.type(f"pulumi preview -s {stack} --expect-no-changes")
    wait_until_answering(shell.lab.twin, ["www.kitestacks.com"])


def _take_the_policy_over(shell: Shell, command: str) -> None:
    """As the page says: the tailnet has the policy that the lost state knew, and the refusal shows one command."""
    refused = shell.run(command)
    told = refused.stdout + refused.stderr
    shown = re.search(r"Take it over by one command: (pulumi import .*)", told)
    assert refused.returncode != 0
    assert shown, told
    shell.type(shown[1])


def _forget_what_the_old_passphrase_encrypted(lab: Lab) -> None:
    """The page's second step, by hand: the salt, and every encrypted value."""
    for file in lab.twin.project.glob("Pulumi.*.yaml"):
        document = yaml.safe_load(file.read_text())
        document.pop("encryptionsalt", None)
        config = document["config"]
        document["config"] = {
            key: value for key, value in config.items() if key.startswith(PREFIX) or "secure" not in str(value)
        }
        file.write_text(yaml.safe_dump(document))
