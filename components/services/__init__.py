"""One file per service; a file that stands here is a service that the stack files may name."""

from __future__ import annotations

import importlib
import pkgutil
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.service import Service


def _discover() -> Mapping[str, type[Service]]:
    found: dict[str, type[Service]] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        service: type[Service] = importlib.import_module(f"{__name__}.{module.name}").SERVICE
        found[module.name.replace("_", "-")] = service
    return MappingProxyType(found)


KNOWN_SERVICES: Mapping[str, type[Service]] = _discover()
"""Every service by the name that a stack file writes; the file `node_exporter.py` is the service `node-exporter`."""
