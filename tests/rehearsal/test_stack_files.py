"""What a rehearsal makes of the real stack files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from rehearsal import stack_files
from rehearsal.cloud.store import DISKS
from rehearsal.twin import Twin
from tests.stack_files import PREFIX

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stack_files import StackFiles

SHELF = {"image": "nobody/knows:1", "chrome-image": "nobody/chrome:2", "database-image": "nobody/db", "other": "x/y:3"}


@pytest.fixture
def twin(tmp_path: Path) -> Twin:
    made = Twin(state=tmp_path / "twin", connect="172.17.0.1:7844", docker="unix:///var/run/docker.sock")
    made.save()
    return made


def rehearsed(twin: Twin, stack: str) -> dict[str, Any]:
    document = yaml.safe_load((twin.project / f"Pulumi.{stack}.yaml").read_text())
    config: dict[str, Any] = document["config"]
    return config


def test_images_come_with_the_ports_that_their_service_declares(files: StackFiles) -> None:
    files.edit("monk", "services.shelf", SHELF)

    found = stack_files.images(files.folder)

    ports = {image.partition(":")[0].rpartition("/")[2]: declared for image, declared in found.items()}
    assert ports["prometheus"] == (9090,)
    assert ports["server"] == (9000, 9300), "Authentik's"
    assert ports["postgres"] == (), "a side container's"
    assert found["nobody/knows:1"] == found["nobody/chrome:2"] == ()
    assert not {"nobody/db", "x/y:3"} & found.keys(), "without a pin, and no image"


def test_owners_secrets_are_those_that_valid_blocks_name(files: StackFiles) -> None:
    models = [{"name": "one", "model": "openai/one", "key": "first"}, {"name": "two", "model": "openai/two"}]
    files.edit("monk", "services.litellm.models", models)
    assert stack_files.owner_secrets("monk", files.folder) == {"first"}
    assert stack_files.owner_secrets("kscloud1", files.folder) == set()

    files.edit("monk", "services.litellm.models", "none")
    assert stack_files.owner_secrets("monk", files.folder) == set(), "the program refuses it"


def test_folders_that_a_service_names_lie_on_the_rehearsals_disk(files: StackFiles, twin: Twin) -> None:
    files.edit("monk", "services.kavita.library", "/home/kite/books")

    stack_files.render(twin, {}, {}, files.folder)

    config = rehearsed(twin, "monk")
    assert config[f"{PREFIX}services"]["kavita"]["library"] == f"{twin.state}/{DISKS}/home/kite/books"
    assert (twin.state / DISKS / "home/kite/books").is_dir()
    assert config[f"{PREFIX}host"]["data"].startswith(f"{twin.state}/{DISKS}/")


@pytest.mark.parametrize("library", ["books", 7, None])
def test_folder_that_the_program_refuses_stays_as_it_is(library: object, files: StackFiles, twin: Twin) -> None:
    files.edit("monk", "services.kavita", {"image": "nobody/knows:1", "library": library})

    stack_files.render(twin, {}, {}, files.folder)

    assert rehearsed(twin, "monk")[f"{PREFIX}services"]["kavita"]["library"] == library


def test_a_host_with_many_services_is_asked_less_often(files: StackFiles, twin: Twin) -> None:
    stack_files.render(twin, {}, {}, files.folder)
    full = rehearsed(twin, "monk")
    files.keep("portal")
    stack_files.render(twin, {}, {}, files.folder)
    few = rehearsed(twin, "monk")

    assert full[f"{PREFIX}host"]["health-interval"] == f"{len(full[f'{PREFIX}services']) // 3}s"
    assert few[f"{PREFIX}host"]["health-interval"] == "2s"
