"""Stack files that stay as they are, whatever services the real ones get."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.stack_files import StackFiles


@pytest.fixture
def lean(files: StackFiles) -> StackFiles:
    """The real stack files with two services on each host, which need nothing of the other."""
    images = {"cloudflared": "cloudflare/cloudflared:2026.8.2", "node-exporter": "prom/node-exporter:v1.12.1"}
    for stack in ("monk", "kscloud1"):
        files.edit(stack, "services", {name: {"image": image} for name, image in images.items()})
    return files
