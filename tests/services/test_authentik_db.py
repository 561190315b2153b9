"""authentik-db and its host: what the image's facts demand, and who reaches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from components.services.authentik_db import FIGURES, hba
from components.services.authentik_db.standby import SCRIPT
from tests.recorder import foundation_outputs, run_program
from tests.services.plans import containers_of, environment, plan
from tests.services.plans import files as files_of

if TYPE_CHECKING:
    from tests.stack_files import StackFiles

HEALTH = SCRIPT.replace("copy.sh", "health.sh")


@pytest.mark.parametrize(("host", "root"), [("kscloud1", "/opt/kitestacks"), ("monk", "/home/kite/kitestacks-live")])
def test_stands_on_both_hosts_with_the_folder_of_version_18(host: str, root: str) -> None:
    (database,) = containers_of("authentik-db", host).values()

    assert database.inputs["image"].startswith("postgres:18.")
    assert {mount["target"]: mount["source"] for mount in database.inputs["mounts"]} == {
        "/var/lib/postgresql": f"{root}/docker/authentik-db",
        "/figures": f"{root}/docker/{FIGURES}",
    }
    assert database.inputs["user"] == "999:999"


def test_copies_start_by_their_own_script_which_knows_who_writes_and_where_the_others_are() -> None:
    for host, other in (("kscloud1", "monk"), ("monk", "kscloud1")):
        (database,) = containers_of("authentik-db", host).values()
        told = environment(database)

        assert database.inputs["entrypoints"] == ["sh", SCRIPT, "start"]
        assert files_of(database)[SCRIPT].startswith("#!/bin/sh")
        assert database.inputs["healthcheck"]["tests"] == ["CMD", "sh", HEALTH, "/figures"]
        assert files_of(database)[HEALTH].endswith('exec sh "$beside/copy.sh" healthy\n')
        assert (told["DATABASE_HOST"], told["DATABASE_WRITER"], told["DATABASE_FENCED"]) == (host, "kscloud1", "yes")
        assert told["DATABASE_PEERS"] == f"{other}={other}:5432"
        assert {"host": other, "ip": {"kscloud1": "100.64.0.2", "monk": "100.64.0.1"}[other]} in database.inputs[
            "hosts"
        ]


def test_copies_have_the_same_limits_since_a_follower_with_lower_ones_stops() -> None:
    commands = [containers_of("authentik-db", host)["authentik-db"].inputs["command"] for host in ("kscloud1", "monk")]

    assert commands[0] == commands[1]
    assert {"max_connections=500", "max_slot_wal_keep_size=4GB"} <= set(commands[0])


def test_replication_role_comes_in_for_replication_alone_and_every_line_is_as_postgres_reads_it() -> None:
    rules = [line.split() for line in hba(["100.64.0.1"]).splitlines()]

    assert {len(rule) for rule in rules if rule[0] == "host"} == {5}
    assert rules.index(["host", "all", "replicator", "all", "reject"]) < rules.index(
        ["host", "all", "all", "all", "scram-sha-256"]
    )
    assert ["host", "replication", "replicator", "100.64.0.1/32", "scram-sha-256"] in rules
    assert not [rule for rule in rules if rule[0] == "host" and rule[-1] == "trust"]


def test_only_the_copy_that_writes_gets_its_passwords_set() -> None:
    steps = {host: plan(host).recorder.of_type("Command") for host in ("kscloud1", "monk")}

    assert {"authentik-db-password", "authentik-db-replication-role"} <= set(steps["kscloud1"])
    assert not {"authentik-db-password", "authentik-db-replication-role"} & set(steps["monk"])
    role = steps["kscloud1"]["authentik-db-replication-role"]
    database = containers_of("authentik-db", "kscloud1")["authentik-db"]
    assert files_of(database)["/run/secrets/replication-password"] in role.inputs["stdin"]
    assert "stdin" in role.secrets


def test_alone_it_is_started_by_its_image(files: StackFiles) -> None:
    files.keep("cloudflared", "site-proxy", "portal", "authentik-db", "authentik")
    files.edit("monk", "services.authentik-db", None)

    database = run_program("kscloud1", files.folder).containers()["authentik-db"]

    assert not database.inputs.get("entrypoints")
    assert [mount["target"] for mount in database.inputs["mounts"]] == ["/var/lib/postgresql"], "it has no replication"
    assert database.inputs["healthcheck"]["tests"][1] == "pg_isready"
    # A copy that is gone has left its slot, for which the log would be kept until the disk is full.
    assert database.inputs["command"] == ["postgres", "-c", "max_connections=500", "-c", "max_slot_wal_keep_size=4GB"]
    assert [port["external"] for port in database.inputs["ports"]] == [5432], "monk's Authentik needs it"


def test_one_setting_promotes_monks_copy_and_points_its_authentik_there(files: StackFiles) -> None:
    files.keep("cloudflared", "site-proxy", "portal", "authentik-db", "authentik")
    files.edit("monk", "services.authentik.database", "local")
    foundation = {"kscloud1": foundation_outputs("monk", "kscloud1")}

    monk, kscloud1 = run_program("monk", files.folder, references=foundation), run_program("kscloud1", files.folder)

    for run in (monk, kscloud1):
        assert environment(run.containers()["authentik-db"])["DATABASE_WRITER"] == "monk"
    assert not monk.containers()["authentik-server"].inputs.get("hosts")
    assert "kitestacks-authentik-db" in {
        each["name"] for each in monk.containers()["authentik-server"].inputs["networksAdvanced"]
    }
    assert kscloud1.containers()["authentik-server"].inputs["hosts"] == [{"host": "authentik-db", "ip": "100.64.0.1"}]
    assert "authentik-db-replication-role" in monk.recorder.of_type("Command")
    assert "authentik-db-replication-role" not in kscloud1.recorder.of_type("Command")


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
    files.edit("monk", "services.authentik-db", None)
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
