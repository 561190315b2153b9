"""Prometheus's own checker accepts what is rendered, and its rules do what they say."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.monitoring import alerts, copies_alerts, dashboards
from tests.services.plans import containers_of, files
from toolchain import promtool, versions

CONFIG = "/etc/prometheus/prometheus.yml"
NODE = 'job="node",host="monk"'
FIGURES = 'file="/textfile/bookstack/replication.prom"'
COPIES = 'file="/textfile/authentik-db/postgresql.prom"'
CARRIED = 'file="/textfile/bookstack-sync/pictures.prom"'
FULL = f'{{{NODE},mountpoint="/",fstype="ext4"}}'

SAVED = f'{{{NODE},service="bookstack"}}'
PROVEN = f'{{{NODE},service="bookstack",saved_host="monk"}}'


def check(*arguments: str | Path, cwd: Path) -> str:
    program = promtool.find()
    if program is None:
        pytest.skip("no promtool here: python3 -m kitestacks toolchain --promtool")
    done = subprocess.run(
        [program, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of monk's Prometheus, with the paths that it names moved below one folder."""
    for path, text in files(containers_of("prometheus", "monk")["prometheus"]).items():
        file = tmp_path / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        moved = text.replace("/etc/", f"{tmp_path}/etc/").replace("/run/", f"{tmp_path}/run/")
        file.write_text(moved if path == CONFIG else text)
    return tmp_path


def test_the_configuration_and_its_rules_are_accepted(folder: Path) -> None:
    said = check("check", "config", "--lint=all", "--lint-fatal", folder / CONFIG.lstrip("/"), cwd=folder)

    assert "SUCCESS: 1 rule files found" in said
    assert f"{sum(map(len, alerts.GROUPS.values()))} rules found" in said


def test_a_configuration_with_a_fault_is_not(folder: Path) -> None:
    file = folder / CONFIG.lstrip("/")
    file.write_text(file.read_text().replace("credentials_file:", "credential_file:"))

    with pytest.raises(AssertionError, match="credential_file"):
        check("check", "config", file, cwd=folder)


def test_every_query_of_every_dashboard_is_promql(tmp_path: Path) -> None:
    queries = [panel.query for panels in dashboards.BOARDS.values() for panel in panels]
    # `$__rate_interval` is Grafana's, which writes a duration there.
    rules = [
        {"record": f"query_{number}", "expr": query.replace("$__rate_interval", "1m")}
        for number, query in enumerate(queries)
    ]
    (tmp_path / "queries.yml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))

    assert f"{len(queries)} rules found" in check("check", "rules", "queries.yml", cwd=tmp_path)


def test_the_checker_is_of_the_version_that_runs() -> None:
    image = containers_of("prometheus", "monk")["prometheus"].inputs["image"]
    major, minor, patch = image.rpartition(":v")[2].split(".")

    # Go counts Prometheus 3.14.0 as 0.314.0.
    assert versions.PROMETHEUS_MODULE[1] == f"v0.{major}{int(minor):02}.{patch}"


def series(name: str, values: str) -> dict[str, str]:
    return {"series": name, "values": values}


def replication(*, stopped: int = 0, connected: int = 1, lag: int = 0) -> list[dict[str, str]]:
    """What one side of the wiki's ring says."""
    said = {"stopped": stopped, "connected": connected, "lag_seconds": lag}
    return [series(f"mariadb_replication_{name}{{{NODE}}}", f"{value}x600") for name, value in said.items()]


def copied(*, stopped: int = 0) -> list[dict[str, str]]:
    """What the wiki's copier says, but for when it copied."""
    said = {"stopped": stopped, "interval_seconds": 900}
    return [series(f"wiki_copy_{name}{{{NODE}}}", f"{value}x600") for name, value in said.items()]


def follower(*, streaming: int = 1, behind: str = "0x600", age: str = "0x600") -> list[dict[str, str]]:
    """What a copy of the login's database says that follows another."""
    said = {"is_replica": "1x600", "streaming": f"{streaming}x600", "last_replay_seconds": age}
    said |= {"lag_bytes": behind} if streaming else {}
    return [series(f"pg_replication_{name}{{{NODE}}}", values) for name, values in said.items()]


def keeper(status: str, safe: str | None) -> list[dict[str, str]]:
    """What the copy that writes says of the log that it keeps for monk."""
    at = 'job="node",host="kscloud1",slot_name="monk"'
    said = [series(f'pg_replication_slot_wal_status{{{at},wal_status="{status}"}}', "1x600")]
    return [*said, series(f"pg_replication_slot_safe_wal_size_bytes{{{at}}}", safe)] if safe else said


def writers(*, last_of_kscloud1: str) -> list[dict[str, str]]:
    """What two copies say that both write; monk's is fresh."""
    found = []
    for host, modified in {"monk": "0+60x600", "kscloud1": last_of_kscloud1}.items():
        at = f'job="node",host="{host}"'
        found.append(series(f"pg_replication_is_replica{{{at}}}", "0x600"))
        found.append(series(f"node_textfile_mtime_seconds{{{at},{COPIES}}}", modified))
    return found


def pictures(*, state: int = 0, connections: int = 3, lacking: int = 0) -> list[dict[str, str]]:
    """What one side says of the wiki's pictures."""
    lacks = f'{NODE},folder="uploads",scope="need"'
    said = {
        f'model_folder_state{{{NODE},folder="uploads"}}': state,
        f'connections_active{{{NODE},device="O7PK75V"}}': connections,
        f'model_folder_summary{{{lacks},type="files"}}': lacking,
        f'model_folder_summary{{{lacks},type="deleted"}}': 0,
        f'model_folder_summary{{{NODE},folder="uploads",scope="global",type="files"}}': 900,
    }
    return [series(f"syncthing_{name}", f"{value}x600") for name, value in said.items()]


@pytest.mark.parametrize(
    ("alert", "given", "minute"),
    [
        ("HostDown", [series(f"up{{{NODE}}}", "0x30")], 4),
        (
            "DiskFull",
            [
                series(f"node_filesystem_avail_bytes{FULL}", "9x30"),
                series(f"node_filesystem_size_bytes{FULL}", "100x30"),
            ],
            12,
        ),
        ("DiskFullSoon", [series(f"node_filesystem_avail_bytes{FULL}", "1000-1x600")], 480),
        ("DiskReadOnly", [series(f"node_filesystem_readonly{FULL}", "1x30")], 6),
        (
            "MemoryLow",
            [
                series(f"node_memory_MemAvailable_bytes{{{NODE}}}", "5x30"),
                series(f"node_memory_MemTotal_bytes{{{NODE}}}", "100x30"),
            ],
            12,
        ),
        ("TargetDown", [series('up{job="litellm",host="monk",container="litellm"}', "0x30")], 6),
        ("LoginFailing", [series('up{job="login",instance="auth.kitestacks.com"}', "0x30")], 3),
        ("ReplicationStopped", replication(stopped=1, connected=0), 3),
        ("ReplicationCutOff", replication(stopped=0, connected=0), 31),
        ("ReplicationLate", replication(lag=400), 12),
        ("ReplicationFenced", [series(f"mariadb_replication_fenced{{{NODE}}}", "1x30")], 3),
        (
            "WikiCopyStopped",
            [*copied(stopped=1), series(f"wiki_copy_success_timestamp_seconds{{{NODE}}}", "0+60x600")],
            3,
        ),
        ("WikiCopyOld", [*copied(), series(f"wiki_copy_success_timestamp_seconds{{{NODE}}}", "0x600")], 42),
        ("ReplicationUnknown", [series(f"node_textfile_mtime_seconds{{{NODE},{FIGURES}}}", "0x30")], 20),
        ("StandbyNotStreaming", follower(streaming=0, age="0+60x600"), 11),
        ("StandbyLost", keeper("lost", None), 2),
        ("StandbyNearlyLost", keeper("extended", f"{2**30 - 1}x600"), 6),
        ("StandbyNearlyLost", keeper("unreserved", "-16777216x600"), 6),
        ("StandbyLate", follower(behind="9000+100x600", age="0+60x600"), 16),
        ("StandbyUnknown", [series(f"node_textfile_mtime_seconds{{{NODE},{COPIES}}}", "0x30")], 20),
        ("TwoWriters", writers(last_of_kscloud1="0+60x600"), 6),
        ("PicturesStopped", pictures(state=8), 6),
        ("PicturesCutOff", pictures(connections=0), 31),
        ("PicturesLate", pictures(lacking=1), 31),
        ("PicturesUnknown", [series(f"node_textfile_mtime_seconds{{{NODE},{CARRIED}}}", "0x30")], 20),
        ("BackupTooOld", [series(f"kitestacks_backup_success_timestamp_seconds{SAVED}", "0x2300")], 2300),
        ("BackupFailed", [series(f"kitestacks_backup_failed{SAVED}", "1x30")], 12),
        ("BackupDamaged", [series(f"kitestacks_backup_check_failed{{{NODE}}}", "1x30")], 12),
        ("RestoreDrillFailed", [series(f"kitestacks_restore_drill_failed{PROVEN}", "1x30")], 12),
        ("TunnelDown", [series('cloudflared_tunnel_ha_connections{host="monk",container="cloudflared"}', "0x30")], 4),
    ],
)
def test_a_fault_raises_its_alert_and_no_other(
    tmp_path: Path, alert: str, given: list[dict[str, str]], minute: int
) -> None:
    fires(tmp_path, given, minute, {alert})


@pytest.mark.parametrize(
    ("alert", "figure", "days"),
    [
        ("BackupUnchecked", f"kitestacks_backup_check_success_timestamp_seconds{{{NODE}}}", 15),
        ("RestoreNotProven", f"kitestacks_restore_proven_timestamp_seconds{PROVEN}", 45),
    ],
)
def test_what_was_long_not_done_raises_its_alert(tmp_path: Path, alert: str, figure: str, days: int) -> None:
    day = 24 * 60
    fires(tmp_path, [series(figure, f"1x{24 * days + 48}")], days * day - 60, set(), step="1h")
    fires(tmp_path, [series(figure, f"1x{24 * days + 48}")], days * day + 180, {alert}, step="1h")


def test_restore_that_was_proven_on_another_host_raises_none(tmp_path: Path) -> None:
    """The figure at home may be old, or none: the service is proven where its backup is kept."""
    minutes = 50 * 24
    figure = "kitestacks_restore_proven_timestamp_seconds"
    at_home = series(f"{figure}{PROVEN}", f"1x{minutes}")
    there = series(f"{figure}{PROVEN.replace(NODE, NODE.replace('monk', 'kscloud1'))}", f"0+3600x{minutes}")
    fires(tmp_path, [at_home, there], 49 * 24 * 60, set(), step="1h")


def test_what_is_well_raises_none(tmp_path: Path) -> None:
    well = [
        series(f"up{{{NODE}}}", "1x600"),
        series('up{job="litellm",host="monk",container="litellm"}', "1x600"),
        series('up{job="login",instance="auth.kitestacks.com"}', "1x600"),
        series(f"node_filesystem_avail_bytes{FULL}", "50x600"),
        series(f"node_filesystem_size_bytes{FULL}", "100x600"),
        series(f"node_filesystem_readonly{FULL}", "0x600"),
        series(f"node_memory_MemAvailable_bytes{{{NODE}}}", "50x600"),
        series(f"node_memory_MemTotal_bytes{{{NODE}}}", "100x600"),
        series('cloudflared_tunnel_ha_connections{host="monk",container="cloudflared"}', "4x600"),
        series(f"node_textfile_mtime_seconds{{{NODE},{FIGURES}}}", "0+60x600"),
        *replication(),
        *copied(),
        series(f"wiki_copy_success_timestamp_seconds{{{NODE}}}", "0+60x600"),
        *follower(age="0+60x600"),
        *keeper("reserved", f"{2**32}x600"),
        series('pg_replication_is_replica{job="node",host="kscloud1"}', "0x600"),
        series(f"node_textfile_mtime_seconds{{{NODE},{COPIES}}}", "0+60x600"),
        series(f'node_textfile_mtime_seconds{{job="node",host="kscloud1",{COPIES}}}', "0+60x600"),
        series(f"node_textfile_mtime_seconds{{{NODE},{CARRIED}}}", "0+60x600"),
        *pictures(),
    ]
    well += [
        series(f"kitestacks_backup_success_timestamp_seconds{SAVED}", "0x600"),
        series(f"kitestacks_backup_failed{SAVED}", "0x600"),
        series(f"kitestacks_backup_check_failed{{{NODE}}}", "0x600"),
        series(f"kitestacks_restore_drill_failed{PROVEN}", "0x600"),
        series(f"kitestacks_restore_proven_timestamp_seconds{PROVEN}", "0x600"),
    ]
    fires(tmp_path, well, 590, set())


def test_busy_follower_that_is_never_at_the_end_and_never_old_is_not_late(tmp_path: Path) -> None:
    fires(tmp_path, follower(behind="90000x600", age="2x600"), 590, set())


def test_what_a_stopped_copy_left_does_not_make_it_a_second_writer(tmp_path: Path) -> None:
    fires(tmp_path, writers(last_of_kscloud1="0x600"), 6, set())


def test_the_page_that_replications_alerts_name_is_in_the_runbook() -> None:
    runbook = (Path(alerts.__file__).parents[2] / "RUNBOOK.md").read_text()

    named = [alert for alert in copies_alerts.REPLICATION if "under Wiki replication stopped" in alert.action]
    names = [
        "ReplicationStopped",
        "ReplicationCutOff",
        "ReplicationLate",
        "ReplicationFenced",
        "WikiCopyStopped",
        "WikiCopyOld",
    ]
    assert [alert.name for alert in named] == names
    assert "\n## Wiki replication stopped\n" in runbook
    assert all("under Replication stopped." in alert.action for alert in copies_alerts.COPIES)
    assert "\n## Replication stopped\n" in runbook


def test_the_page_that_the_pictures_alerts_name_is_in_the_runbook() -> None:
    runbook = (Path(alerts.__file__).parents[2] / "RUNBOOK.md").read_text()

    named = [alert.name for alert in copies_alerts.PICTURES if "under Wiki pictures missing" in alert.action]
    assert named == ["PicturesStopped", "PicturesCutOff", "PicturesLate"]
    assert "\n## Wiki pictures missing\n" in runbook


def test_a_full_memory_disk_is_no_full_disk(tmp_path: Path) -> None:
    memory = FULL.replace("ext4", "tmpfs")
    fires(
        tmp_path,
        [
            series(f"node_filesystem_avail_bytes{memory}", "0x30"),
            series(f"node_filesystem_size_bytes{memory}", "100x30"),
        ],
        20,
        set(),
    )


def fires(folder: Path, given: list[dict[str, str]], minute: int, expected: set[str], *, step: str = "1m") -> None:
    """Prometheus's own rule test: which alerts are firing at a minute of these figures, which are a step apart."""
    (folder / "rules.yml").write_text(alerts.render())
    wanted: list[dict[str, Any]] = [
        {"expr": f'count by (alertname) (ALERTS{{alertstate="firing",alertname="{name}"}})', "eval_time": f"{minute}m"}
        | {"exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1}] if name in expected else []}
        for name in (alert.name for group in alerts.GROUPS.values() for alert in group)
    ]
    test = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": step,
        "tests": [{"interval": step, "input_series": given, "promql_expr_test": wanted}],
    }
    (folder / "test.yml").write_text(yaml.safe_dump(test, sort_keys=False))
    check("test", "rules", "test.yml", cwd=folder)
