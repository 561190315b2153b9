"""authentik-db and its host: what the image's facts demand, and who reaches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.recorder import foundation_outputs, run_program
from tests.services.plans import containers_of, environment, plan
from tests.services.plans import files as files_of

if TYPE_CHECKING:
    from tests.stack_files import StackFiles


def test_stands_on_the_foundation_alone_with_the_folder_of_version_18() -> None:
    (database,) = containers_of("authentik-db", "kscloud1").values()

    assert not containers_of("authentik-db", "monk")
    assert database.inputs["image"].startswith("postgres:18.")
    (mount,) = database.inputs["mounts"]
    assert mount["target"] == "/var/lib/postgresql"
    assert mount["source"] == "/opt/kitestacks/docker/authentik-db"
    assert database.inputs["user"] == "999:999"


def test_has_connections_for_all_that_went_into_the_database() -> None:
    (database,) = containers_of("authentik-db", "kscloud1").values()

    assert database.inputs["command"] == ["postgres", "-c", "max_connections=500"]


def test_password_is_a_private_file_shared_with_authentik_and_set_by_a_step() -> None:
    (database,) = containers_of("authentik-db", "kscloud1").values()
    authentik = containers_of("authentik", "kscloud1")["authentik-server"]
    step = plan("kscloud1").recorder.of_type("Command")["authentik-db-password"]

    assert environment(database)["POSTGRES_PASSWORD_FILE"] == "/run/secrets/password"  # noqa: S105 - a path
    assert files_of(database)["/run/secrets/password"] == files_of(authentik)["/run/secrets/database-password"]
    assert files_of(database)["/run/secrets/password"] in step.inputs["stdin"]
    assert "stdin" in step.secrets


def test_is_on_its_own_network_and_on_the_private_address_because_monk_needs_it() -> None:
    (database,) = containers_of("authentik-db", "kscloud1").values()

    assert [each["name"] for each in database.inputs["networksAdvanced"]] == ["kitestacks-authentik-db"]
    (port,) = database.inputs["ports"]
    assert (port["ip"], port["external"], port["internal"]) == ("100.64.0.2", 5432, 5432)


def test_publishes_nothing_when_no_other_host_needs_it(files: StackFiles) -> None:
    files.edit("monk", "services.authentik", None).edit("kscloud1", "services.authentik.site.shared", None)
    files.keep("cloudflared", "site-proxy", "portal", "authentik-db", "authentik")

    database = run_program("kscloud1", files.folder).containers()["authentik-db"]

    assert not database.inputs.get("ports")


def test_may_stand_beside_authentik_on_another_host(files: StackFiles) -> None:
    files.keep("cloudflared", "site-proxy", "portal", "authentik-db", "authentik")
    files.edit("monk", "services.authentik-db", {"image": "postgres:18.6"}).edit(
        "kscloud1", "services.authentik-db", None
    )

    monk = run_program("monk", files.folder, references={"kscloud1": foundation_outputs("monk", "kscloud1")})
    kscloud1 = run_program("kscloud1", files.folder).containers()

    assert not monk.containers()["authentik-server"].inputs.get("hosts")
    assert kscloud1["authentik-server"].inputs["hosts"] == [{"host": "authentik-db", "ip": "100.64.0.1"}]
    assert "authentik-db" not in kscloud1
