"""Scrape: Prometheus's own configuration, written from the targets.

Field names are those of `prometheus/prometheus:docs/configuration/configuration.md`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from components.monitoring.targets import NODE_EXPORTER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.monitoring.targets import Target

INTERVAL = "15s"
NODE_JOB = "node"
"""The job that Node Exporter's own rules and dashboards select by."""
LOGIN_JOB = "login"
TEXT = "PrometheusText0.0.4"


@dataclass(frozen=True, kw_only=True)
class ScrapeConfig:
    """What Prometheus is told.

    Attributes:
        targets: What it asks.
        tokens: Where the token of each endpoint that has one lies in its container, by `<service>.<secret>`.
        rules: Path of the alert rules in its container.
        retention: How long figures are kept, as Prometheus writes it (30d).
        login: Address of the login page's health, if there is a login.
    """

    targets: Sequence[Target]
    tokens: Mapping[str, str]
    rules: str
    retention: str
    login: str = ""

    def render(self) -> str:
        """The configuration file."""
        document = {
            "global": {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL},
            "rule_files": [self.rules],
            "storage": {"tsdb": {"retention": {"time": self.retention}}},
            "scrape_configs": [*self._jobs(), *([_login_job(self.login)] if self.login else [])],
        }
        return yaml.safe_dump(document, sort_keys=False)

    def _jobs(self) -> list[dict[str, Any]]:
        """One job per service; endpoints with another path or another token are a job of their own."""
        jobs: dict[tuple[str, str, str], dict[str, Any]] = {}
        names: Counter[str] = Counter()
        for target in self.targets:
            kind = (target.service, target.metrics.path, target.metrics.token)
            if kind not in jobs:
                name = NODE_JOB if target.service == NODE_EXPORTER else target.service
                names[name] += 1
                jobs[kind] = {
                    "job_name": name if names[name] == 1 else f"{name}-{names[name]}",
                    "metrics_path": target.metrics.path,
                    **self._authorization(target),
                    "static_configs": [],
                }
            jobs[kind]["static_configs"].append(_static(target))
        return list(jobs.values())

    def _authorization(self, target: Target) -> dict[str, Any]:
        if not target.metrics.token:
            return {}
        file = self.tokens[f"{target.service}.{target.metrics.token}"]
        if target.metrics.user:
            return {"basic_auth": {"username": target.metrics.user, "password_file": file}}
        return {"authorization": {"type": "Bearer", "credentials_file": file}}


def _static(target: Target) -> dict[str, Any]:
    labels = {"host": target.host, "service": target.service, "container": target.container}
    return {"targets": [target.address], "labels": labels}


def _login_job(address: str) -> dict[str, Any]:
    """Asks the login page as a visitor does, name, way and certificate included; it need not answer with figures."""
    scheme, _, rest = address.partition("://")
    host, _, path = rest.partition("/")
    return {
        "job_name": LOGIN_JOB,
        "scheme": scheme,
        "metrics_path": f"/{path}",
        "fallback_scrape_protocol": TEXT,
        "static_configs": [{"targets": [host], "labels": {"service": "authentik"}}],
    }
