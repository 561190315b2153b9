"""Notes: when each service was last saved and last brought back, kept in a file and shown to Prometheus."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from components.backup_runner.plan import Plan

_FIGURES = {
    "saved": ("kitestacks_backup_success_timestamp_seconds", "When the last whole backup was made; 0: never."),
    "bytes": ("kitestacks_backup_size_bytes", "What the last whole backup holds."),
    "seconds": ("kitestacks_backup_duration_seconds", "How long it took."),
    "failed": ("kitestacks_backup_failed", "Whether the last attempt failed."),
}
_PROOFS = {
    "proven": ("kitestacks_restore_proven_timestamp_seconds", "When a restore was last proven on this host; 0: never."),
    "failed": ("kitestacks_restore_drill_failed", "Whether the last drill on this host failed."),
}
_CHECKED = ("kitestacks_backup_check_success_timestamp_seconds", "When the repository was last found whole; 0: never.")
_CHECK_FAILED = ("kitestacks_backup_check_failed", "Whether the last check failed.")


class Notes:
    """What is known of each service: moments in seconds, 0 for never, and the fault of the last attempt.

    Args:
        plan: The host's.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._file = plan.own / "notes.json"
        self.known: dict[str, Any] = json.loads(self._file.read_text()) if self._file.exists() else {}

    def of(self, service: str) -> dict[str, Any]:
        """What is known of a service."""
        return dict(self.known.get("services", {}).get(service, {}))

    def saved(self, service: str, summary: dict[str, Any], started: float) -> None:
        """A service is in the repository."""
        facts = {
            "saved": int(time.time()),
            "bytes": summary["total_bytes_processed"],
            "seconds": round(time.monotonic() - started, 1),
            "snapshot": summary["snapshot_id"],
            "canary": summary["canary"],
            "failed": "",
        }
        self._write(service, facts)

    def failed(self, service: str, why: str) -> None:
        """A service could not be saved; what is known of its last whole backup stays."""
        self._write(service, {"failed": why})

    def proofs(self, host: str) -> dict[str, dict[str, Any]]:
        """What the drills on this host found of a host's services."""
        return dict(self.known.get("proofs", {}).get(host, {}))

    def proven(self, host: str, service: str, said: str) -> None:
        """A restore of a host's service was proven here, in words."""
        self._prove(host, service, {"proven": int(time.time()), "said": said, "failed": ""})

    def not_proven(self, host: str, service: str, why_not: str) -> None:
        """It was not; when it last was stays."""
        self._prove(host, service, {"failed": why_not})

    def _prove(self, host: str, service: str, facts: dict[str, Any]) -> None:
        self.known.setdefault("proofs", {}).setdefault(host, {}).setdefault(service, {}).update(facts)
        self._write()

    def shown(self) -> None:
        """The words that have to open the repository do; the weekly check tries them again."""
        self.known["shown"] = self._plan.shown
        self._write()

    def checked(self, why_not: str = "") -> None:
        """The repository was found whole, or was not."""
        self.known["check"] = {
            "moment": self.known.get("check", {}).get("moment", 0) if why_not else int(time.time()),
            "failed": why_not,
        }
        self._write()

    def _write(self, service: str = "", facts: dict[str, Any] | None = None) -> None:
        if service:
            self.known.setdefault("services", {}).setdefault(service, {}).update(facts or {})
        _replace(self._file, json.dumps(self.known, indent=2, sort_keys=True) + "\n", 0o600)
        if self._plan.metrics:
            _replace(Path(self._plan.metrics), self.figures(), 0o644)

    def figures(self) -> str:
        """For the textfile collector: every service of the plan, saved or never; and whatever may be proven here."""
        lines: list[str] = []
        for key, named in _FIGURES.items():
            own = {service: self.of(service).get(key, 0) for service in sorted(self._plan.services)}
            lines += _lines(named, {f'service="{service}"': value for service, value in own.items()})
        hosts = {self._plan.host: tuple(self._plan.services), **self._plan.keeps}
        places = [(host, service) for host in sorted(hosts) for service in sorted(hosts[host])]
        for key, named in _PROOFS.items():
            found = {place: self.proofs(place[0]).get(place[1], {}).get(key, 0) for place in places}
            labels = {f'service="{service}",saved_host="{host}"': value for (host, service), value in found.items()}
            lines += _lines(named, labels)
        check = self.known.get("check", {})
        lines += _lines(_CHECKED, {"": check.get("moment", 0)})
        lines += _lines(_CHECK_FAILED, {"": check.get("failed", "")})
        return "\n".join(lines) + "\n"


def _lines(named: tuple[str, str], values: dict[str, float | str]) -> list[str]:
    """One figure by its labels; a fault in words counts as 1."""
    name, meaning = named
    lines = [f"# HELP {name} {meaning}", f"# TYPE {name} gauge"]
    for labels, value in values.items():
        figure = int(bool(value)) if isinstance(value, str) else value
        lines.append(f"{name}{{{labels}}} {figure}" if labels else f"{name} {figure}")
    return lines


def _replace(file: Path, text: str, mode: int) -> None:
    """As a whole: a reader never sees half of it."""
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_text(text)
    fresh.chmod(mode)
    fresh.replace(file)
