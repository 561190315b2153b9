"""Stand-in images: which part an image gets, the program itself, and the images in a real daemon."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import io
import shutil
import subprocess
import tarfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.daemon import DaemonError, connect
from rehearsal.images import build, program
from rehearsal.images.build import HASH_LABEL, LINKS, ensure
from rehearsal.images.program import ImageError, source_hash, standin_binary
from rehearsal.images.roles import Part, local_tag, repository_of, role_of, version_of
from tests.ports import free_port
from tests.recorder import Recorded, foundation_outputs, run_program
from tests.rehearsal.edge_world import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.client import DockerClient

needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="the stand-in program is built with Go: install it")
DIGEST = "sha256:" + "a" * 64
STACKS = ("kscloud1", "monk")


@pytest.mark.parametrize(
    ("image", "declared", "part", "name", "ports"),
    [
        ("cloudflare/cloudflared:2026.8.2", (), Part.CONNECTOR, "cloudflared", (80,)),
        ("example.org/cloudflare/cloudflared:2026.8.2", (), Part.CONNECTOR, "cloudflared", (80,)),
        ("prom/node-exporter:v1.12.1", (), Part.NODE_EXPORTER, "node-exporter", (80,)),
        ("caddy:2.11.4-alpine", (80,), Part.CADDY, "caddy", (80,)),
        (f"example.org/library/caddy:2@{DIGEST}", (), Part.CADDY, "caddy", (80,)),
        ("example.org/caddy", (), Part.CADDY, "caddy", (80,)),
        ("someone/caddy:1", (), Part.SERVICE, "caddy", (80,)),
        ("grafana/grafana:13.2.0", (3000,), Part.SERVICE, "grafana", (3000,)),
        ("example.org/goauthentik/server:2026.8.0", (9000, 9300), Part.SERVICE, "server", (9000, 9300)),
        ("localhost:5000/postgres:18.6", (), Part.SERVICE, "postgres", (5432,)),
        ("postgres:18.6", (6432,), Part.SERVICE, "postgres", (6432,)),
        ("nobody/knows:1", (), Part.SERVICE, "knows", (80,)),
    ],
)
def test_the_part_of_an_image(
    image: str, declared: tuple[int, ...], part: Part, name: str, ports: tuple[int, ...]
) -> None:
    role = role_of(image, declared)
    assert (role.part, role.name, role.ports) == (part, name, ports)


@pytest.mark.parametrize(
    ("image", "repository", "version", "tag"),
    [
        ("caddy:2.11.4", "caddy", "2.11.4", "kitestacks-rehearsal/caddy:2.11.4"),
        ("caddy", "caddy", "latest", "kitestacks-rehearsal/caddy:latest"),
        (f"a/b:1@{DIGEST}", "a/b", DIGEST, f"kitestacks-rehearsal/a/b:{DIGEST.replace(':', '-')}"),
        ("localhost:5000/x/y", "localhost:5000/x/y", "latest", "kitestacks-rehearsal/localhost-5000/x/y:latest"),
        ("localhost:5000/x/y:2", "localhost:5000/x/y", "2", "kitestacks-rehearsal/localhost-5000/x/y:2"),
    ],
)
def test_the_parts_of_a_reference(image: str, repository: str, version: str, tag: str) -> None:
    assert (repository_of(image), version_of(image), local_tag(image)) == (repository, version, tag)


def test_without_go_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(program, "BUILT", tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ImageError, match="install Go"):
        standin_binary()


@needs_go
def test_a_program_that_does_not_compile_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(program.SOURCE, source)
    monkeypatch.setattr(program, "SOURCE", source)
    before = source_hash()
    (source / "main.go").write_text("package main\nbroken\n", encoding="utf-8")
    assert source_hash() != before
    monkeypatch.setattr(program, "BUILT", tmp_path / "built")
    with pytest.raises(ImageError, match=r"main\.go:2"):
        standin_binary()
    assert [path for path in (tmp_path / "built").rglob("*") if path.is_file()] == []


@needs_go
def test_the_source_is_tidy() -> None:
    assert subprocess.run(["gofmt", "-l", program.SOURCE], capture_output=True, check=True).stdout == b""


def test_without_a_daemon_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/none.sock"
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(ImageError, match=f"no Docker daemon answers at {address}"):
        ensure({"caddy:2": ()})


# The program's parts, as processes.


@contextlib.contextmanager
def running(*arguments: str, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([str(standin_binary()), *arguments], env=env or {})
    try:
        yield process
    finally:
        process.kill()
        process.wait(60)


def standin(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [str(standin_binary()), *arguments]
    return subprocess.run(command, env=env or {}, capture_output=True, text=True, timeout=60, check=False)


def get(port: int, path: str = "/") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection):
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()


def answers(port: int) -> bool:
    try:
        get(port)
    except ConnectionError:
        return False
    return True


@pytest.fixture
def website() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(int(self.path.strip("/")))
            self.end_headers()
            self.wfile.write(b"body")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(60)


@needs_go
@pytest.mark.parametrize(
    ("command", "path", "status", "output"),
    [
        (["wget", "-q", "--spider"], "/200", 0, ""),
        (["wget", "-q", "-O", "-"], "/200", 0, "body"),
        (["wget", "-qO-"], "/200", 0, "body"),
        (["wget", "-q", "-O", "/dev/null"], "/200", 0, ""),
        (["wget", "-q", "--spider"], "/404", 1, ""),
        (["wget", "-q", "--spider"], "/503", 1, ""),
        (["curl", "-fsS"], "/200", 0, "body"),
        (["curl", "-f", "-s", "-o", "/dev/null"], "/200", 0, ""),
        (["curl", "-fso", "/dev/null"], "/500", 22, ""),
        (["curl", "--fail", "--silent", "--output", "/dev/null"], "/404", 22, ""),
        (["curl", "-s"], "/404", 0, "body"),
    ],
)
def test_probes_end_as_the_real_ones(website: str, command: list[str], path: str, status: int, output: str) -> None:
    ended = standin(*command, website + path)
    assert (ended.returncode, ended.stdout) == (status, output)


@needs_go
@pytest.mark.parametrize(("command", "status"), [("wget", 1), ("curl", 7)])
def test_probes_fail_where_nobody_listens(command: str, status: int) -> None:
    assert standin(command, f"http://127.0.0.1:{free_port()}/").returncode == status
    assert standin(command).returncode == status


@needs_go
def test_a_service_says_who_and_where_it_is_on_every_port_and_path() -> None:
    ports = [free_port(), free_port()]
    env = {"STANDIN_NAME": "wiki", "STANDIN_PORTS": f"{ports[0]}, {ports[1]}"}
    with running("service", "--some", "real", "arguments", env=env) as process:
        for port in ports:
            wait_for(lambda port=port: answers(port))  # type: ignore[misc]
            for path in ("/", "/health/live"):
                status, text = get(port, path)
                assert (status, text.split(" on host ")[0]) == (200, "service wiki")
        started = time.monotonic()
        process.terminate()
        assert process.wait(60) == 0
        assert time.monotonic() - started < 1


@needs_go
def test_a_taken_port_ends_a_service() -> None:
    port = free_port()
    env = {"STANDIN_NAME": "one", "STANDIN_PORTS": str(port)}
    with running("service", env=env):
        wait_for(lambda: answers(port))
        ended = standin("service", env=env)
    assert ended.returncode == 1
    assert "address already in use" in ended.stderr


@needs_go
def test_node_exporter_tells_the_truth_about_this_machine() -> None:
    first, second = free_port(), free_port()
    flags = ["--path.rootfs=/host", f"--web.listen-address=127.0.0.1:{first}", "--web.listen-address"]
    with running("node_exporter", *flags, f"127.0.0.1:{second}"):
        wait_for(lambda: answers(first) and answers(second))
        status, text = get(second, "/metrics")
        assert get(first, "/nothing")[0] == 404
    assert status == 200
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    total = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    assert int(values["node_memory_MemTotal_bytes"]) == int(total.split()[1]) * 1024
    assert abs(float(values["node_time_seconds"]) - time.time()) < 10
    assert {"node_load1", "node_load5", "node_load15", "node_memory_MemAvailable_bytes"} <= set(values)
    assert any(name.startswith("node_uname_info{") and 'sysname="Linux"' in name for name in values)


@needs_go
@pytest.mark.parametrize(
    ("arguments", "env", "status", "words"),
    [
        (["cloudflared", "tunnel", "run"], {}, 1, "no token: set TUNNEL_TOKEN_FILE or TUNNEL_TOKEN"),
        (["cloudflared", "tunnel", "run"], {"TUNNEL_TOKEN": "nonsense"}, 1, "token is not valid"),
        (["cloudflared", "tunnel", "run", "--token", "e30="], {}, 1, "names no edge to dial"),
        (["cloudflared", "tunnel", "run"], {"TUNNEL_TOKEN_FILE": "/none"}, 1, "token file cannot be read"),
        (["cloudflared", "tunnel", "ready"], {}, 1, "needs --metrics or TUNNEL_METRICS"),
        (["cloudflared", "tunnel", "--metrics", "127.0.0.1:1", "ready"], {}, 1, "not ready"),
        (["cloudflared", "tunnel", "list"], {}, 2, "is not known here"),
        (["cloudflared", "--nonsense", "tunnel", "run"], {}, 2, "flag provided but not defined"),
        (["cloudflared", "--no-autoupdate", "version"], {}, 0, ""),
        (["nonsense"], {}, 2, "one of: bash, cat, cloudflared, curl, node_exporter, service, sh, wget"),
        ([], {}, 2, "one of:"),
    ],
)
def test_wrong_command_lines_are_said(arguments: list[str], env: dict[str, str], status: int, words: str) -> None:
    ended = standin(*arguments, env=env)
    assert ended.returncode == status
    assert words in ended.stderr


# What a health check in another language, or a shell script, comes to.


@pytest.fixture
def programs(tmp_path: Path) -> dict[str, str]:
    """A folder with the program under the names of an image, as the environment of a process."""
    shutil.copy(standin_binary(), tmp_path / "standin")
    for link in LINKS:
        if not (name := tmp_path / Path(link).name).exists():
            name.symlink_to("standin")
    return {"PATH": str(tmp_path), "SECRET": "x"}


def health(command: list[str], env: dict[str, str]) -> int:
    """How a health check ends, called as the daemon calls it."""
    program = f"{env['PATH']}/{command[0]}"
    return subprocess.run(
        [program, *command[1:]], env=env, stdin=subprocess.DEVNULL, timeout=60, check=False
    ).returncode


QUESTIONS = [
    ["ak", "healthcheck"],
    ["pg_isready", "-q", "-h", "127.0.0.1", "-U", "wiki"],
    ["healthcheck.sh", "--connect", "--innodb_initialized"],
    ["node", "-e", "ask('well?')"],
    ["sh", "-c", "REDISCLI_AUTH=$(cat {secret}) redis-cli -e ping"],
    ["bash", "-o", "pipefail", "-c", "curl -fsS http://127.0.0.1:{port}/health | jq -ne 'input.status == true'"],
    ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/{port}; read -r -t 4 line <&3"],
    ["python3", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:{port}/health', timeout=3)"],
]


@needs_go
@pytest.mark.parametrize("command", QUESTIONS, ids=lambda command: command[0])
def test_a_health_check_in_any_language_tells_whether_the_service_answers(
    command: list[str], programs: dict[str, str], tmp_path: Path
) -> None:
    port, secret = free_port(), tmp_path / "password"
    secret.write_text("hush")
    env = programs | {"STANDIN_NAME": "wiki", "STANDIN_PORTS": str(port)}
    asked = [part.replace("{port}", str(port)).replace("{secret}", str(secret)) for part in command]

    assert health(asked, env) != 0
    with running("service", env=env):
        wait_for(lambda: answers(port))
        assert health(asked, env) == 0


@needs_go
@pytest.mark.parametrize(
    ("script", "status", "output"),
    [
        ("echo $1", 0, "one\n"),
        ("exit 3", 3, ""),
        ("if", 2, ""),
        ('. {secret}; exec "$@"', 0, "it's hush\n"),
        ("cat {secret}.none", 1, ""),
        ("curl -fsS http://127.0.0.1:1/ | cat", 0, ""),
        ("set -o pipefail; curl -fsS http://127.0.0.1:1/ | cat", 7, ""),
    ],
)
def test_a_script_runs_as_in_a_real_shell(
    script: str, status: int, output: str, programs: dict[str, str], tmp_path: Path
) -> None:
    secret = tmp_path / "environment"
    secret.write_text("export WORD='it'\"'\"'s hush'\n")
    command = [f"{programs['PATH']}/sh", "-c", script.replace("{secret}", str(secret)), "sh"]
    shown = ["one"] if "$@" not in script else ["sh", "-c", 'echo "$WORD"']

    ended = subprocess.run(
        [*command, *shown], env=programs, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stdout) == (status, output), ended.stderr


RUNS = [run_program(stack, references={"kscloud1": foundation_outputs("monk", "kscloud1")}) for stack in STACKS]
STARTED = [
    pytest.param(container, id=f"{run.stack}-{name}") for run in RUNS for name, container in run.containers().items()
]


@pytest.mark.parametrize("container", STARTED)
def test_every_declared_container_has_its_programs_in_its_stand_in(container: Recorded) -> None:
    """A new service whose health check or entry point is another program names it in `rehearsal/images/build.py`."""
    paths = {f"/{link}" for link in LINKS} | {"/bin/standin"}
    in_path = {Path(path).name for path in paths if Path(path).parent.name == "bin"}

    for called in (container.inputs["healthcheck"]["tests"][1], *container.inputs.get("entrypoints", [])[:1]):
        assert called in in_path or str(Path("/", called)) in paths


# The images, in a real daemon.


@pytest.fixture
def docker() -> Iterator[DockerClient]:
    try:
        client = connect()
    except DaemonError as error:
        pytest.skip(str(error))
    with contextlib.closing(client):
        yield client


@pytest.fixture
def own_image(docker: DockerClient) -> Iterator[str]:
    """An image reference that no other test and no rehearsal uses."""
    image = f"test/standin-{time.time_ns()}:1"
    yield image
    for found in docker.images.list(name=local_tag(image)):
        docker.images.remove(found.id, force=True)


@needs_go
@pytest.mark.docker
def test_an_image_is_built_once_and_again_when_its_inputs_change(
    docker: DockerClient, own_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = local_tag(own_image)
    assert ensure({own_image: ()}) == {own_image: tag}
    first = docker.images.get(tag)
    started = time.monotonic()
    assert ensure({own_image: ()}) == {own_image: tag}
    assert time.monotonic() - started < 0.3
    assert docker.images.get(tag).id == first.id
    monkeypatch.setitem(build._DOCKERFILES, Part.SERVICE, build._DOCKERFILES[Part.SERVICE] + "ENV CHANGED=1\n")
    ensure({own_image: ()})
    second = docker.images.get(tag)
    assert second.id != first.id
    assert second.labels[HASH_LABEL] != first.labels[HASH_LABEL]
    docker.images.remove(first.id, force=True)


@needs_go
@pytest.mark.docker
def test_a_service_image_answers_and_carries_its_probes(docker: DockerClient, own_image: str) -> None:
    tag = ensure({own_image: ()})[own_image]
    container: Any = docker.containers.run(tag, ["real", "arguments"], hostname="monk", detach=True)
    try:

        def probe(*command: str) -> tuple[int, bytes]:
            code, output = container.exec_run(list(command))
            return code, output

        wait_for(lambda: probe("wget", "-q", "--spider", "http://localhost/")[0] == 0)
        code, output = probe("curl", "-fs", "http://localhost/health")
        assert (code, output.decode()) == (0, f"service {role_of(own_image).name} on host monk\n")
        container.stop(timeout=5)
        container.reload()
        assert container.attrs["State"]["ExitCode"] == 0
    finally:
        container.remove(force=True)


@needs_go
@pytest.mark.docker
@pytest.mark.parametrize("groups", [(), ("0",)])
def test_a_service_that_may_not_read_its_files_does_not_start(
    docker: DockerClient, own_image: str, groups: tuple[str, ...]
) -> None:
    tag = ensure({own_image: ()})[own_image]
    container: Any = docker.containers.create(tag, user="65534:65534", group_add=list(groups), cap_drop=["ALL"])
    try:
        container.put_archive("/", private_file("run/secrets/password"))
        container.start()
        if groups:
            wait_for(lambda: container.exec_run(["wget", "-q", "--spider", "http://localhost/"])[0] == 0)
        else:
            assert container.wait(timeout=60)["StatusCode"] == 1
            words = "user 65534 with groups [65534] may not read /run/secrets/password"
            assert words in container.logs().decode()
    finally:
        container.remove(force=True)


def private_file(path: str) -> bytes:
    """An archive with a file as the program puts it into containers: of root and its group alone."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo(path)
        entry.mode, entry.size = 0o440, 4
        tar.addfile(entry, io.BytesIO(b"hush"))
    return archive.getvalue()


@needs_go
@pytest.mark.docker
@pytest.mark.usefixtures("docker")
def test_without_caddy_it_says_where_it_looked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(build, "_pull", lambda *_: False)
    with pytest.raises(ImageError, match=f"no Caddy program to build one around is at {tmp_path}/caddy"):
        ensure({f"example.org/caddy:none-{time.time_ns()}": ()}, caddy=tmp_path / "caddy")
