"""The bench: arithmetic, measuring, the bare program, the generated fleet, the report, and one tiny run of all."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bench import added, bare, command, generated, imports, world
from bench.added import Added
from bench.bare_program import SECRET
from bench.comparison import Comparison, Pair, growth, growths, interleaved, ratios
from bench.cost import Cost, measure, median
from bench.imports import Import
from bench.report import Report
from components import contract
from components.fleet_files import fleet_of_files
from kitestacks import __main__ as entry
from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit
from kitestacks.paths import ROOT
from rehearsal import helpers, processes
from tests.engine.lab import missing_engine

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def cost(seconds: float, processor: float = 1.0, mebibytes: float | None = 100.0) -> Cost:
    return Cost(seconds=seconds, processor=processor, mebibytes=mebibytes)


def comparison(services: int, resources: int, ours: Cost, theirs: Cost) -> Comparison:
    pair = Pair(ours=ours, bare=theirs)
    return Comparison(
        stack="monk",
        services=services,
        resources=resources,
        commands={"preview": pair, "up": pair},
        unrefreshed=replace(ours, seconds=ours.seconds / 2),
    )


# Arithmetic


def test_median_takes_each_figure_for_itself() -> None:
    costs = [cost(1, 30, 200), cost(9, 10, 100), cost(2, 20, 300)]
    assert median(costs) == cost(2, 20, 200)
    assert median([cost(1, mebibytes=None), cost(3, mebibytes=None)]) == cost(2, mebibytes=None)


def test_ratios() -> None:
    times = ratios(cost(3, 1, 150), cost(2, 2, 100))
    assert (times.seconds, times.processor, times.mebibytes) == (1.5, 0.5, 1.5)
    assert ratios(cost(3, mebibytes=None), cost(2)).mebibytes is None
    assert ratios(cost(3), cost(2, mebibytes=None)).mebibytes is None


def test_growth_and_what_each_further_resource_costs() -> None:
    small = comparison(10, 100, cost(2, 1, 200), cost(1, 1, 150))
    large = comparison(50, 300, cost(4, 3, 220), cost(2, 2, 150))
    grown = growth(small, large)
    assert (grown.smaller, grown.larger, grown.resources) == (10, 50, 3)
    assert grown.commands["preview"] == ratios(cost(2, 3, 1.1), cost(1, 1, 1))
    assert grown.further["up"].ours == Cost(seconds=0.01, processor=0.01, mebibytes=0.1)
    assert grown.further["up"].bare == Cost(seconds=0.005, processor=0.005, mebibytes=0)


def test_growth_goes_from_each_generated_stack_to_the_next_and_leaves_real_ones_out() -> None:
    sizes = [comparison(size, size + 10, cost(1), cost(1)) for size in (0, 0, 10, 50, 200)]
    assert [(step.smaller, step.larger) for step in growths(sizes)] == [(10, 50), (50, 200)]


def test_cases_take_turns_in_both_directions() -> None:
    order: list[str] = []
    notes: list[str] = []
    seconds = iter((1, 2, 30, 40, 5, 6))

    def case(name: str) -> Cost:
        order.append(name)
        return cost(next(seconds))

    costs = interleaved({"ours": lambda: case("ours"), "bare": lambda: case("bare")}, 3, notes.append)
    assert order == ["ours", "bare", "bare", "ours", "ours", "bare"]
    assert notes[0] == "ours, run 1 of 3"
    assert (costs["ours"].seconds, costs["bare"].seconds) == (5, 6)


# Measuring


def python(code: str) -> list[str | Path]:
    return [sys.executable, "-c", code]


def test_measure_counts_time_work_and_memory_of_all_that_a_program_starts(tmp_path: Path) -> None:
    work = "import time; held = b'x' * 2**27\nwhile time.process_time() < 0.5: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}], process_group=0, check=True)"
    measured = measure(python(code), cwd=tmp_path, env=os.environ, log=tmp_path / "log")
    assert measured.seconds >= measured.processor / (os.cpu_count() or 1) > 0
    assert measured.processor >= 0.5
    assert measured.mebibytes is not None
    assert measured.mebibytes > 128


def test_measure_of_a_failure_shows_the_end_of_its_output(tmp_path: Path) -> None:
    code = "import sys; print('first\\nlast words'); sys.exit(3)"
    with pytest.raises(CommandError, match=r"(?s)ended with 3\n.*\| last words"):
        measure(python(code), cwd=tmp_path, env=os.environ, log=tmp_path / "log")


def test_interrupted_measure_ends_the_program(tmp_path: Path) -> None:
    sign = tmp_path / "pid"
    code = f"import os, pathlib, signal; pathlib.Path({str(sign)!r}).write_text(str(os.getpid())); signal.pause()"

    def interrupt() -> None:
        deadline = time.monotonic() + 60
        while not (sign.exists() and sign.read_text()) and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        measure(python(code), cwd=tmp_path, env=os.environ, log=tmp_path / "log")
    with pytest.raises(ProcessLookupError):
        os.kill(int(sign.read_text()), 0)


def test_imports_are_measured_in_fresh_interpreters() -> None:
    measured = imports.measure("json.tool", "json", 1)
    assert measured.package_seconds > 0
    assert measured.module_seconds > 0


# The bare program

_SECRET_VALUE = {SECRET: "1b47061264138c4ac30d75fd1eb44270", "plaintext": '"s3cret"'}
_CHILD = {"custom": True, "parent": "urn:pulumi:monk::kitestacks::kitestacks:index:Host::monk"}


def resource(kind: str, name: str, **more: object) -> dict[str, Any]:
    return {
        "urn": f"urn:pulumi:monk::kitestacks::{kind}::{name}",
        "type": kind.rpartition("$")[2],
        "custom": False,
        **more,
    }


STATE = {
    "deployment": {
        "resources": [
            resource("pulumi:pulumi:Stack", "kitestacks-monk", outputs={"sites": {"www": ["monk"]}}),
            resource("kitestacks:index:Host", "monk", outputs={"endpoint": "unix:///x"}),
            resource("pulumi:providers:docker", "monk-docker", **_CHILD)
            | {"id": "p1", "inputs": {"__internal": {}, "host": "unix:///x", "version": "5.2.0"}},
            resource(
                "pulumi:providers:cloudflare", "default_6_23_1", custom=True, inputs={"version": "6.23.1"}, id="p2"
            ),
            resource("pulumi:providers:pulumi", "default", custom=True, inputs={}, id="p3"),
            resource("kitestacks:index:Host$docker:index/container:Container", "portal", **_CHILD)
            | {
                "provider": "urn:pulumi:monk::kitestacks::pulumi:providers:docker::monk-docker::p1",
                "inputs": {
                    "__defaults": [],
                    "version": "kept",
                    "uploads": [{"__defaults": [], "content": _SECRET_VALUE}],
                },
                "outputs": {"id": "c1", "exitCode": 0},
            },
            resource("cloudflare:index/dnsRecord:DnsRecord", "a::b", custom=True, inputs={"ttl": 1, "proxied": True})
            | {"provider": "urn:pulumi:monk::kitestacks::pulumi:providers:cloudflare::default_6_23_1::p2"},
        ]
    }
}


def recorded() -> Mapping[str, Mapping[str, Any]]:
    return {each["name"]: each for each in bare.recorded(STATE)["resources"]}


def test_bare_program_registers_what_the_real_one_does_and_nothing_that_the_engine_makes() -> None:
    assert list(recorded()) == ["monk", "monk-docker", "portal", "a::b"]
    assert bare.recorded(STATE)["outputs"] == {"sites": {"www": ["monk"]}}


def test_bare_program_keeps_types_parents_and_outputs_of_components() -> None:
    host, portal = recorded()["monk"], recorded()["portal"]
    assert (host["type"], host["custom"], host["outputs"]) == (
        "kitestacks:index:Host",
        False,
        {"endpoint": "unix:///x"},
    )
    assert portal["type"] == "docker:index/container:Container"
    assert portal["parent"] == host["urn"]
    assert portal["outputs"] == {}


def test_bare_program_uses_the_same_providers_in_the_same_versions() -> None:
    provider, portal, record = recorded()["monk-docker"], recorded()["portal"], recorded()["a::b"]
    assert (provider["inputs"], provider["version"]) == ({"host": "unix:///x"}, "5.2.0")
    assert (portal["provider"], portal["version"]) == (provider["urn"], "5.2.0")
    assert record["version"] == "6.23.1"


def test_bare_program_has_the_recorded_inputs_without_what_providers_noted_for_themselves() -> None:
    assert recorded()["portal"]["inputs"] == {"version": "kept", "uploads": [{"content": _SECRET_VALUE}]}
    assert recorded()["a::b"]["inputs"] == {"ttl": 1, "proxied": True}


# The generated fleet


def test_generated_services_are_services_that_the_program_knows(tmp_path: Path) -> None:
    large = generated.write(tmp_path, 3)
    assert large == "monk"
    code = (
        "import yaml; from components.settings import StackFile, service_class\n"
        "config = yaml.safe_load(open('Pulumi.monk.yaml'))['config']\n"
        "stack = StackFile.model_validate({key.removeprefix('kitestacks:'): value for key, value in config.items()})\n"
        "print(*[f'{service_class(name).__name__}={block.site.hostname}'"
        " for name, block in stack.service_settings.items() if name.startswith('svc')])"
    )
    shown = subprocess.run(python(code), cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert shown.split() == [f"Svc00{n}=svc-00{n}.kitestacks.com" for n in (1, 2, 3)]
    assert not list(ROOT.glob("components/services/svc_*"))


# What parts add


@pytest.mark.parametrize("part", added.PARTS)
def test_fleet_without_a_part_still_holds(tmp_path: Path, part: str) -> None:
    added.write(tmp_path, fleet_of_files(ROOT), part)

    contract.check_files(fleet_of_files(tmp_path))


def test_without_replication_each_database_stands_where_it_is_written(tmp_path: Path) -> None:
    added.write(tmp_path, fleet_of_files(ROOT), "replication")

    fleet = fleet_of_files(tmp_path)
    assert (fleet.hosts_of("authentik-db"), fleet.hosts_of("bookstack")) == (("kscloud1",), ("monk",))
    assert fleet.hosts_of("authentik") == fleet.hosts_of("backup") == ("kscloud1", "monk"), "any copy of these answers"


def test_without_backups_everything_else_is_there(tmp_path: Path) -> None:
    whole = fleet_of_files(ROOT)
    added.write(tmp_path, whole, "backups")

    left = {name for _, name, _ in fleet_of_files(tmp_path).blocks()}
    assert {name for _, name, _ in whole.blocks()} - left == {"backup", "backup-server"}


# The report

_IMPORT = Import(package="heavy", package_seconds=2.5, module="light", module_seconds=0.012)


def report(*comparisons: Comparison) -> Report:
    return Report(runs=3, processors=2, comparisons=comparisons, imported=_IMPORT)


def shown(of: Report) -> str:
    out = io.StringIO()
    of.show(out)
    return out.getvalue()


def test_report_in_words() -> None:
    small = comparison(10, 100, cost(2, 1, 150), cost(1, 1, 100))
    text = shown(
        report(small, comparison(50, 300, cost(4, 3, 220), cost(2, 2, 150)), comparison(60, 310, cost(8), cost(2)))
    )
    assert "\x1b" not in text
    assert all(len(line) <= 120 for line in text.splitlines())
    row = next(line for line in text.splitlines() if line.startswith("monk + 10 services"))
    assert " ".join(row.split()) == "monk + 10 services 100 preview 2.00 s 1.00 s x2.00 x1.00 150 MiB 100 MiB x1.50"
    assert "linear or less" in text.split("10 to 50 services")[1].split("50 to 60 services")[0]
    assert "MORE than linear" in text.split("50 to 60 services")[1]
    assert "without refresh 1.00 s: x2.00" in text
    assert "heavy takes 2.50 s and is not imported; light registers the same types after 0.012 s" in text


def test_report_says_what_a_part_adds() -> None:
    part = Added(
        part="backups",
        stack="monk",
        added=world.Size(containers=2, mebibytes=1280),
        whole=world.Size(containers=30, mebibytes=20000),
        preview=cost(3, 2),
        without=cost(2, 1),
    )

    assert (
        "backups on monk: 2 of 30 containers, 1280 of 20000 MiB that they may take; "
        "preview 3.00 s, without 2.00 s: x1.50, processor x2.00\n"
    ) in shown(replace(report(), parts=[part]))


def test_report_without_memory_says_so() -> None:
    text = shown(report(comparison(0, 10, cost(2, 1, None), cost(1, 1, None))))
    assert "monk" in text
    assert "-" in text.split()
    assert "MiB" not in text


# The command


def test_sizes_and_runs() -> None:
    parse = entry.parser_of("bench").parse_args
    assert (parse([]).sizes, parse([]).runs) == ((10, 50, 200), 3)
    assert parse(["--sizes", "50,2,50"]).sizes == (2, 50)
    assert parse(["--sizes", ""]).sizes == ()


@pytest.mark.parametrize(
    "words", [["--sizes", "ten"], ["--sizes", "10,0"], ["--sizes", "-3"], ["--runs", "0"], ["--runs", ""]]
)
def test_senseless_sizes_and_runs_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=str(int(Exit.CONFIGURATION))):
        entry.parser_of("bench").parse_args(words)
    assert words[0] in capsys.readouterr().err


# On the engine


@pytest.fixture
def own_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An engine, and a folder for temporary files that must be empty again."""
    if reason := missing_engine():
        pytest.skip(reason)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.engine
def test_interrupt_leaves_nothing(own_tmp: Path) -> None:
    seen: list[world.World] = []

    def interrupted() -> None:
        with world.opened(Console(io.StringIO())) as opened:
            seen.append(opened)
            assert all(processes.pid_of(opened.twin, name) for name in helpers.names(opened.twin))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    running = subprocess.run(["ps", "-A", "-o", "command="], capture_output=True, text=True, check=True).stdout
    assert str(seen[0].twin.state) not in running
    assert not list(own_tmp.iterdir())


@pytest.mark.engine
def test_tiny_run(own_tmp: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every preview and `up` in it fails if there is anything to do, so the bare programs are equal to the real one."""
    arguments = entry.parser_of("bench").parse_args(["--sizes", "2", "--runs", "1", "--json"])
    assert command.run(arguments) == Exit.OK
    document = json.loads(capsys.readouterr().out)
    assert (document["runs"], document["growth"]) == (1, [])
    assert document["import"]["package"] == "pulumi_cloudflare"
    assert document["import"]["module_seconds"] < document["import"]["package_seconds"]
    stacks = {(each["stack"], each["services"]): each for each in document["stacks"]}
    assert list(stacks) == [("kscloud1", 0), ("monk", 0), ("monk", 2)]
    assert stacks["monk", 2]["resources"] == stacks["monk", 0]["resources"] + 2 * 5
    for each in stacks.values():
        for name in ("preview", "up"):
            ours, theirs = each["commands"][name]["ours"], each["commands"][name]["bare"]
            assert set(ours) == set(theirs) == set(each["ratios"][name]) == {"seconds", "processor", "mebibytes"}
            assert each["ratios"][name]["seconds"] == pytest.approx(ours["seconds"] / theirs["seconds"])
        assert each["refresh"]["seconds"] > 0
    parts = {(each["part"], each["stack"]): each for each in document["parts"]}
    assert set(parts) == {(part, stack) for part in ("replication", "backups") for stack in ("kscloud1", "monk")}
    for stack in ("kscloud1", "monk"):
        assert parts["backups", stack]["added"] == {"containers": 2, "mebibytes": 1280}
    assert parts["replication", "kscloud1"]["added"]["containers"] >= 2, "the wiki's copy and its database"
    assert parts["replication", "monk"]["added"]["mebibytes"] >= 1024, "the copy of the login's database"
    for each in parts.values():
        assert each["added"]["containers"] < each["whole"]["containers"]
        assert each["without"]["seconds"] > 0
    assert not list(own_tmp.iterdir())
