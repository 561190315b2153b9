"""backup and backup-server on both hosts: who saves where, what is saved, and who knows which word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from components import backup_runner
from components.backup_runner.plan import Plan
from components.contract import check_files
from components.errors import ProgramError
from components.services import KNOWN_SERVICES
from components.services.backup_server import htpasswd_line
from tests.recorder import foundation_outputs, run_program
from tests.services.plans import STACKS, containers_of, environment, plan
from tests.services.plans import files as files_of

if TYPE_CHECKING:
    from tests.recorder import Recorded
    from tests.stack_files import StackFiles

OTHER = {"monk": "kscloud1", "kscloud1": "monk"}
ADDRESS = {"monk": "100.64.0.1", "kscloud1": "100.64.0.2"}


def _saver(stack: str) -> Recorded:
    return containers_of("backup", stack)["backup"]


def _keeper(stack: str) -> Recorded:
    return containers_of("backup-server", stack)["backup-server"]


def _plan(stack: str) -> dict[str, Any]:
    return dict(json.loads(files_of(_saver(stack))["/etc/backup/plan.json"]))


@pytest.mark.parametrize("stack", STACKS)
def test_each_host_saves_to_the_other_under_its_own_name(stack: str) -> None:
    assert _plan(stack)["repository"] == f"rest:http://{ADDRESS[OTHER[stack]]}:8000/{stack}/"
    users = files_of(_keeper(OTHER[stack]))["/run/secrets/htpasswd"]
    word = files_of(_saver(OTHER[stack]))["/run/secrets/upload-password"]
    assert users == htpasswd_line(stack, word)


@pytest.mark.parametrize("stack", STACKS)
def test_who_sends_can_only_add_and_only_to_its_own(stack: str) -> None:
    keeper = _keeper(stack)

    assert environment(keeper)["OPTIONS"] == "--append-only --private-repos"
    assert keeper.inputs["ports"] == [{"internal": 8000, "external": 8000, "ip": ADDRESS[stack], "protocol": "tcp"}]
    assert keeper.inputs["user"] == "65532:65532"


@pytest.mark.parametrize("stack", STACKS)
def test_each_host_proves_what_it_keeps_and_shows_its_own_to_the_other(stack: str) -> None:
    told = _plan(stack)

    assert told["proves"] == [OTHER[stack]]
    assert set(told["keeps"]) == {OTHER[stack]}
    assert set(told["keeps"][OTHER[stack]]) == set(_plan(OTHER[stack])["services"])
    assert told["shown"] is True


def test_host_that_may_not_prove_others_is_given_nothing_that_opens_their_backup(files: StackFiles) -> None:
    files.edit("kscloud1", "services.backup.prove-others", False)
    here, there = _deployed(files, "kscloud1"), _deployed(files, "monk")

    assert json.loads(here["/etc/backup/plan.json"])["proves"] == []
    assert json.loads(there["/etc/backup/plan.json"])["proves"] == ["kscloud1", "monk"], "it proves its own at home"
    assert json.loads(there["/etc/backup/plan.json"])["shown"] is False, "a key that opens it there would be added"
    files.edit("monk", "services.backup.prove-others", False)
    for stack in STACKS:
        told = _deployed(files, stack)
        assert json.loads(told["/etc/backup/plan.json"])["proves"] == [stack]
        assert "/run/secrets/proving-password" not in told


def test_only_services_that_say_why_are_proven_without_their_app() -> None:
    said = {name: kept["not_alone"] for stack in STACKS for name, kept in _plan(stack)["services"].items()}

    assert {name for name, why in said.items() if why} == {"authentik", "portainer"}


def _deployed(files: StackFiles, stack: str) -> dict[str, str]:
    """The files of a host's `backup`, by their path."""
    references = {"kscloud1": foundation_outputs("monk", "kscloud1")} if stack != "kscloud1" else None
    backup = run_program(stack, files.folder, references=references).containers()["backup"]
    return {each["file"]: str(each["content"]) for each in backup.inputs["uploads"]}


def test_what_opens_a_backup_is_made_by_its_own_host_and_given_to_one_container(files: StackFiles) -> None:
    fleet = files.fleet("kscloud1")
    words = {"backup.password", "backup.recovery-password"}

    assert words <= set(fleet.own_secrets)
    assert not words & set(fleet.shared_secrets), "the foundation would know what opens the other hosts' backups"
    for stack in STACKS:
        others = {name: each for name, each in plan(stack).containers().items() if name != "backup"}
        made = {files_of(_saver(stack))[f"/run/secrets/{word}-password"] for word in ("repository", "recovery")}
        assert len(made) == 2
        assert not [name for name, each in others.items() for text in files_of(each).values() if str(text) in made]


@pytest.mark.parametrize("stack", STACKS)
def test_all_that_the_services_keep_is_in_the_plan_and_nothing_else(stack: str, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(files_of(_saver(stack))["/etc/backup/plan.json"])
    read = Plan.read(tmp_path / "plan.json")
    names = {
        label["value"]
        for each in plan(stack).containers().values()
        for label in each.inputs["labels"]
        if label["label"] == "kitestacks.service"
    }

    assert set(read.services) == {name for name in names if not KNOWN_SERVICES[name].backup.disposable}
    for name, kept in read.services.items():
        assert kept.folders == KNOWN_SERVICES[name].backup.folders
        assert len(kept.databases) == len(KNOWN_SERVICES[name].backup.dumps)
        assert {each.container for each in kept.databases} <= set(plan(stack).containers())
    assert read.metrics == "/data/node-exporter/backup/backup.prom"


@pytest.mark.parametrize("stack", STACKS)
def test_its_words_are_private_files_and_its_program_is_there_in_full(stack: str) -> None:
    uploads = {each["file"]: each["permissions"] for each in _saver(stack).inputs["uploads"]}

    assert {file: mode for file, mode in uploads.items() if file.startswith("/run/secrets/")} == {
        f"/run/secrets/{word}-password": "0440" for word in ("repository", "recovery", "proving", "upload")
    }
    for module in Path(backup_runner.__file__).parent.glob("*.py"):
        assert f"/usr/local/lib/kitestacks/components/backup_runner/{module.name}" in uploads
    assert environment(_saver(stack))["PYTHONPATH"] == "/usr/local/lib/kitestacks"
    assert _saver(stack).inputs["command"] == ["/etc/backup/crontab"]


def test_schedule_is_the_settings(files: StackFiles) -> None:
    files.edit("kscloud1", "services.backup.save-at", "0 1 * * *")
    crontab = next(
        upload["content"]
        for upload in run_program("kscloud1", files.folder).containers()["backup"].inputs["uploads"]
        if upload["file"] == "/etc/backup/crontab"
    )

    assert crontab.splitlines() == [
        "0 1 * * * python3 -m components.backup_runner --wait save",
        "15 4 * * 0 python3 -m components.backup_runner --wait check",
        "15 5 1 * * python3 -m components.backup_runner --wait drill",
    ]


def test_recovery_password_is_shown_to_its_owner() -> None:
    secrets = KNOWN_SERVICES["backup"].secrets

    assert secrets["recovery-password"].typed
    assert secrets["password"].fixed
    assert secrets["recovery-password"].fixed


def test_figures_reach_node_exporter() -> None:
    (exporter,) = containers_of("node-exporter", "monk").values()

    assert "--collector.textfile.directory=/textfile/*" in exporter.inputs["command"]
    assert ("/home/kite/kitestacks-live/docker/node-exporter", "/textfile") in {
        (mount["source"], mount["target"]) for mount in exporter.inputs["mounts"]
    }


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ({"kscloud1.services.backup-server": None}, "a backup on its own host burns with it"),
        ({"monk.services.backup.to": "monk"}, "must name another host that has backup-server, got 'monk'"),
        ({"monk.services.backup.to": "attic"}, "hosts that have one: kscloud1"),
    ],
)
def test_backup_that_stays_at_home_is_refused(files: StackFiles, edits: dict[str, Any], message: str) -> None:
    for path, value in edits.items():
        stack, _, rest = path.partition(".")
        files.edit(stack, rest, value)

    with pytest.raises(ProgramError, match=message):
        check_files(files.fleet("monk"))


def test_third_keeper_has_to_be_chosen(files: StackFiles) -> None:
    files.add_host("attic").edit("attic", "services.backup-server", {"image": "restic/rest-server:0.14.0"})

    with pytest.raises(ProgramError, match="must say which host keeps the backup: attic and kscloud1 could"):
        check_files(files.fleet("monk"))


def test_second_copy_needs_the_owners_key(files: StackFiles) -> None:
    files.edit("monk", "services.backup.copy-to", {"repository": "s3:https://s3.example.org/kite"})
    run = run_program("monk", files.folder, references={"kscloud1": foundation_outputs("monk", "kscloud1")})
    uploads = {each["file"]: each["content"] for each in run.containers()["backup"].inputs["uploads"]}

    assert json.loads(uploads["/etc/backup/plan.json"])["copy_to"] == "s3:https://s3.example.org/kite"
    assert uploads["/run/secrets/copy-id"] == "given-backup-copy-id"
    assert uploads["/run/secrets/copy-key"] == "given-backup-copy-key"
