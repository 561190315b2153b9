"""What a deployment changes, and how a stack file gets its old images back without losing a comment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from components import deployed, guards
from components.backup import Engine
from components.services import KNOWN_SERVICES
from kitestacks.deploying.changes import changes_of, with_old_images
from tests.stack_files import ROOT

if TYPE_CHECKING:
    from components.fleet import Fleet
    from tests.stack_files import StackFiles


def outputs(fleet: Fleet) -> dict[str, Any]:
    return {deployed.OUTPUT: deployed.output(fleet), guards.OUTPUT: guards.Kept.of(fleet).output()}


def test_nothing_changes_without_an_edit(files: StackFiles) -> None:
    fleet = files.fleet("monk")

    assert changes_of(fleet, outputs(fleet)) == ()


def test_stack_that_was_never_deployed_has_nothing_to_save(files: StackFiles) -> None:
    assert changes_of(files.fleet("monk"), {}) == ()


def test_changed_image_of_a_service_with_data_brings_its_folders_and_databases(files: StackFiles) -> None:
    before = outputs(files.fleet("monk"))
    files.edit("monk", "services.bookstack.database-image", "mariadb:12.3.3-noble")

    (change,) = changes_of(files.fleet("monk"), before)

    assert change.service == "bookstack"
    assert change.old == {"database-image": "mariadb:12.3.2-noble"}
    assert change.new == {"database-image": "mariadb:12.3.3-noble"}
    assert "/home/kite/kitestacks-live/docker/bookstack-db" in change.folders
    assert [dump.container for dump in change.dumps] == ["bookstack-db"]
    assert change.paths == ("services.bookstack.database-image",)


@pytest.mark.parametrize(("host", "containers"), [("kscloud1", ["authentik-db"]), ("monk", [])])
def test_login_brings_its_database_where_that_is_written(host: str, containers: list[str], files: StackFiles) -> None:
    before = outputs(files.fleet(host))
    files.edit(host, "services.authentik.image", "ghcr.io/goauthentik/server:2026.10.0")

    (change,) = changes_of(files.fleet(host), before)

    assert [dump.container for dump in change.elsewhere] == containers
    assert change.dumps == ()


def test_what_is_kept_elsewhere_is_in_databases_that_can_be_put_back_while_they_run() -> None:
    """`load_lines` speaks to PostgreSQL alone."""
    for kind in KNOWN_SERVICES.values():
        for name in kind.keeps_in:
            assert {dump.engine for dump in KNOWN_SERVICES[name].backup.dumps} == {Engine.POSTGRES}


def test_folder_inside_another_goes_with_it(files: StackFiles) -> None:
    """Each is moved as a whole on the way back: twice, and what lies inside would be gone."""
    before = outputs(files.fleet("monk"))
    files.edit("monk", "services.bookstack.image", "lscr.io/linuxserver/bookstack:v26.06.1-ls281")

    (change,) = changes_of(files.fleet("monk"), before)

    names = [folder.removeprefix("/home/kite/kitestacks-live/docker/") for folder in change.folders]
    assert names[:2] == ["bookstack", "bookstack-db"]
    assert not [name for name in names if name.startswith("bookstack/")]


def test_stack_of_an_earlier_version_is_compared_by_what_it_keeps(files: StackFiles) -> None:
    before = outputs(files.fleet("monk"))
    del before[deployed.OUTPUT]
    files.edit("monk", "services.portainer.image", "portainer/portainer-ce:2.40.0-alpine")

    (change,) = changes_of(files.fleet("monk"), before)

    assert change.service == "portainer"
    assert change.folders


@pytest.mark.parametrize("service", ["portal", "prometheus"])
def test_changed_image_of_a_service_without_data_worth_keeping_saves_nothing(service: str, files: StackFiles) -> None:
    before = outputs(files.fleet("monk"))
    image = before[deployed.OUTPUT][service]["image"]
    files.edit("monk", f"services.{service}.image", f"{image}-other")

    (change,) = changes_of(files.fleet("monk"), before)

    assert (change.service, change.folders, change.dumps) == (service, (), ())


def test_service_that_is_new_or_gone_is_no_change_of_an_image(files: StackFiles) -> None:
    before = outputs(files.fleet("monk"))
    files.edit("monk", "services.kavita", None)
    del before[deployed.OUTPUT]["grafana"]

    assert changes_of(files.fleet("monk"), before) == ()


def test_old_images_go_back_and_every_other_character_stays(files: StackFiles) -> None:
    before = outputs(files.fleet("monk"))
    real = (ROOT / "Pulumi.monk.yaml").read_text()
    newer = real.replace("mariadb:12.3.2-noble", '"mariadb:12.3.3-noble"  # newer', 1)
    newer = newer.replace("portainer/portainer-ce:2.39.6-alpine", "portainer/portainer-ce:2.40.0-alpine")
    (files.folder / "Pulumi.monk.yaml").write_text(newer)

    text = with_old_images(newer, changes_of(files.fleet("monk"), before))

    assert text == real.replace("mariadb:12.3.2-noble", "mariadb:12.3.2-noble  # newer", 1)
