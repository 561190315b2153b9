"""The committed JSON schema is fresh, accepts the real stack files and refuses broken ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from components.schema_command import FILE, schema_text

ROOT = Path(__file__).resolve().parent.parent
SCHEMA: dict[str, Any] = json.loads(schema_text())


def test_committed_schema_is_fresh() -> None:
    assert FILE.read_text() == schema_text(), "make schema"


@pytest.mark.parametrize("path", sorted(ROOT.glob("Pulumi.*.yaml")), ids=lambda path: path.name)
def test_real_stack_files_are_valid_and_name_the_schema(path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text()), SCHEMA)
    assert path.read_text().startswith(f"# yaml-language-server: $schema={FILE.relative_to(ROOT)}\n")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kitestacks:hots", {}),
        ("kitestacks:services", {"portl": {"image": "caddy:1"}}),
        ("kitestacks:services", {"portal": {}}),
        ("kitestacks:edge", {"domain": "kitestacks.com", "failover": "luck"}),
    ],
)
def test_editor_underlines_what_the_program_refuses(key: str, value: object) -> None:
    document = yaml.safe_load((ROOT / "Pulumi.monk.yaml").read_text())
    document["config"][key] = value

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)


def test_other_namespaces_and_encrypted_values_are_left_alone() -> None:
    document = yaml.safe_load((ROOT / "Pulumi.monk.yaml").read_text())
    document["config"]["cloudflare:apiToken"] = {"secure": "v1:abc"}
    document["encryptionsalt"] = "v1:abc"

    jsonschema.validate(document, SCHEMA)
