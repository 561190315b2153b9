"""The wiki as monk's stack file declares it, held against what its image and BookStack demand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from components.errors import ProgramError
from components.login import OidcClient
from components.model import StateClass
from components.services.bookstack import Bookstack
from components.services.bookstack.device import Device
from components.services.bookstack.pictures import Pictures
from components.services.bookstack.replication import Pair
from tests.recorder import foundation_outputs, run_program
from tests.services.plans import containers_in, containers_of, environment, plan, plan_with
from tests.services.plans import files as texts

if TYPE_CHECKING:
    from tests.stack_files import StackFiles

WIKI = containers_of("bookstack", "monk")["bookstack"]
CARRIER = containers_of("bookstack", "monk")["bookstack-sync"]
SEED = "shared-bookstack.sync-seed"
DATABASE = containers_of("bookstack", "monk")["bookstack-db"]


def test_issuer_ends_in_a_slash_because_it_is_compared_character_by_character() -> None:
    login = environment(WIKI)

    assert login["OIDC_ISSUER"] == "https://auth.kitestacks.com/application/o/bookstack/"
    assert (login["AUTH_METHOD"], login["OIDC_ISSUER_DISCOVER"]) == ("oidc", "true")
    assert (login["OIDC_USER_TO_GROUPS"], login["OIDC_GROUPS_CLAIM"]) == ("true", "groups")
    assert login["OIDC_REMOVE_FROM_GROUPS"] == "true", "who leaves a group loses its role"


def test_login_comes_back_where_bookstack_waits_for_it() -> None:
    login = Bookstack.login

    assert isinstance(login, OidcClient)
    assert login.redirect_paths == ("/oidc/callback",)
    assert {"", "/login"} <= set(login.logout_paths), "the base address and /login"


def test_address_is_public_without_a_slash_and_cookies_are_secure() -> None:
    given = environment(WIKI)

    assert given["APP_URL"] == "https://wiki.kitestacks.com"
    assert given["SESSION_SECURE_COOKIE"] == "true"
    assert "*" not in given["APP_PROXIES"], "anybody could say which address is a visitor's"


def test_secrets_are_private_files_that_the_image_reads() -> None:
    given, text = environment(WIKI), texts(WIKI)
    names = {key.removeprefix("FILE__"): path for key, path in given.items() if key.startswith("FILE__")}

    assert set(names) == {"APP_KEY", "DB_PASSWORD", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"}
    assert text[names["APP_KEY"]] == "shared-bookstack.app-key"
    assert text[names["OIDC_CLIENT_SECRET"]] == "shared-bookstack.client-secret"
    assert text[names["DB_PASSWORD"]] == texts(DATABASE)["/run/secrets/password"]
    assert not set(names) & set(given)
    assert not [path for path, content in text.items() if content.endswith("\n")], "the image would keep the line's end"


def test_key_is_made_as_laravel_wants_it_and_every_host_gets_the_same() -> None:
    made = plan("kscloud1").recorder.of_type("RandomBytes")
    (key,) = [name for name in made if name.endswith("bookstack-app-key")]

    assert made[key].inputs["length"] == 32
    assert Bookstack.secrets["app-key"].prefix == "base64:"
    assert all(secret.shared for secret in Bookstack.secrets.values()), "a copy elsewhere opens the same database"
    assert Bookstack.secrets["app-key"].fixed
    assert Bookstack.state is StateClass.PRIMARY_STANDBY


def test_data_and_ports_are_where_people_know_them() -> None:
    assert WIKI.inputs["mounts"][0]["source"] == "/home/kite/kitestacks-live/docker/bookstack"
    assert WIKI.inputs["mounts"][0]["target"] == "/config"
    assert DATABASE.inputs["mounts"][0]["source"] == "/home/kite/kitestacks-live/docker/bookstack-db"
    assert (environment(WIKI)["DB_HOST"], environment(WIKI)["DB_PORT"]) == ("bookstack-db", "3306")


def test_health_check_asks_the_path_that_looks_at_the_database() -> None:
    assert WIKI.inputs["healthcheck"]["tests"][-1] == "http://127.0.0.1:80/status"
    assert Bookstack.health_path == "/status"


def test_database_is_found_by_the_wiki_alone() -> None:
    assert [network["name"] for network in DATABASE.inputs["networksAdvanced"]] == ["kitestacks-bookstack"]
    assert [network["name"] for network in WIKI.inputs["networksAdvanced"]] == [
        "kitestacks-edge",
        "kitestacks-bookstack",
    ]


def test_first_step_knows_the_groups_and_hides_the_password() -> None:
    step = plan("monk").recorder.of_type("Command")["bookstack-first-admin"]

    assert step.inputs["create"] == "python3 -m kitestacks step services.bookstack.first_admin"
    assert '"Admin": "kitestacks-admins", "Editor": "kitestacks-users"' in step.inputs["stdin"]
    assert "stdin" in step.secrets
    assert "shared-bookstack.admin-password" not in str({**step.inputs, "stdin": ""})


def test_wiki_lets_its_own_accounts_in_where_the_owner_says_so(files: StackFiles) -> None:
    files.edit("monk", "services.bookstack.login", "password")

    run = run_program("monk", files.folder, references={"kscloud1": foundation_outputs("monk", "kscloud1")})

    assert environment(run.containers()["bookstack"])["AUTH_METHOD"] == "standard"


def test_wiki_without_a_site_has_no_client_and_its_own_accounts(files: StackFiles) -> None:
    for host in ("monk", "kscloud1"):
        files.edit(host, "services.bookstack.site", {"hostname": "wiki.kitestacks.com", "public": True})
    files.edit("kscloud1", "services.bookstack", None).edit("monk", "services.bookstack.data", None)

    run = run_program("monk", files.folder, references={"kscloud1": foundation_outputs("monk", "kscloud1")})

    given = environment(run.containers()["bookstack"])
    assert given["AUTH_METHOD"] == "standard"
    assert not [key for key in given if "OIDC" in key]


def test_copy_on_the_other_host_has_the_same_secrets_and_answers_second() -> None:
    copy = containers_of("bookstack", "kscloud1")["bookstack"]

    assert environment(copy) == environment(WIKI)
    assert copy.inputs["image"] == WIKI.inputs["image"], "an older app on a newer schema breaks"
    made = plan("kscloud1").recorder.of_type("RandomPassword")
    assert {"vault-bookstack-database-password", "vault-bookstack-admin-password"} <= set(made)
    assert not [name for name in plan("monk").recorder.of_type("RandomPassword") if "bookstack" in name]


def test_both_databases_are_told_apart_and_log_for_each_other() -> None:
    said = {host: _options(host) for host in ("monk", "kscloud1")}

    for option in ("--server-id", "--gtid-domain-id", "--auto-increment-offset"):
        assert said["monk"][option] != said["kscloud1"][option], option
    for options in said.values():
        assert "--log-bin" in options
        assert "--log-slave-updates" not in options, "what comes from the other side would go back to it"
        assert int(options["--binlog-expire-logs-seconds"]) > 0, "a log for ever fills the disk"
        assert {"1", "2"} >= {options["--auto-increment-offset"]}
        assert options["--auto-increment-increment"] == "2"


def _options(host: str) -> dict[str, str]:
    command = containers_of("bookstack", host)["bookstack-db"].inputs["command"][1:]
    return {name: value for name, _, value in (option.partition("=") for option in command)}


def test_a_side_is_known_by_its_hosts_name_whatever_else_is_in_the_fleet() -> None:
    alone, renamed = Pair(("kscloud1", "monk"), "monk", "ring"), Pair(("monk", "zurich"), "monk", "ring")

    assert alone.options("monk")[:2] == renamed.options("monk")[:2], "its log would be another's"


def test_wiki_starts_after_its_database_took_part_in_the_ring() -> None:
    recorder = plan("monk").recorder
    step = recorder.of_type("Command")["bookstack-ring"]
    facts = json.loads(step.inputs["environment"]["KITESTACKS_STEP"])

    urn = "urn:pulumi:kscloud1::kitestacks::kitestacks:index:Bookstack$command:local:Command::bookstack-ring"

    assert urn in plan("kscloud1").urns, "the runbook types it"
    assert "bookstack-ring" in recorder.of_type("Container")["bookstack-container"].dependencies
    assert (facts["peer"], facts["address"], facts["port"], facts["first"]) == ("kscloud1", "100.64.0.2", 3306, True)
    assert facts["image"] == WIKI.inputs["image"], "another image runs it again, before the wiki migrates"
    assert "shared-bookstack.replication-password" not in str({**step.inputs, "stdin": ""})


def test_databases_of_both_hosts_reach_each_other_and_nobody_else(files: StackFiles) -> None:
    run = run_program("kscloud1", files.folder)

    policy = json.loads(run.recorder.of_type("Acl")["tailnet-policy"].inputs["acl"])
    ways = {(grant["src"][0], grant["dst"][0]) for grant in policy["grants"] if "tcp:3306" in grant["ip"]}
    assert ways == {("tag:monk", "tag:kscloud1"), ("tag:kscloud1", "tag:monk")}


def test_without_a_ring_a_database_keeps_no_log_and_publishes_nothing(files: StackFiles) -> None:
    for host in ("monk", "kscloud1"):
        files.edit(host, "services.bookstack.data", "manual")

    run = run_program("monk", files.folder, references={"kscloud1": foundation_outputs("monk", "kscloud1")})

    database = run.containers()["bookstack-db"]
    assert "--log-bin" not in database.inputs["command"]
    assert not database.inputs.get("ports")
    assert "bookstack-ring" not in run.recorder.of_type("Command")


def test_read_only_databases_start_closed_and_the_primarys_asks_before_it_opens() -> None:
    said = ("services.bookstack.data", "read-only")
    wiki = {host: containers_in(plan_with(host, said), "bookstack")["bookstack-db"] for host in ("monk", "kscloud1")}

    for database in wiki.values():
        assert "--read-only=1" in database.inputs["command"], "a writer of before that comes back is closed"
    assert wiki["monk"].inputs["healthcheck"]["tests"][4:] == [
        "writes",
        "100.64.0.2",
        "3306",
        "/run/secrets/replication-password",
    ]
    assert "/run/secrets/replication-password" in texts(wiki["monk"])
    assert wiki["kscloud1"].inputs["healthcheck"]["tests"][4:] == ["reads"]
    assert "/run/secrets/replication-password" not in texts(wiki["kscloud1"])


def test_step_of_read_only_is_told_when_the_owner_insists(monkeypatch: pytest.MonkeyPatch, files: StackFiles) -> None:
    for host in ("monk", "kscloud1"):
        files.edit(host, "services.bookstack.data", "read-only").edit(
            host, "services.bookstack.site.primary", "kscloud1"
        )
    facts = []
    for forced in ("", "services.bookstack.site.primary"):
        monkeypatch.setenv("KITESTACKS_FORCE", forced)
        step = run_program("kscloud1", files.folder).recorder.of_type("Command")["bookstack-read-only"]
        facts.append(json.loads(step.inputs["environment"]["KITESTACKS_STEP"]))

    assert [each["insisted"] for each in facts] == [False, True]
    assert all(each["first"] for each in facts)


def test_copies_are_made_on_the_host_that_is_not_the_primary_before_the_wiki_starts() -> None:
    ways = (("services.bookstack.data", "copy"), ("services.bookstack.copy-every", "1h"))
    plans = {host: plan_with(host, *ways) for host in ("monk", "kscloud1")}

    assert "bookstack-copy" not in containers_in(plans["monk"], "bookstack")
    copier = containers_in(plans["kscloud1"], "bookstack")["bookstack-copy"]
    given = environment(copier)
    assert (given["SOURCE"], given["SOURCE_NAME"], given["TARGET"]) == ("100.64.0.1", "monk", "bookstack-db")
    assert given["EVERY"] == "3600"
    assert copier.inputs["image"] == containers_in(plans["kscloud1"], "bookstack")["bookstack-db"].inputs["image"]
    assert [network["name"] for network in copier.inputs["networksAdvanced"]] == ["kitestacks-bookstack"]
    assert texts(copier)[given["WORD"]] not in str({**copier.inputs, "uploads": ""})
    for run in plans.values():
        database = containers_in(run, "bookstack")["bookstack-db"]
        assert "--log-bin" not in database.inputs["command"], "nothing is followed"
        assert "bookstack-copy" in run.recorder.of_type("Container")["bookstack-container"].dependencies


def test_pictures_are_carried_where_a_program_carries_the_data(files: StackFiles) -> None:
    fleet = files.fleet("monk")

    pictures = Pictures.of(fleet)

    assert pictures
    assert (pictures.hosts, pictures.first) == ({"kscloud1": "100.64.0.2", "monk": "100.64.0.1"}, "monk")
    for host in ("monk", "kscloud1"):
        files.edit(host, "services.bookstack.data", "manual")
    assert Pictures.of(files.fleet("monk")) is None


def _xml(settings: str) -> ET.Element:
    return ET.fromstring(settings)  # noqa: S314 - rendered by the program under test


@pytest.mark.parametrize(
    ("way", "types"),
    [("ring", ("sendreceive", "sendreceive")), ("read-only", ("sendonly", "receiveonly"))],
)
def test_primary_alone_sends_where_the_other_side_is_not_written(way: str, types: tuple[str, str]) -> None:
    pictures = Pictures(hosts={"kscloud1": "100.64.0.2", "monk": "100.64.0.1"}, first="monk", way=way)

    for host, wanted in zip(("monk", "kscloud1"), types, strict=True):
        folders = _xml(pictures.settings(host, "seed")).findall("folder")
        assert [folder.get("id") for folder in folders] == ["uploads", "images", "files", "themes"]
        assert {folder.get("type") for folder in folders} == {wanted}


def test_each_side_names_the_other_and_dials_it_at_its_private_address() -> None:
    devices = {host: Device.of(host, SEED).id for host in ("monk", "kscloud1")}
    settings = _xml(texts(CARRIER)["/etc/kitestacks/sync.xml"])

    assert {each.get("id"): each.findtext("address") for each in settings.findall("device")} == {
        devices["monk"]: None,
        devices["kscloud1"]: "tcp://100.64.0.2:22000",
    }
    assert [each.text for each in settings.iter("listenAddress")] == ["tcp4://0.0.0.0:22000"]


def test_key_is_made_from_the_shared_secret_and_is_a_private_file_alone() -> None:
    device = Device.of("monk", SEED)

    assert device == Device.of("monk", SEED), "a plan would differ each time"
    assert len({device.id, Device.of("kscloud1", SEED).id, Device.of("monk", "other").id}) == 3
    assert texts(CARRIER)["/run/secrets/sync-key.pem"] == device.key
    assert texts(CARRIER)["/etc/kitestacks/sync-certificate.pem"] == device.certificate
    shown = {key: value for key, value in CARRIER.inputs.items() if key != "uploads"}
    assert "PRIVATE" not in str(shown)
    assert "uploads" in CARRIER.secrets
    assert Bookstack.secrets["sync-seed"].shared


def test_id_is_the_one_that_syncthing_shows_for_the_certificate() -> None:
    """What `syncthing device-id` of 2.1.3 said of this very certificate."""
    assert Device.of("monk", "seed").id == "ZOMSA4X-SRQ4NGX-SL7ZAIF-5KICGLD-ZW4KHZK-2677L7A-3JU4IBM-KBHMYQA"


def test_carrier_sees_the_uploads_and_nothing_else_of_the_wiki() -> None:
    data = "/home/kite/kitestacks-live/docker"
    sources = {mount["target"]: mount["source"] for mount in CARRIER.inputs["mounts"]}

    assert {target for target in sources if target.startswith("/wiki")} == {
        f"/wiki/{folder}" for folder in ("uploads", "images", "files", "themes")
    }
    assert sources["/wiki/uploads"] == f"{data}/bookstack/www/uploads"
    assert CARRIER.inputs["capabilities"]["adds"] == []
    assert [each["name"] for each in CARRIER.inputs["networksAdvanced"]] == ["kitestacks-bookstack-sync"]


def test_carriers_of_both_hosts_reach_each_other_and_nobody_else(files: StackFiles) -> None:
    run = run_program("kscloud1", files.folder)

    policy = json.loads(run.recorder.of_type("Acl")["tailnet-policy"].inputs["acl"])
    ways = {(grant["src"][0], grant["dst"][0]) for grant in policy["grants"] if "tcp:22000" in grant["ip"]}
    assert ways == {("tag:monk", "tag:kscloud1"), ("tag:kscloud1", "tag:monk")}
    assert [port["internal"] for port in DATABASE.inputs["ports"]] == [3306]
    assert [port["internal"] for port in CARRIER.inputs["ports"]] == [22000]


def test_without_a_program_that_carries_the_data_there_is_no_carrier(files: StackFiles) -> None:
    for host in ("monk", "kscloud1"):
        files.edit(host, "services.bookstack.data", "manual").edit(host, "services.bookstack.sync-image", None)

    run = run_program("monk", files.folder, references={"kscloud1": foundation_outputs("monk", "kscloud1")})

    assert "bookstack-sync" not in run.containers()


def test_carrier_is_asked_for_on_each_host_that_lacks_it(files: StackFiles) -> None:
    for host in ("monk", "kscloud1"):
        files.edit(host, "services.bookstack.sync-image", None)

    said = _refused(files)

    rule = "must be there: with `data: ring` Syncthing carries the pictures between the hosts"
    way_out = "(add `sync-image: syncthing/syncthing:2.1.3`)"
    assert f"  services.bookstack.sync-image: {rule} {way_out}" in said
    assert f"Pulumi.monk.yaml: services.bookstack.sync-image: {rule} {way_out}" in said


def _refused(files: StackFiles) -> str:
    with pytest.raises(ProgramError) as caught:
        run_program("kscloud1", files.folder)
    return str(caught.value)


def test_ring_is_said_alike_on_both_hosts(files: StackFiles) -> None:
    files.edit("monk", "services.bookstack.data", "manual")

    said = _refused(files)

    assert "services.bookstack.data: must be the same in every file, got 'ring' on kscloud1 and 'manual' on mo" in said
    assert "(for example `data: ring` in each)" in said


def test_ring_has_two_sides(files: StackFiles) -> None:
    third = (files.folder / "Pulumi.monk.yaml").read_text().replace("100.64.0.1", "100.64.0.3")
    (files.folder / "Pulumi.attic.yaml").write_text(third)

    assert "must stand on 2 hosts for `data: ring`, got kscloud1 and attic and monk" in _refused(files)


def test_nothing_that_carries_the_data_is_refused_with_the_best_way_first(files: StackFiles) -> None:
    for host in ("monk", "kscloud1"):
        files.edit(host, "services.bookstack.data", None)

    assert (
        "(write `data: ring` or `data: read-only` or `data: copy` or `data: manual` if somebody carries it, or"
        in _refused(files)
    )


def test_line_of_the_site_says_how_old_the_other_hosts_data_may_be() -> None:
    assert plan("monk").outputs["sites"]["wiki.kitestacks.com"]["data"].startswith("data: ring, ")
