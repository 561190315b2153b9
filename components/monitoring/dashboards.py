"""Dashboards: hosts, services, edge. Made by Grafana's own typed builder, so that no JSON is pasted or kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import VisibilityMode
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef, Threshold, ThresholdsMode

from components.monitoring.scrape import INTERVAL, LOGIN_JOB, NODE_JOB

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

DATASOURCE = "prometheus"
"""The fixed uid by which dashboards name their source."""
_FILES = 'fstype!~"tmpfs|ramfs|squashfs|overlay"'
_PER_ROW = 24
"""Columns of Grafana's grid."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One panel of lines over time.

    Attributes:
        title: Its heading.
        query: PromQL.
        legend: What names a line.
        unit: Grafana's name for the unit.
        top: Where the axis ends, for shares.
    """

    title: str
    query: str
    legend: str
    unit: str = "short"
    top: float | None = None


@dataclass(frozen=True, kw_only=True)
class Light:
    """One panel of green and red tiles, one per series: 1 is well, 0 is not.

    Attributes:
        title: Its heading.
        query: PromQL.
        legend: What names a tile.
    """

    title: str
    query: str
    legend: str


HOSTS = (
    Light(title="Hosts", query=f'up{{job="{NODE_JOB}"}}', legend="{{host}}"),
    Chart(
        title="Processor",
        query='1 - avg by (host) (rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval]))',
        legend="{{host}}",
        unit="percentunit",
        top=1,
    ),
    Chart(
        title="Memory in use",
        query="1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes",
        legend="{{host}}",
        unit="percentunit",
        top=1,
    ),
    Chart(
        title="Disk in use",
        query=f"1 - node_filesystem_avail_bytes{{{_FILES}}} / node_filesystem_size_bytes{{{_FILES}}}",
        legend="{{host}} {{mountpoint}}",
        unit="percentunit",
        top=1,
    ),
    Chart(title="Load", query="node_load5", legend="{{host}}"),
    Chart(
        title="Disk, busy",
        query="rate(node_disk_io_time_seconds_total[$__rate_interval])",
        legend="{{host}} {{device}}",
        unit="percentunit",
    ),
    Chart(
        title="Network, received",
        query='rate(node_network_receive_bytes_total{device!~"lo|veth.*|br-.*|docker.*"}[$__rate_interval])',
        legend="{{host}} {{device}}",
        unit="Bps",
    ),
)
SERVICES = (
    Light(title="Services", query=f'up{{job!~"{NODE_JOB}|{LOGIN_JOB}"}}', legend="{{container}} on {{host}}"),
    Chart(
        title="Memory",
        query="process_resident_memory_bytes",
        legend="{{container}} on {{host}}",
        unit="bytes",
    ),
    Chart(
        title="Processor",
        query="rate(process_cpu_seconds_total[$__rate_interval])",
        legend="{{container}} on {{host}}",
        unit="percentunit",
    ),
    Chart(title="Time to answer Prometheus", query="scrape_duration_seconds", legend="{{container}}", unit="s"),
    Chart(
        title="Model requests",
        query="sum by (requested_model) (rate(litellm_proxy_total_requests_metric_total[$__rate_interval]))",
        legend="{{requested_model}}",
        unit="reqps",
    ),
    Light(title="Copies of the login's database follow", query="pg_replication_streaming", legend="{{host}}"),
    Chart(title="Login's database, behind", query="pg_replication_lag_bytes", legend="{{host}}", unit="bytes"),
    Chart(
        title="Login's database, kept for a copy",
        query="pg_replication_slot_retained_bytes",
        legend="for {{slot_name}} on {{host}}",
        unit="bytes",
    ),
)
EDGE = (
    Light(title="Login page", query=f'up{{job="{LOGIN_JOB}"}}', legend="{{instance}}"),
    Light(
        title="Tunnels",
        query="clamp_max(cloudflared_tunnel_ha_connections, 1)",
        legend="{{container}} on {{host}}",
    ),
    Chart(
        title="Connections to Cloudflare",
        query="cloudflared_tunnel_ha_connections",
        legend="{{container}} on {{host}}",
    ),
    Chart(
        title="Requests through the tunnels",
        query="rate(cloudflared_tunnel_total_requests[$__rate_interval])",
        legend="{{container}} on {{host}}",
        unit="reqps",
    ),
    Chart(
        title="Requests that failed",
        query="rate(cloudflared_tunnel_request_errors[$__rate_interval])",
        legend="{{container}} on {{host}}",
        unit="reqps",
    ),
)
BOARDS = {"Hosts": HOSTS, "Services": SERVICES, "Edge": EDGE}
"""The dashboards by their title."""


def render() -> dict[str, str]:
    """The dashboards as Grafana reads them: JSON by file name."""
    return {
        f"{title.lower()}.json": json.dumps(_board(title, panels), cls=JSONEncoder, indent=1, sort_keys=True)
        for title, panels in BOARDS.items()
    }


def _board(title: str, panels: tuple[Chart | Light, ...]) -> Dashboard:
    board = (
        build.Dashboard(title)
        .uid(f"kitestacks-{title.lower()}")
        .tags(["kitestacks"])
        .readonly()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .refresh("30s")
        .time("now-6h", "now")
    )
    for panel in panels:
        board.with_panel(_light(panel) if isinstance(panel, Light) else _chart(panel))
    return board.build()


def _source() -> DataSourceRef:
    return DataSourceRef(type_val="prometheus", uid=DATASOURCE)


def _query(panel: Chart | Light) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(panel.query).legend_format(panel.legend).datasource(_source()).ref_id("A")


def _chart(chart: Chart) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(chart.title)
        .datasource(_source())
        .with_target(_query(chart))
        .unit(chart.unit)
        .min(0)
        .fill_opacity(10)
        .show_points(VisibilityMode.NEVER)
        .interval(INTERVAL)
        .span(_PER_ROW // 2)
        .height(8)
    )
    return panel.max(chart.top) if chart.top is not None else panel


def _light(light: Light) -> stat.Panel:
    colours = [Threshold(value=None, color="red"), Threshold(value=1, color="green")]
    return (
        stat.Panel()
        .title(light.title)
        .datasource(_source())
        .with_target(_query(light).instant())
        .thresholds(build.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(colours))
        .span(_PER_ROW)
        .height(4)
    )
