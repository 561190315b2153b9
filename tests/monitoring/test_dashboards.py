"""Dashboards: what Grafana's own builder makes of them, and that they show what is measured."""

from __future__ import annotations

import json
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from components.monitoring import dashboards

BOARDS = {name: json.loads(text) for name, text in dashboards.render().items()}


def panels(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = BOARDS[name]["panels"]
    return found


def test_there_is_one_for_hosts_one_for_services_and_one_for_the_edge() -> None:
    assert set(BOARDS) == {"hosts.json", "services.json", "edge.json"}
    assert {board["uid"] for board in BOARDS.values()} == {"kitestacks-hosts", "kitestacks-services", "kitestacks-edge"}


@pytest.mark.parametrize("name", BOARDS)
def test_the_builders_own_models_read_it_and_write_the_same(name: str) -> None:
    register_default_plugins()
    read = Dashboard.from_json(BOARDS[name])

    assert json.loads(json.dumps(read, cls=JSONEncoder)) == BOARDS[name]


@pytest.mark.parametrize("name", BOARDS)
def test_every_panel_asks_the_one_source_and_names_its_lines(name: str) -> None:
    for panel in panels(name):
        (target,) = panel["targets"]
        assert panel["title"]
        assert panel["datasource"] == target["datasource"] == {"type": "prometheus", "uid": "prometheus"}
        assert target["expr"]
        assert "{{" in target["legendFormat"]


@pytest.mark.parametrize("name", BOARDS)
def test_panels_lie_side_by_side_and_none_on_another(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels(name):
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("hosts.json", ["node_cpu_seconds_total", "node_memory_MemAvailable_bytes", "node_filesystem_avail_bytes"]),
        ("services.json", ["up{", "process_resident_memory_bytes"]),
        ("edge.json", ["cloudflared_tunnel_ha_connections", 'up{job="login"}']),
    ],
)
def test_it_shows_what_its_name_says(name: str, figures: list[str]) -> None:
    queries = " ".join(panel["targets"][0]["expr"] for panel in panels(name))

    assert all(figure in queries for figure in figures)


@pytest.mark.parametrize("name", BOARDS)
def test_nothing_is_left_for_an_import_to_ask(name: str) -> None:
    text = json.dumps(BOARDS[name])

    assert "${DS_" not in text
    assert "__inputs" not in text
    assert BOARDS[name]["editable"] is False
