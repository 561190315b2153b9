"""What `adopt` compares with is what the real engine plans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from components.fleet_files import fleet_of_files
from kitestacks.adopting.declared import Declared

if TYPE_CHECKING:
    from tests.engine.lab import Lab

pytestmark = pytest.mark.engine


def test_containers_networks_and_given_secrets_of_a_preview(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in lab.environment.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("PATH", f"{Path(lab.tools.engine).parent}:{lab.environment['PATH']}")
    assert lab.pulumi("config", "set", "--secret", "secret:bookstack.app-key", "old", "-s", "kscloud1").status == 0

    declared = Declared.of(fleet_of_files(lab.twin.project, "kscloud1"), lab.twin.project)

    assert not declared.doubt
    data = declared.fleet.own.host.data
    assert {each.service for each in declared.containers.values()} == set(declared.fleet.own.service_settings)
    wiki_db = next(each for each in declared.containers.values() if each.name.endswith("bookstack-db"))
    assert wiki_db.mounts["/var/lib/mysql"] == f"{data}/bookstack-db"
    assert wiki_db.setting == "services.bookstack.database-image"
    assert any(name.endswith("-edge") for name in declared.networks)
    assert "kscloud1 bookstack.app-key" in declared.given


def test_a_refused_preview_leaves_what_the_files_say(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    declared = Declared.of(fleet_of_files(lab.twin.project, "monk"), lab.twin.project)
    assert "pulumi is not on PATH" in declared.doubt
    wiki_db = next(each for each in declared.containers.values() if each.name.endswith("bookstack-db"))
    assert wiki_db.setting == "services.bookstack.database-image"
    assert not wiki_db.mounts, "where data lies inside is not in the files"
