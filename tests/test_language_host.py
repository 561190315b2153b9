"""The Python language host: what a program's user sees and what the engine gets, however the program ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import (
    LanguageRuntimeStub,
    ResourceMonitorServicer,
    add_ResourceMonitorServicer_to_server,
    language_pb2,
    resource_pb2,
)

import toolchain
from toolchain import language_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOST = Path(language_host.__file__)
PATIENCE = 30
"""Seconds a test waits for what must happen, on a busy machine too."""


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


# Without an engine


@pytest.fixture
def host() -> Iterator[tuple[subprocess.Popen[str], LanguageRuntimeStub]]:
    """A running host and a client of it."""
    command = [sys.executable, "-P", str(HOST), "127.0.0.1:9"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield process, LanguageRuntimeStub(channel)
        process.kill()


def request(folder: Path, **options: str) -> language_pb2.RunRequest:
    info = language_pb2.ProgramInfo(root_directory=str(folder), program_directory=str(folder), entry_point=".")
    info.options.update(options)
    return language_pb2.RunRequest(info=info, pwd=str(folder), project="p", stack="s", monitor_address="127.0.0.1:9")


def test_answers_what_the_engine_asks(host: tuple[subprocess.Popen[str], LanguageRuntimeStub]) -> None:
    client = host[1]
    client.Handshake(language_pb2.LanguageHandshakeRequest(engine_address="127.0.0.1:9"))
    assert client.GetPluginInfo(empty_pb2.Empty()).version.startswith("3.")
    assert client.About(language_pb2.AboutRequest()).executable == sys.executable
    found = client.GetProgramDependencies(language_pb2.GetProgramDependenciesRequest()).dependencies
    assert "pulumi" in {each.name for each in found}
    assert not client.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest()).packages
    assert not client.GetRequiredPlugins(language_pb2.GetRequiredPluginsRequest()).plugins


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"toolchain": "uv"}, "runtime.options.toolchain: this language host knows pip only, got 'uv'"),
        ({"typechecker": "mypy"}, "runtime.options.typechecker: this language host runs no type checker"),
        ({"virtualenv": "nowhere"}, "runtime.options.virtualenv: there is no {folder}/nowhere/bin/python"),
    ],
)
def test_refuses_in_words_what_it_cannot_do(
    host: tuple[subprocess.Popen[str], LanguageRuntimeStub], options: dict[str, str], words: str, tmp_path: Path
) -> None:
    assert words.format(folder=tmp_path) in host[1].Run(request(tmp_path, **options)).error


def test_refuses_a_debugger(host: tuple[subprocess.Popen[str], LanguageRuntimeStub], tmp_path: Path) -> None:
    asked = request(tmp_path)
    asked.attach_debugger = True
    assert "no debugger" in host[1].Run(asked).error


def test_installs_the_programs_requirements(
    host: tuple[subprocess.Popen[str], LanguageRuntimeStub], tmp_path: Path
) -> None:
    (tmp_path / "requirements.txt").write_text("./there-is-no-such-package\n")
    asked = language_pb2.InstallDependenciesRequest(info=request(tmp_path).info)
    lines: list[bytes] = []

    def install() -> None:
        for answer in host[1].InstallDependencies(asked):
            lines.append(answer.stdout)  # noqa: PERF401 - the lines before the failure count

    with pytest.raises(grpc.RpcError, match="pip install -r"):
        install()
    assert b"there-is-no-such-package" in b"".join(lines)


def test_interrupt_ends_an_idle_host_silently(host: tuple[subprocess.Popen[str], LanguageRuntimeStub]) -> None:
    process, client = host
    client.Cancel(empty_pb2.Empty())
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0


class SilentMonitor(ResourceMonitorServicer):
    """An engine's monitor that never answers, as one that is stopping may do."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.over = threading.Event()

    def GetDeploymentInfo(  # noqa: N802 - the protocol's name
        self,
        request: empty_pb2.Empty,  # noqa: ARG002
        context: grpc.ServicerContext,  # noqa: ARG002
    ) -> resource_pb2.DeploymentInfo:
        self.asked.set()
        self.over.wait(PATIENCE)
        return resource_pb2.DeploymentInfo()


def test_interrupt_ends_a_run_that_waits_for_the_engine_silently(
    host: tuple[subprocess.Popen[str], LanguageRuntimeStub], tmp_path: Path
) -> None:
    process, client = host
    (tmp_path / "__main__.py").write_text("")
    monitor = SilentMonitor()
    server = grpc.server(ThreadPoolExecutor(max_workers=8))
    add_ResourceMonitorServicer_to_server(monitor, server)
    asked = request(tmp_path)
    asked.monitor_address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    running = client.Run.future(asked)
    assert monitor.asked.wait(PATIENCE)
    # What the engine does with its plugins after a resource has failed: it cancels, then interrupts.
    client.Cancel(empty_pb2.Empty())
    assert running.result(PATIENCE).bail
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    monitor.over.set()
    server.stop(None).wait()
    assert process.stderr is not None
    assert process.stderr.read() == ""


def test_host_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-P', {str(HOST)!r}, '127.0.0.1:9'], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        f"open({str(pids)!r}, 'w').write(f'{{child.pid}}\\n')\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script]) as parent:
        wait_for(lambda: pids.exists() and pids.read_text().endswith("\n"))
        child = int(pids.read_text())
        assert is_alive(child)
        parent.kill()
    wait_for(lambda: not is_alive(child))


@pytest.mark.parametrize(
    ("code", "words"),
    [(None, ""), (0, ""), (7, "program exited with non-zero exit code: 7"), ("no such host", "no such host")],
)
def test_what_a_programs_exit_says(code: object, words: str) -> None:
    assert language_host._status(SystemExit(code)) == words


def test_files_of_a_virtual_environment_are_not_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_host, "sys", SimpleNamespace(prefix=str(tmp_path / ".venv")))
    assert language_host._is_users(str(tmp_path / "components" / "host.py"), tmp_path)
    assert not language_host._is_users(str(tmp_path / ".venv" / "lib" / "pulumi.py"), tmp_path)
    assert not language_host._is_users("<frozen runpy>", tmp_path)
    assert not language_host._is_users(language_host.__file__, HOST.parent.parent)


# With an engine


@pytest.fixture(scope="session")
def folder_of_engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the engine and this project's language host, whatever host the machine has besides."""
    found = toolchain.find()
    if found is None:
        pytest.skip("no Pulumi engine: make toolchain")
    folder = tmp_path_factory.mktemp("engine")
    try:
        os.link(found.engine.resolve(), folder / "pulumi")
    except OSError:
        shutil.copy(found.engine, folder / "pulumi")
    launcher = folder / "pulumi-language-python"
    launcher.write_text(f'#!/bin/sh\nexec {sys.executable} -P {HOST} "$@"\n')
    launcher.chmod(0o755)
    return folder


class Project:
    """A tiny Pulumi project with a state of its own."""

    def __init__(self, folder: Path, engine: Path) -> None:
        self.folder = folder
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")},
            "PATH": f"{engine}{os.pathsep}{os.environ['PATH']}",
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        (folder / "state").mkdir()
        (folder / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n")
        (folder / "Pulumi.dev.yaml").write_text("config: {}\n")
        self.run("stack", "init", "dev")

    def program(self, text: str) -> None:
        (self.folder / "__main__.py").write_text("import os, sys\nimport pulumi\n" + text)

    def pulumi(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["pulumi", *words, "--non-interactive"]
        return subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=120, check=False
        )

    def run(self, *words: str) -> str:
        done = self.pulumi(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def fails(self, *words: str) -> str:
        done = self.pulumi(*words)
        assert done.returncode != 0, done.stdout
        return done.stdout + done.stderr

    def started(self, *words: str) -> subprocess.Popen[str]:
        """The engine at work on a program that writes its process's number to the file `pid`."""
        command = ["pulumi", *words, "--non-interactive"]
        engine = subprocess.Popen(
            command, cwd=self.folder, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        wait_for(lambda: (self.folder / "pid").exists() and (self.folder / "pid").read_text().endswith("\n"))
        return engine


@pytest.fixture
def project(tmp_path: Path, folder_of_engine: Path) -> Project:
    return Project(tmp_path, folder_of_engine)


WRITE_PID = "print(os.getpid(), file=open('pid', 'w'), flush=True)\n"


@pytest.mark.engine
def test_program_lives_through_preview_up_refresh_and_destroy(project: Project) -> None:
    project.run("config", "set", "plain", "seen")
    project.run("config", "set", "--secret", "hidden", "never-shown")
    project.program(
        "import neighbour\n"
        "config = pulumi.Config()\n"
        "pulumi.export('plain', config.require('plain'))\n"
        "pulumi.export('hidden', config.require('hidden') and config.require_secret('hidden'))\n"
        "pulumi.export('root', pulumi.get_root_directory())\n"
        "pulumi.export('names', [pulumi.get_organization(), pulumi.get_project(), pulumi.get_stack()])\n"
        "pulumi.export('dry', pulumi.runtime.is_dry_run())\n"
        "pulumi.export('argv', sys.argv[1:])\n"
        "pulumi.export('neighbour', neighbour.WORD)\n"
        "print('said on output')\n"
        "print('said on error', file=sys.stderr)\n"
    )
    (project.folder / "neighbour.py").write_text("WORD = 'imported'\n")
    preview = project.run("preview")
    assert "said on output" in preview
    assert "said on error" in preview
    assert "warning" not in preview
    assert "dry      : true" in preview

    done = project.run("up", "--yes")
    assert "never-shown" not in preview + done
    shown = project.run("stack", "output", "--json")
    assert '"hidden": "[secret]"' in shown
    assert f'"root": "{project.folder}"' in shown
    assert '"plain": "seen"' in shown
    assert '"neighbour": "imported"' in shown
    assert '"dry": false' in shown
    for name in ("organization", "tiny", "dev"):
        assert f'"{name}"' in shown
    assert '"hidden": "never-shown"' in project.run("stack", "output", "--json", "--show-secrets")

    assert "1 unchanged" in project.run("up", "--yes")
    project.run("refresh", "--yes")
    project.run("destroy", "--yes")


@pytest.mark.engine
def test_exception_is_shown_once_from_the_users_first_line(project: Project) -> None:
    project.program("import helper\nhelper.fail()\n")
    (project.folder / "helper.py").write_text("def fail():\n    raise ValueError('no good')\n")
    shown = project.fails("preview")
    diagnostics = shown.split("Diagnostics:")[1]
    assert diagnostics.count("ValueError: no good") == 1
    assert diagnostics.count("Program failed with an unhandled exception:") == 1
    first = diagnostics.split("Traceback (most recent call last):\n")[1].splitlines()[0]
    assert first.strip() == f'File "{project.folder}/__main__.py", line 4, in <module>'
    for noise in ("runpy", "language_host.py", "pulumi/runtime", "exit code", "unhandled error occurred"):
        assert noise not in shown


@pytest.mark.engine
def test_syntax_error_names_the_file_and_line(project: Project) -> None:
    project.program("x = (\n")
    diagnostics = project.fails("preview").split("Diagnostics:")[1]
    assert f'File "{project.folder}/__main__.py", line 3' in diagnostics
    assert diagnostics.count("SyntaxError: '(' was never closed") == 1
    assert "language_host.py" not in diagnostics


@pytest.mark.engine
def test_run_error_is_its_message_alone(project: Project) -> None:
    project.program(
        "class SettingsError(pulumi.RunError): pass\n"
        "raise SettingsError('services.x.image: must name a tag\\nservices.y: unknown')\n"
    )
    shown = project.fails("preview")
    diagnostics = shown.split("Diagnostics:")[1].split("Resources:")[0].strip().splitlines()
    assert [line.strip() for line in diagnostics] == [
        "pulumi:pulumi:Stack (tiny-dev):",
        "error: services.x.image: must name a tag",
        "services.y: unknown",
    ]
    for noise in ("Traceback", "exit code", "unhandled"):
        assert noise not in shown


@pytest.mark.engine
def test_exception_in_an_apply_fails_the_run(project: Project) -> None:
    project.program("pulumi.export('x', pulumi.Output.from_input(1).apply(lambda one: one / 0))\n")
    shown = project.fails("preview")
    assert "ZeroDivisionError: division by zero" in shown


@pytest.mark.engine
def test_failed_resource_is_the_engines_to_tell(project: Project) -> None:
    found = toolchain.find()
    assert found is not None
    project.env["PULUMI_HOME"] = str(found.home)
    project.program(
        "import pulumi_docker as docker\n"
        "daemon = docker.Provider('none', host='unix:///nowhere.sock', disable_docker_daemon_check=True)\n"
        "network = docker.Network('net', name='tiny-net', opts=pulumi.ResourceOptions(provider=daemon))\n"
        "pulumi.export('late', network.id)\n"
    )
    for _ in range(3):
        shown = project.fails("up", "--yes", "--skip-preview", "--stack", "dev")
        assert "/nowhere.sock" in shown
        assert "Traceback" not in shown
        assert "KeyboardInterrupt" not in shown


@pytest.mark.engine
def test_asynchronous_program(project: Project) -> None:
    project.program(
        "import asyncio\n"
        "async def main():\n"
        "    await asyncio.sleep(0.01)\n"
        "    import neighbour\n"
        "    return {'late': neighbour.WORD}\n"
        "pulumi.run(main)\n"
    )
    (project.folder / "neighbour.py").write_text("WORD = 'imported late'\n")
    project.run("up", "--yes")
    assert project.run("stack", "output", "late").strip() == "imported late"


@pytest.mark.engine
def test_exit_status_of_a_program(project: Project) -> None:
    project.program("sys.exit(7)\n")
    assert "program exited with non-zero exit code: 7" in project.fails("preview")


@pytest.mark.engine
def test_missing_program(project: Project) -> None:
    shown = project.fails("preview")
    assert f"there is no program: {project.folder}/__main__.py does not exist" in shown
    assert "Traceback" not in shown


@pytest.mark.engine
def test_virtual_environment_of_the_project_file(project: Project) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", project.folder / "other"], check=True)
    packages = next((project.folder / "other" / "lib").glob("python*/site-packages"))
    # The other environment sees the packages of this one, so that nothing need be installed.
    here = [entry for entry in sys.path if entry.endswith("site-packages")]
    (packages / "here.pth").write_text("\n".join(here) + "\n")
    (project.folder / "Pulumi.yaml").write_text(
        "name: tiny\nruntime:\n  name: python\n  options:\n    virtualenv: other\n"
    )
    project.program("pulumi.export('prefix', sys.prefix)\nprint('said inside')\n")
    assert "said inside" in project.run("up", "--yes")
    assert project.run("stack", "output", "prefix").strip() == str(project.folder / "other")

    project.program("raise pulumi.RunError('not like this')\n")
    shown = project.fails("preview")
    assert shown.split("Diagnostics:")[1].count("not like this") == 1
    project.program("os._exit(9)\n")
    assert "the program's process ended with status 9" in project.fails("preview")


@pytest.mark.engine
def test_killed_engine_takes_the_host_along(project: Project) -> None:
    project.program(WRITE_PID + "import time; time.sleep(600)\n")
    with project.started("preview") as engine:
        host = int((project.folder / "pid").read_text())
        assert is_alive(host)
        engine.send_signal(signal.SIGKILL)
    wait_for(lambda: not is_alive(host))


@pytest.mark.engine
def test_interrupt_stops_a_program_that_would_go_on(project: Project) -> None:
    project.program(WRITE_PID + "import time; time.sleep(600)\n")
    with project.started("preview") as engine:
        host = int((project.folder / "pid").read_text())
        engine.send_signal(signal.SIGINT)
        shown, _ = engine.communicate(timeout=PATIENCE)
    assert engine.returncode != 0
    assert "Traceback" not in shown
    wait_for(lambda: not is_alive(host))
