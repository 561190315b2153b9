"""What Grafana reads when it starts: the one source, and where its dashboards lie.

Grafana takes `$NAME` in these YAML files for environment; `$$` is a dollar sign. Dashboards are not touched
(`grafana/grafana:docs/sources/administration/provisioning/index.md`).
"""

from __future__ import annotations

import yaml

from components.monitoring import dashboards
from components.monitoring.scrape import INTERVAL

_FOLDER = "/etc/grafana/provisioning"
BOARDS = "/etc/kitestacks/dashboards"


def files(source: str) -> dict[str, str]:
    """Every file by its path in the container.

    Args:
        source: Address of Prometheus, as the container reaches it.
    """
    return {
        f"{_FOLDER}/datasources/kitestacks.yaml": _yaml(_sources(source)),
        f"{_FOLDER}/dashboards/kitestacks.yaml": _yaml(_providers()),
        **{f"{BOARDS}/{name}": text for name, text in dashboards.render().items()},
    }


def _yaml(document: dict[str, object]) -> str:
    return yaml.safe_dump(document, sort_keys=False).replace("$", "$$")


def _sources(address: str) -> dict[str, object]:
    source = {
        "name": "Prometheus",
        "type": "prometheus",
        "uid": dashboards.DATASOURCE,
        "access": "proxy",
        "url": address,
        "isDefault": True,
        "editable": False,
        "jsonData": {"timeInterval": INTERVAL, "httpMethod": "POST"},
    }
    return {"apiVersion": 1, "prune": True, "datasources": [source]}


def _providers() -> dict[str, object]:
    provider = {
        "name": "kitestacks",
        "folder": "KiteStacks",
        "type": "file",
        "disableDeletion": True,
        "allowUiUpdates": False,
        "options": {"path": BOARDS},
    }
    return {"apiVersion": 1, "providers": [provider]}
