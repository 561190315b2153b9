"""Renovate's pattern finds every image pin of the stack files."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_pattern_finds_every_pin() -> None:
    (manager,) = json.loads((ROOT / "renovate.json").read_text())["customManagers"]
    pattern = re.compile(manager["matchStrings"][0].replace("(?<", "(?P<"))
    (files,) = (re.compile(each.strip("/")) for each in manager["managerFilePatterns"])

    for path in ROOT.glob("Pulumi.*.yaml"):
        assert files.search(path.name)
        pins = re.findall(r"image: (\S+)", path.read_text())
        found = [f"{match['depName']}:{match['currentValue']}" for match in pattern.finditer(path.read_text())]
        assert pins
        assert found == pins


def test_digest_is_found_too() -> None:
    (manager,) = json.loads((ROOT / "renovate.json").read_text())["customManagers"]
    pattern = re.compile(manager["matchStrings"][0].replace("(?<", "(?P<"))
    match = pattern.search(f"image: example.org/a/b:v1.2@sha256:{'0' * 64}")

    assert match
    assert (match["depName"], match["currentValue"], match["currentDigest"]) == (
        "example.org/a/b",
        "v1.2",
        f"sha256:{'0' * 64}",
    )
