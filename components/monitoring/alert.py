"""Alert: one rule of Prometheus (`prometheus/prometheus:docs/configuration/alerting_rules.md`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One rule.

    Attributes:
        name: As it is shown.
        expression: PromQL; each series that it yields is one alert.
        lasting: How long it must hold.
        severity: critical: somebody is locked out or data is at risk; warning: it will be.
        summary: One line for a person; `{{ $labels.host }}` is filled in.
        action: What to do.
    """

    name: str
    expression: str
    lasting: str
    severity: str
    summary: str
    action: str

    def document(self) -> dict[str, Any]:
        """As Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expression,
            "for": self.lasting,
            "labels": {"severity": self.severity},
            "annotations": {"summary": self.summary, "description": self.action},
        }
