"""The toolchain: which way each piece comes, that nothing unchecked or half is kept, and what the user is told.

Each test works in a copy of the two packages, so that its `.kitestacks` is its own. The programs are small scripts; no
network is used, nothing is built.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import json
import lzma
import os
import platform
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

import toolchain
from kitestacks import paths
from toolchain import versions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PULUMI = """#!/bin/sh
case "$1" in
version) echo v{version} ;;
plugin) while [ "$1" != --file ]; do shift; done
    folder="$PULUMI_HOME/plugins/resource-docker-v5.2.0"
    mkdir -p "$folder" && tar -xzf "$2" -C "$folder" ;;
esac
"""
PROVIDER = "#!/bin/sh\necho 5.2.0\n"
GO = """#!{python}
import sys, time
open("{log}", "a").write(" ".join(sys.argv[1:]) + "\\n")
out = sys.argv[sys.argv.index("-o") + 1]
open(out, "w").write({program!r})
{then}
"""


class Checkout:
    """A copy of what the toolchain is made of, with its own state, no network, and little on PATH."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "checkout"
        for package in ("kitestacks", "toolchain"):
            shutil.copytree(paths.ROOT / package, self.root / package)
        shutil.copy(paths.ROOT / "activate", self.root)
        self.mirror = folder / "mirror"
        self.mirror.mkdir()
        self.path = folder / "path"
        self.path.mkdir()
        self.state = self.root / ".kitestacks"
        self.engine = self.state / "toolchain" / "bin" / "pulumi"
        self.provider = self.state / "pulumi-home" / "plugins" / "resource-docker-v5.2.0" / "pulumi-resource-docker"
        # A port that nothing listens on stands in for every site.
        self.env = {
            "PATH": f"{self.path}:/usr/bin:/bin",
            "HOME": str(folder),
            "https_proxy": "http://127.0.0.1:9",
            "no_proxy": "127.0.0.1",
        }

    def fill_mirror(self, *, version: str = "3.250.0", sums: bool = True) -> None:
        lines = []
        for name, content in (("pulumi", PULUMI.format(version=version)), ("pulumi-resource-docker", PROVIDER)):
            packed = lzma.compress(content.encode())
            (self.mirror / f"{name}.xz").write_bytes(packed)
            lines.append(f"{hashlib.sha256(packed).hexdigest()}  {name}.xz\n")
        if sums:
            (self.mirror / "SHA256SUMS").write_text("".join(lines))

    def put(self, name: str, content: str) -> Path:
        """A program on PATH."""
        program = self.path / name
        program.write_text(content)
        program.chmod(0o755)
        return program

    def command(self, *words: str) -> list[str]:
        """`kitestacks toolchain` with these options, without the virtual environment around it."""
        script = (
            "import sys; from kitestacks import __main__ as m, venv\n"
            "venv.enter = lambda arguments, console: None\n"
            "sys.exit(m.main(['toolchain', *sys.argv[1:]]))"
        )
        return [sys.executable, "-c", script, *words]

    def run(self, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            cwd=self.root,
            env={**self.env, **env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def works(self, *words: str, **env: str) -> str:
        done = self.run(*words, **env)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def record(self) -> dict[str, dict[str, str]]:
        record: dict[str, dict[str, str]] = json.loads((self.state / "toolchain" / "toolchain.json").read_text())
        return record

    def python(self, script: str, **env: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=self.root,
            env={**self.env, **env},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def found(self) -> bool:
        return self.python("import toolchain; print(toolchain.find() is not None)") == "True"

    def leftovers(self) -> list[Path]:
        return list(self.state.rglob("*.part"))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The folder at an http address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words: object) -> None:
            """Say nothing."""

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


# The mirror


def test_mirror_gives_everything_and_is_needed_once(checkout: Checkout) -> None:
    checkout.fill_mirror()
    assert not checkout.found()
    said = checkout.works("--mirror", str(checkout.mirror))
    assert "engine: 3.250.0 by mirror (PATH: no pulumi on PATH)" in said
    assert "docker-provider: 5.2.0 by mirror" in said
    assert checkout.engine.stat().st_mode & 0o777 == 0o755
    assert checkout.provider.read_text() == PROVIDER
    assert checkout.record()["engine"]["sha256"] == hashlib.sha256(checkout.engine.read_bytes()).hexdigest()
    assert checkout.found()
    assert not checkout.leftovers()

    shutil.rmtree(checkout.mirror)
    assert "unpack" not in checkout.works()
    report = json.loads(checkout.run("--json").stdout)
    assert report["pieces"]["engine"]["source"] == "mirror"
    assert report["offline"] is True


def test_mirror_by_address_and_by_variable(checkout: Checkout) -> None:
    checkout.fill_mirror()
    with served(checkout.mirror) as address:
        checkout.works(KITESTACKS_TOOLCHAIN_MIRROR=address)
    assert checkout.found()


def test_mirror_that_is_not_what_its_checksums_say(checkout: Checkout) -> None:
    checkout.fill_mirror()
    (checkout.mirror / "pulumi.xz").write_bytes(lzma.compress(b"#!/bin/sh\necho v9.9.9\n"))
    done = checkout.run("--fetch-only", "--mirror", str(checkout.mirror))
    assert done.returncode == 2
    assert "pulumi.xz has checksum" in done.stderr
    assert "SHA256SUMS says" in done.stderr
    assert not checkout.engine.exists()
    assert not checkout.leftovers()


def test_mirror_without_checksums_must_hold_what_is_known(checkout: Checkout) -> None:
    checkout.fill_mirror(sums=False)
    for mirror in (str(checkout.mirror), None):
        with served(checkout.mirror) as address:
            done = checkout.run("--fetch-only", "--mirror", mirror or address)
        assert done.returncode == 2
        assert "has no SHA256SUMS, and pulumi.xz does not hold the pulumi known to this project" in done.stderr
    assert not checkout.engine.exists()

    known = {
        name: hashlib.sha256(lzma.decompress((checkout.mirror / f"{name}.xz").read_bytes())).hexdigest()
        for name in versions.KNOWN_GOOD
    }
    file = checkout.root / "toolchain" / "versions.py"
    file.write_text(file.read_text() + f"\nKNOWN_GOOD = {known!r}\n")
    checkout.works("--mirror", str(checkout.mirror))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[: len(data) // 2], "is cut short"),
        (lambda data: data[:30] + bytes(10) + data[40:], "is damaged"),
        (lambda data: b"<html>not found</html>", "is damaged"),  # noqa: ARG005
    ],
)
def test_damaged_archive_is_told_and_not_kept(checkout: Checkout, damage: object, words: str) -> None:
    checkout.fill_mirror()
    archive = checkout.mirror / "pulumi.xz"
    assert callable(damage)
    archive.write_bytes(damage(archive.read_bytes()))
    done = checkout.run("--fetch-only", "--mirror", str(checkout.mirror))
    assert done.returncode == 2
    assert words in done.stderr
    assert not checkout.engine.exists()
    assert not checkout.leftovers()


def test_mirror_for_another_machine(checkout: Checkout) -> None:
    checkout.fill_mirror()
    packed = lzma.compress(b"\x7fELF and nothing this machine could run")
    (checkout.mirror / "pulumi.xz").write_bytes(packed)
    (checkout.mirror / "SHA256SUMS").write_text(f"{hashlib.sha256(packed).hexdigest()}  pulumi.xz\n")
    done = checkout.run("--fetch-only", "--mirror", str(checkout.mirror))
    assert "does not run here: Exec format error" in done.stderr
    assert not checkout.engine.exists()


def test_mirror_that_lists_other_files(checkout: Checkout) -> None:
    checkout.fill_mirror()
    (checkout.mirror / "SHA256SUMS").write_text("00  other.xz\n")
    assert "SHA256SUMS does not name pulumi.xz" in checkout.run("--fetch-only", "--mirror", str(checkout.mirror)).stderr


# What is on the machine already


def test_engine_on_path_is_taken_with_its_own_language_host(checkout: Checkout) -> None:
    checkout.fill_mirror()
    own = checkout.put("pulumi", PULUMI.format(version="3.260.1"))
    checkout.put("pulumi-language-python", "#!/bin/sh\n")
    said = checkout.works("--mirror", str(checkout.mirror))
    assert "engine: 3.260.1 by PATH (the first way)" in said
    assert checkout.record()["engine"]["file"] == str(own)
    assert not checkout.engine.exists()
    assert not (checkout.engine.parent / "pulumi-language-python").exists()
    assert checkout.found()
    own.unlink()
    assert not checkout.found()


@pytest.mark.parametrize(
    ("version", "host", "words"),
    [
        ("3.249.0", True, "is 3.249.0, older than 3.250"),
        ("3.260.0", False, "has no pulumi-language-python"),
        ("what?", True, "says no version"),
    ],
)
def test_engine_on_path_that_will_not_do(checkout: Checkout, version: str, host: bool, words: str) -> None:
    checkout.fill_mirror()
    checkout.put("pulumi", PULUMI.format(version=version))
    if host:
        checkout.put("pulumi-language-python", "#!/bin/sh\n")
    said = checkout.works("--mirror", str(checkout.mirror))
    assert "engine: 3.250.0 by mirror (PATH: " in said
    assert words in said


@pytest.mark.parametrize("spoil", ["write", "truncate", "remove"])
def test_changed_file_is_told_and_got_again(checkout: Checkout, spoil: str) -> None:
    checkout.fill_mirror()
    checkout.works("--mirror", str(checkout.mirror))
    whole = checkout.provider.read_bytes()
    if spoil == "write":
        before = checkout.provider.stat()
        checkout.provider.write_bytes(b"X" + whole[1:])
        os.utime(checkout.provider, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif spoil == "truncate":
        os.truncate(checkout.provider, 3)
    else:
        checkout.provider.unlink()
    assert not checkout.found()
    said = checkout.works("--mirror", str(checkout.mirror))
    assert "docker-provider: " in said
    assert "getting it again" in said
    assert "unpack the engine" not in said
    assert checkout.provider.read_bytes() == whole


def test_touched_file_is_the_same_file(checkout: Checkout) -> None:
    checkout.fill_mirror()
    checkout.works("--mirror", str(checkout.mirror))
    checkout.engine.touch()
    assert checkout.found()
    assert "getting it again" not in checkout.works()


def test_language_host_is_written_anew_when_it_is_another(checkout: Checkout) -> None:
    checkout.fill_mirror()
    checkout.works("--mirror", str(checkout.mirror))
    host = checkout.engine.parent / "pulumi-language-python"
    assert str(checkout.root / "toolchain" / "language_host.py") in host.read_text()
    host.write_text("#!/bin/sh\n")
    assert not checkout.found()
    checkout.works()
    assert checkout.found()


def test_language_host_without_virtual_environment_says_so(checkout: Checkout) -> None:
    checkout.fill_mirror()
    checkout.works("--mirror", str(checkout.mirror))
    host = checkout.engine.parent / "pulumi-language-python"
    done = subprocess.run([host, "127.0.0.1:9"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "python3 -m kitestacks venv makes it" in done.stderr


# Pulumi's download site


def release(folder: Path, *, honest: bool = True) -> None:
    """A folder that looks like Pulumi's download site."""
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), "x64")
    name = f"pulumi-v{versions.ENGINE}-{sys.platform}-{machine}.tar.gz"
    site = folder / "releases" / "sdk"
    site.mkdir(parents=True)
    with tarfile.open(site / name, "w:gz") as archive:
        for program in ("pulumi", "pulumi-language-python", "pulumi-language-nodejs"):
            content = PULUMI.format(version=versions.ENGINE).encode()
            member = tarfile.TarInfo(f"pulumi/{program}")
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
    digest = hashlib.sha256((site / name).read_bytes()).hexdigest() if honest else "0" * 64
    (site / f"pulumi-{versions.ENGINE}-checksums.txt").write_text(f"{digest}  {name}\n")


def use_site(checkout: Checkout, address: str) -> None:
    file = checkout.root / "toolchain" / "fetch.py"
    file.write_text(file.read_text().replace("https://get.pulumi.com", address))


def test_release_of_pulumi_brings_its_own_language_host(checkout: Checkout) -> None:
    release(checkout.mirror)
    # The script that plays the engine takes a provider only from a file; a download it "finds" already there.
    checkout.provider.parent.mkdir(parents=True)
    checkout.provider.write_text(PROVIDER)
    checkout.provider.chmod(0o755)
    file = checkout.root / "toolchain" / "docker_provider.py"
    file.write_text(file.read_text().replace('"plugin", "install"', '"noplugin", "install"'))
    with served(checkout.mirror) as address:
        use_site(checkout, address)
        said = checkout.works("--fetch-only")
    assert "engine: 3.250.0 by Pulumi's release (PATH: no pulumi on PATH)" in said
    assert "docker-provider: 5.2.0 by Pulumi's release" in said
    assert {each.name for each in checkout.engine.parent.iterdir()} == {"pulumi", "pulumi-language-python"}
    assert "exec" not in (checkout.engine.parent / "pulumi-language-python").read_text()
    assert json.loads(checkout.run("--json").stdout)["offline"] is False
    assert checkout.found()


def test_release_with_another_checksum_is_refused(checkout: Checkout) -> None:
    release(checkout.mirror, honest=False)
    with served(checkout.mirror) as address:
        use_site(checkout, address)
        done = checkout.run("--fetch-only")
    assert done.returncode == 2
    assert "the site's list says 0000" in done.stderr
    assert not checkout.engine.exists()


def test_fetch_only_says_what_is_missing_and_what_makes_it(checkout: Checkout) -> None:
    started = time.monotonic()
    done = checkout.run("--fetch-only")
    assert done.returncode == 2
    assert "error: engine: no way to get it works" in done.stderr
    assert "PATH: no pulumi on PATH" in done.stderr
    assert "Pulumi's release: https://get.pulumi.com" in done.stderr
    assert "Connection refused" in done.stderr
    assert "way out: make toolchain" in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - started < 10


# Go modules


def put_go(checkout: Checkout, *, then: str = "") -> Path:
    log = checkout.path / "go.log"
    program = PULUMI.format(version=versions.ENGINE)
    checkout.put("go", GO.format(python=sys.executable, log=log, program=program, then=then))
    return log


def test_without_go_the_last_way_is_told_too(checkout: Checkout) -> None:
    checkout.env["PATH"] = str(checkout.path)
    done = checkout.run()
    assert done.returncode == 2
    assert "Go modules: Go is not installed" in done.stderr


def test_engine_is_built_by_the_recipe(checkout: Checkout) -> None:
    log = put_go(checkout)
    checkout.python(
        "from kitestacks.console import Console; from toolchain import engine; engine.from_source(Console())"
    )
    said = log.read_text()
    assert said.startswith("build -v -mod=mod -trimpath -buildvcs=false -ldflags -s -w -X ")
    assert f"common/version.Version=v{versions.ENGINE}" in said
    assert said.rstrip().endswith("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi")
    assert checkout.engine.is_file()
    assert not list((checkout.state / "build").iterdir())


def test_from_source_asks_neither_mirror_nor_download_for_the_engine(checkout: Checkout) -> None:
    put_go(checkout)
    checkout.fill_mirror()

    done = checkout.run("--from-source", "--mirror", str(checkout.mirror))

    assert "engine: 3.250.0 by Go modules (the first way)" in done.stderr + done.stdout
    assert checkout.engine.is_file()
    # The Go that is played here knows one program alone.
    assert "error: docker-provider: no way to get it works" in done.stderr


def test_failed_build_shows_the_end_of_its_log_and_leaves_no_half_file(checkout: Checkout) -> None:
    put_go(checkout, then="print('undefined: x'); sys.exit(1)")
    done = checkout.run()
    assert done.returncode == 2
    assert "| undefined: x" in done.stderr
    assert "Go modules: build the engine from Go modules: " in done.stderr
    assert not checkout.engine.exists()
    assert not checkout.leftovers()


def test_interrupted_build_leaves_no_half_file(checkout: Checkout) -> None:
    log = put_go(checkout, then="time.sleep(60)")
    with subprocess.Popen(
        checkout.command(), cwd=checkout.root, env=checkout.env, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 30
        while not checkout.leftovers() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert checkout.leftovers(), log
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 8
    assert "was interrupted" in said
    assert not checkout.leftovers()
    assert not checkout.engine.exists()


def test_caddy_is_built_once_and_another_version_only_on_demand(checkout: Checkout) -> None:
    log = put_go(checkout)
    script = "from kitestacks.console import Console; from toolchain import caddy; print(caddy.ensure(Console()))"
    assert checkout.python(script) == str(checkout.engine.with_name("caddy"))
    checkout.python(script)
    assert len(log.read_text().splitlines()) == 1
    assert checkout.record()["caddy"]["version"] == versions.CADDY_MODULE[1]
    assert f"CustomVersion={versions.CADDY_MODULE[1]}" in log.read_text()

    checkout.python(script, KITESTACKS_CADDY_VERSION="v2.10.2")
    assert checkout.record()["caddy"]["version"] == "v2.10.2"
    checkout.engine.with_name("caddy").write_text("other")
    checkout.python(script, KITESTACKS_CADDY_VERSION="v2.10.2")
    assert len(log.read_text().splitlines()) == 3
    assert checkout.engine.with_name("caddy").read_text() != "other"


def test_promtool_is_built_without_what_nothing_here_uses(checkout: Checkout) -> None:
    log = put_go(checkout)
    script = "from kitestacks.console import Console; from toolchain import promtool; print(promtool.ensure(Console()))"

    assert checkout.python(script) == str(checkout.engine.with_name("promtool"))
    assert checkout.record()["promtool"]["version"] == versions.PROMETHEUS_MODULE[1]
    assert "-tags remove_all_sd" in log.read_text()


def test_restic_and_its_server_are_built_in_the_versions_of_the_images(checkout: Checkout) -> None:
    put_go(checkout)
    script = (
        "from kitestacks.console import Console; from toolchain import restic; "
        "print(restic.RESTIC.ensure(Console()), restic.REST_SERVER.ensure(Console()))"
    )

    assert (
        checkout.python(script) == f"{checkout.engine.with_name('restic')} {checkout.engine.with_name('rest-server')}"
    )
    for program, (_, version), image in (
        ("restic", versions.RESTIC_MODULE, f"FROM restic/restic:{versions.RESTIC_MODULE[1][1:]}"),
        ("rest-server", versions.REST_SERVER_MODULE, f"restic/rest-server:{versions.REST_SERVER_MODULE[1][1:]}"),
    ):
        assert checkout.record()[program]["version"] == version
        pins = [paths.ROOT / "Pulumi.monk.yaml", paths.ROOT / "components/services/backup/image/Dockerfile"]
        assert any(image in file.read_text() for file in pins), "another version is tested than runs"


def test_syncthing_is_built_with_its_version_and_with_every_way_to_listen(checkout: Checkout) -> None:
    log = put_go(checkout)
    script = (
        "from kitestacks.console import Console; from toolchain import syncthing; "
        "print(syncthing.SYNCTHING.ensure(Console()))"
    )

    assert checkout.python(script) == str(checkout.engine.with_name("syncthing"))
    said = log.read_text()
    assert f"-X github.com/syncthing/syncthing/lib/build.Version={versions.SYNCTHING_MODULE[1]}" in said
    assert "noquic" not in said, "that nothing listens on UDP would be proven of another program"


def test_broken_record_is_no_record(checkout: Checkout) -> None:
    checkout.fill_mirror()
    checkout.works("--mirror", str(checkout.mirror))
    (checkout.state / "toolchain" / "toolchain.json").write_text("{")
    assert not checkout.found()
    checkout.works("--mirror", str(checkout.mirror))
    assert checkout.found()


@pytest.mark.parametrize("there", [False, True])
def test_engine_finds_no_folder_for_automatic_logs(checkout: Checkout, there: bool) -> None:
    checkout.fill_mirror()
    place = checkout.state / "pulumi-home" / "logs"
    if there:
        place.mkdir(parents=True)
        (place / "pulumi-1.log").write_text("of an earlier engine")
    checkout.works("--mirror", str(checkout.mirror))
    assert "docs/toolchain.md" in place.read_text()
    assert place.stat().st_mode & 0o777 == 0o600


# The shell


def test_environment_of_a_process(checkout: Checkout) -> None:
    checkout.fill_mirror()
    checkout.works("--mirror", str(checkout.mirror))
    script = "import json, toolchain; print(json.dumps(toolchain.find().env()))"
    env = json.loads(checkout.python(script))
    assert env["PATH"].split(":")[0] == str(checkout.engine.parent)
    assert env["PATH"].split(":")[1] == str(checkout.root / ".venv" / "bin")
    assert env["PULUMI_HOME"] == str(checkout.state / "pulumi-home")
    assert env["PULUMI_PARALLEL"] == "32"
    assert env["PULUMI_SKIP_UPDATE_CHECK"] == "true"
    assert env["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"

    env = json.loads(checkout.python(script, PULUMI_PARALLEL="4", PULUMI_HOME="/elsewhere"))
    assert "PULUMI_PARALLEL" not in env, "the user's own setting stays"
    assert env["PULUMI_HOME"] == str(checkout.state / "pulumi-home")


@pytest.mark.parametrize("shell", [shell for shell in ("bash", "zsh") if shutil.which(shell)])
def test_activate_and_back(checkout: Checkout, shell: str) -> None:
    checkout.fill_mirror()
    checkout.works("--mirror", str(checkout.mirror))
    script = f"""
        cd / && before=$PATH
        source {checkout.root}/activate && source {checkout.root}/activate
        command -v pulumi; pulumi version; echo "$PULUMI_HOME $PULUMI_PARALLEL"
        kitestacks_deactivate
        [ "$PATH" = "$before" ] && echo back; echo "$PULUMI_HOME|${{PULUMI_SKIP_UPDATE_CHECK-unset}}|$PULUMI_PARALLEL"
    """
    done = subprocess.run(
        [shell, "-c", script],
        env={**checkout.env, "PULUMI_HOME": "/it's mine", "PULUMI_PARALLEL": "4"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        str(checkout.engine),
        "v3.250.0",
        f"{checkout.state / 'pulumi-home'} 4",
        "back",
        "/it's mine|unset|4",
    ]


def test_activate_without_toolchain_says_what_makes_it(checkout: Checkout) -> None:
    done = subprocess.run(
        ["bash", "-c", f"source {checkout.root}/activate; echo status $?; type kitestacks_deactivate"],
        env=checkout.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "make toolchain" in done.stderr
    assert "status 1" in done.stdout
    assert done.returncode != 0


# The real one, where it is


def real_toolchain() -> toolchain.Toolchain:
    found = toolchain.find()
    if found is None:
        pytest.skip("no Pulumi engine: make toolchain")
    return found


@pytest.mark.engine
def test_real_toolchain_is_found_without_starting_a_program_and_runs() -> None:
    """Every plan in a rehearsal's shell looks for it first."""
    with pytest.MonkeyPatch.context() as without_programs:
        without_programs.setattr(subprocess, "Popen", None)
        found = real_toolchain()
    said = subprocess.run(
        ["pulumi", "plugin", "ls"], env={**os.environ, **found.env()}, capture_output=True, text=True, check=True
    ).stdout
    assert "docker" in said
    assert versions.DOCKER_PROVIDER in said


@pytest.mark.engine
def test_real_engine_keeps_no_automatic_log_and_is_silent_about_it(tmp_path: Path) -> None:
    """The same command in a home of its own, where the engine does as it likes, shows that it would."""
    found = real_toolchain()
    said = {}
    for home in (found.home, tmp_path):
        environment = {**os.environ, **found.env(), "PULUMI_HOME": str(home)}
        done = subprocess.run(["pulumi", "plugin", "ls"], env=environment, capture_output=True, text=True, check=True)
        said[home] = done.stderr
    assert said[found.home] == said[tmp_path]
    assert list((tmp_path / "logs").iterdir()), "the engine keeps no log by itself any more: without_logs can go"
    assert (found.home / "logs").is_file()
