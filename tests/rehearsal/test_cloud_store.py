"""The simulated cloud as a process and as a file: one per folder, private, kept over a restart."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import provider_pb2_grpc

from rehearsal.cloud.store import Store
from tests.rehearsal.cloud_world import ACCOUNT, CONNECT, DOMAIN, ZONE

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SEED = ("--account-id", ACCOUNT, "--zone", f"{ZONE}={DOMAIN}", "--connect", CONNECT)
LIMIT = 60.0  # seconds


def command(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "rehearsal.cloud", "serve", "--state", str(folder), *arguments]


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command(folder, *arguments), cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            limit = time.monotonic() + LIMIT
            while not (folder / "cloud.ports.json").exists():
                assert process.poll() is None, process.stderr.read() if process.stderr else ""
                assert time.monotonic() < limit, "the cloud did not come up"
                time.sleep(0.02)
            yield process
        finally:
            process.kill()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def ports(folder: Path) -> dict[str, int]:
    read: dict[str, int] = json.loads((folder / "cloud.ports.json").read_text(encoding="utf-8"))
    return read


def test_the_process_says_where_it_listens_and_ends_cleanly(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with running(folder, *SEED) as process:
        assert set(ports(folder)) == {"cloudflare", "tailscale", "command", "random"}
        with grpc.insecure_channel(f"127.0.0.1:{ports(folder)['random']}") as channel:
            assert provider_pb2_grpc.ResourceProviderStub(channel).GetPluginInfo(Empty()).version
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT) == 0
    assert not (folder / "cloud.ports.json").exists()
    seeded = json.loads((folder / "cloud.json").read_text(encoding="utf-8"))["cloudflare"]
    assert (seeded["account_id"], seeded["zones"], seeded["connect"]) == (ACCOUNT, {ZONE: DOMAIN}, CONNECT)
    assert {mode(folder), mode(folder / "cloud.json")} == {0o700, 0o600}


def test_docker_is_simulated_only_when_asked_for(tmp_path: Path) -> None:
    with running(tmp_path, "--simulate-docker"):
        assert "docker" in ports(tmp_path)


def test_a_second_cloud_in_one_folder_says_so_and_stops(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        second = subprocess.run(command(tmp_path), cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=False)
        assert second.returncode == 1
        assert second.stderr == (
            f"a simulated cloud already serves {tmp_path} (process {first.pid}); stop it first or use another --state\n"
        )
        assert first.poll() is None
        assert ports(tmp_path)


def test_a_killed_cloud_leaves_no_lock_and_loses_nothing(tmp_path: Path) -> None:
    with running(tmp_path, *SEED) as first:
        Store(tmp_path).seed(None, {"1" * 32: "example.org"}, None)
        first.kill()
        first.wait(LIMIT)
    (tmp_path / "cloud.ports.json").unlink()
    with running(tmp_path):
        cloudflare = Store(tmp_path).view()["cloudflare"]
    assert cloudflare["zones"] == {ZONE: DOMAIN, "1" * 32: "example.org"}
    assert (cloudflare["account_id"], cloudflare["connect"]) == (ACCOUNT, CONNECT)


@pytest.mark.parametrize("zone", ["kitestacks.com", "=kitestacks.com", "abc="])
def test_a_zone_without_its_two_halves_is_refused(tmp_path: Path, zone: str) -> None:
    wrong = subprocess.run(
        command(tmp_path, "--zone", zone), cwd=ROOT, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert wrong.returncode == 2
    assert "must be ZONE_ID=domain" in wrong.stderr
    assert not (tmp_path / "cloud.json").exists()


def test_a_change_that_fails_is_forgotten(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def fail() -> None:
        with store.change() as data:
            data["cloudflare"]["zones"]["x"] = "y"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.view()["cloudflare"]["zones"] == {}


def test_connections_without_an_edge_are_none(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.connections("t") == 0
    (tmp_path / "edge.connections.json").write_text('{"t": 4}', encoding="utf-8")
    assert (store.connections("t"), store.connections("other")) == (4, 0)
