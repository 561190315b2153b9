"""Prometheus: asks every exporter and service of the fleet for figures, keeps them, and raises alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from components.backup import Backup
from components.folders import DataFolder
from components.host import ContainerArgs, File, Mount
from components.login import ADMINS, ProxyLogin
from components.metrics import Metrics
from components.model import ServiceSettings, StateClass
from components.monitoring import alerts, targets
from components.monitoring.scrape import ScrapeConfig
from components.service import Service, Tile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pulumi

    from components.fleet import Fleet
    from components.monitoring.targets import Target
    from components.needs import Need
    from components.service import ServiceArgs

PORT = 9090
_CONFIG = "/etc/prometheus/prometheus.yml"
_RULES = "/etc/prometheus/rules.yml"
_USER = "65534:65534"
"""nobody, the image's own."""


class PrometheusSettings(ServiceSettings):
    """Prometheus's block in a stack file."""

    retention: str = Field(
        default="90d", pattern=r"^[1-9]\d*[dwy]$", description="How long figures are kept: 30d, 8w or 1y."
    )


class Prometheus(Service):
    """One Prometheus for all hosts. It has no login of its own, so Authentik stands in front, for admins.

    Creates: the data folder, and the container `prometheus` with its configuration and alert rules.
    Leaves out: telling anybody of an alert; Grafana shows them, and what watches the hosts from outside tells.
    """

    Settings = PrometheusSettings
    state = StateClass.SINGLE_WRITER
    backup = Backup(disposable="figures of the past; nothing else is made from them")
    port = PORT
    health_path = "/-/healthy"
    tile = Tile(title="Prometheus", description="Figures of hosts and services, and alerts", group="Operations")
    login = ProxyLogin(open_paths=("^/-/healthy$",), groups=(ADMINS,))
    folders = (DataFolder(path="prometheus", owner=_USER),)
    metrics = (Metrics(container="prometheus", port=PORT),)

    @classmethod
    def needs(cls, fleet: Fleet) -> tuple[Need, ...]:
        return targets.needs(fleet)

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        found = targets.targets(args.fleet)
        tokens = self._tokens(found)
        config = ScrapeConfig(
            targets=found,
            tokens={key: path for key, (path, _) in tokens.items()},
            rules=_RULES,
            retention=args.settings.retention,
            login=args.fleet.login_health,
        )
        container = self.container(
            name,
            ContainerArgs(
                image=args.settings.image,
                # A command of one's own replaces all of the image's arguments.
                command=[
                    f"--config.file={_CONFIG}",
                    "--storage.tsdb.path=/prometheus",
                    *([f"--web.external-url={self.url}"] if self.url else []),
                ],
                files={
                    _CONFIG: File(content=config.render()),
                    _RULES: File(content=alerts.render()),
                    **{path: File(content=value, private=True) for path, value in tokens.values()},
                },
                mounts=[Mount(source=self.data("prometheus"), target="/prometheus")],
                health=["wget", "-q", "--spider", f"http://127.0.0.1:{PORT}/-/healthy"],
                memory=args.settings.memory,
                user=_USER,
                ports={port: port for port in args.fleet.ports_for_others(name)},
                stop_grace=60,
            ),
        )
        return {"container": container.name}

    def _tokens(self, found: Sequence[Target]) -> dict[str, tuple[str, pulumi.Output[str]]]:
        """The secret of each endpoint that has one: its file in the container, and its value."""
        pairs = sorted({(target.service, target.metrics.token) for target in found if target.metrics.token})
        return {
            f"{service}.{token}": (f"/run/secrets/{service}-{token}", self.args.vault.value(service, token))
            for service, token in pairs
        }


SERVICE = Prometheus
