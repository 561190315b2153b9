"""Authentik: what its facts demand of both containers, and that no secret of the login is where it should not be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from components.errors import ProgramError
from components.fleet import Fleet
from components.login import OidcClient, ProxyLogin
from tests.blueprint_reader import Reader
from tests.recorder import ROOT, foundation_outputs, run_program
from tests.services.plans import STACKS, containers_of, environment, plan
from tests.services.plans import files as files_of
from tests.stack_files import StackFiles

if TYPE_CHECKING:
    from tests.recorder import Recorded

FOLDER = "/blueprints/custom/kitestacks"
OWN = "tests/services/blueprints"
EVERYWHERE = [(stack, role) for stack in STACKS for role in ("server", "worker")]


def container(stack: str, role: str) -> Recorded:
    return containers_of("authentik", stack)[f"authentik-{role}"]


def steps(stack: str) -> dict[str, Recorded]:
    found = plan(stack).recorder.of_type("Command")
    return {name: step for name, step in found.items() if name.startswith("authentik-") and "-db" not in name}


def fleet() -> Fleet:
    """What the real stack files declare."""
    return StackFiles(ROOT).fleet("kscloud1")


@pytest.mark.parametrize(("stack", "role"), EVERYWHERE)
class TestBothRoles:
    def test_is_told_which_it_is_and_asks_itself_how_it_is(self, stack: str, role: str) -> None:
        inputs = container(stack, role).inputs
        assert inputs["command"] == [role], "without one it prints its help and ends"
        assert inputs["healthcheck"]["tests"] == ["CMD", "ak", "healthcheck"], "there is no curl, perhaps no shell"

    def test_runs_as_its_own_user_without_rights_or_the_daemon(self, stack: str, role: str) -> None:
        inputs = container(stack, role).inputs
        assert inputs["user"] == "1000"
        assert inputs["capabilities"]["adds"] == []
        assert [mount["target"] for mount in inputs["mounts"]] == ["/data", "/certs", "/templates"]
        assert inputs["shmSize"] == 512

    def test_listens_where_a_host_without_ipv6_can_reach_it(self, stack: str, role: str) -> None:
        env = environment(container(stack, role))
        assert env["AUTHENTIK_LISTEN__HTTP"] == "0.0.0.0:9000"
        assert env["AUTHENTIK_LISTEN__METRICS"] == "0.0.0.0:9300"
        assert env["AUTHENTIK_WEB__BASE_URL"] == "https://auth.kitestacks.com"

    def test_trusts_docker_and_the_hosts_of_the_fleet_alone(self, stack: str, role: str) -> None:
        trusted = environment(container(stack, role))["AUTHENTIK_LISTEN__TRUSTED_PROXY_CIDRS"].split(",")
        assert {"172.16.0.0/12", "100.64.0.1/32", "100.64.0.2/32"} <= set(trusted)
        assert "100.64.0.0/10" not in trusted, "any device of the tailnet could say who it is"

    def test_reads_its_secrets_from_files(self, stack: str, role: str) -> None:
        env, given = environment(container(stack, role)), files_of(container(stack, role))
        assert env["AUTHENTIK_SECRET_KEY"] == "file:///run/secrets/secret-key"  # noqa: S105 - a path
        assert env["AUTHENTIK_POSTGRESQL__PASSWORD"] == "file:///run/secrets/database-password"  # noqa: S105
        assert {"/run/secrets/secret-key", "/run/secrets/database-password"} <= set(given)
        assert not [key for key in env if "BOOTSTRAP" in key or "REDIS" in key]

    def test_is_on_the_edge_for_visitors_and_figures(self, stack: str, role: str) -> None:
        networks = {each["name"] for each in container(stack, role).inputs["networksAdvanced"]}
        assert "kitestacks-edge" in networks


@pytest.mark.parametrize("role", ["server", "worker"])
def test_database_is_found_by_one_name_wherever_it_stands(role: str) -> None:
    here, there = container("kscloud1", role), container("monk", role)

    for each in (here, there):
        assert environment(each)["AUTHENTIK_POSTGRESQL__HOST"] == "authentik-db"
        assert environment(each)["AUTHENTIK_POSTGRESQL__SSLMODE"] == "disable"
    assert not here.inputs.get("hosts")
    assert "kitestacks-authentik-db" in {each["name"] for each in here.inputs["networksAdvanced"]}
    assert there.inputs["hosts"] == [{"host": "authentik-db", "ip": "100.64.0.2"}]
    assert {each["name"] for each in there.inputs["networksAdvanced"]} == {"kitestacks-edge"}


def test_keys_are_the_same_on_both_hosts() -> None:
    made = plan("kscloud1").recorder.of_type("RandomPassword")
    shared = {f"vault-authentik-{name}" for name in ("secret-key", "admin-password", "api-token")}

    assert shared <= set(made)
    assert not shared & set(plan("monk").recorder.of_type("RandomPassword"))
    assert made["vault-authentik-secret-key"].inputs["length"] >= 50


def test_secret_key_can_not_be_rotated(files: StackFiles) -> None:
    files.edit("kscloud1", "services.authentik.rotate", {"secret-key": 2})

    with pytest.raises(ProgramError, match=r"rotate\.secret-key: can't be made anew"):
        run_program("kscloud1", files.folder)


def test_login_is_the_same_on_both_hosts_and_only_the_workers() -> None:
    texts = {files_of(container(stack, "worker"))[f"{FOLDER}/login.yaml"] for stack in STACKS}

    assert len(texts) == 1
    for stack in STACKS:
        assert not [path for path in files_of(container(stack, "server")) if path.startswith("/blueprints")]


@pytest.mark.parametrize("stack", STACKS)
def test_worker_has_every_file_that_a_blueprint_names_and_only_it(stack: str) -> None:
    worker, server = files_of(container(stack, "worker")), files_of(container(stack, "server"))
    texts = [text for path, text in worker.items() if path.startswith(FOLDER)]
    named = {path for text in texts for path in Reader.of(text).tags("File")}
    own = {"/run/secrets/secret-key", "/run/secrets/database-password"}

    assert {path for path in worker if path.startswith("/run/secrets/")} == named | own
    assert set(server) == own
    for upload in container(stack, "worker").inputs["uploads"]:
        expected = "0440" if upload["file"].startswith("/run/secrets/") else "0444"
        assert upload["permissions"] == expected, upload["file"]


@pytest.mark.parametrize("stack", STACKS)
def test_blueprint_holds_no_secret(stack: str) -> None:
    given = files_of(container(stack, "worker"))
    secrets = [text for path, text in given.items() if path.startswith("/run/secrets/")]

    for path in (path for path in given if path.startswith(FOLDER)):
        assert not [secret for secret in secrets if secret in given[path]]


def test_every_declared_login_is_in_the_blueprint_and_leads_somewhere() -> None:
    reader = Reader.of(files_of(container("kscloud1", "worker"))[f"{FOLDER}/login.yaml"])
    sites = {site.service: site for site in fleet().sites if site.login}
    of_kind: dict[str, Any] = {
        "authentik_providers_oauth2.oauth2provider": OidcClient,
        "authentik_providers_proxy.proxyprovider": ProxyLogin,
    }

    for model, kind in of_kind.items():
        expected = {name for name, site in sites.items() if isinstance(site.login, kind)}
        assert {each["identifiers"]["name"].removeprefix("KiteStacks ") for each in reader.of_model(model)} == expected
    assert {each["identifiers"]["slug"] for each in reader.of_model("authentik_core.application")} == set(sites)
    assert reader.dangling() == []


@pytest.mark.parametrize("stack", STACKS)
def test_steps_apply_the_blueprints_in_the_worker_and_run_again_when_one_changes(stack: str) -> None:
    found = steps(stack)
    names = {"kscloud1": ["login", "first-admin"], "monk": ["login"]}[stack]

    assert set(found) == {"authentik-folders", *(f"authentik-{name}" for name in names)}
    for name in names:
        step = found[f"authentik-{name}"]
        assert step.inputs["create"] == step.inputs["update"]
        assert "services.authentik.apply_blueprint" in step.inputs["create"]
        assert f"custom/kitestacks/{name}.yaml" in step.inputs["environment"]["KITESTACKS_STEP"]
        assert "stdin" in step.secrets


@pytest.mark.parametrize(
    ("edit", "maker"),
    [
        (("monk", "services.authentik.image", "authentik:1"), "kscloud1"),
        (("kscloud1", "services.authentik", None), "monk"),
    ],
    ids=["beside the database", "where else there is one"],
)
def test_one_host_makes_the_first_administrator(edit: tuple[str, str, Any], maker: str, files: StackFiles) -> None:
    files.edit(*edit)
    if edit[2] is None:
        files.edit("monk", "services.authentik.site.shared", None)
    references = {"kscloud1": foundation_outputs("monk", "kscloud1")}
    runs = {stack: run_program(stack, files.folder, references=references) for stack in STACKS}

    makers = {stack for stack, run in runs.items() if "authentik-first-admin" in run.recorder.of_type("Command")}
    assert makers == {maker}
    for stack, run in runs.items():
        workers = [each for name, each in run.containers().items() if name == "authentik-worker"]
        assert [path for each in workers for path in files_of(each) if "admin-password" in path] == (
            ["/run/secrets/admin-password"] if stack == maker else []
        )


def test_owners_blueprint_reaches_the_worker(files: StackFiles) -> None:
    files.edit("kscloud1", "services.authentik.blueprints", [f"{OWN}/welcome.yaml"])

    worker = run_program("kscloud1", files.folder).containers()["authentik-worker"]

    uploads = {upload["file"]: upload for upload in worker.inputs["uploads"]}
    text = (ROOT / OWN / "welcome.yaml").read_text()
    assert uploads["/blueprints/custom/welcome.yaml"]["content"] == text


@pytest.mark.parametrize(
    ("paths", "says"),
    [
        ([f"{OWN}/gone.yaml"], "services.authentik.blueprints: must be a file in the project's folder, got"),
        ([f"{OWN}/welcome.yml"], "services.authentik.blueprints: must end in .yaml, Authentik finds no other, got"),
        (["../../etc/hosts.yaml"], "services.authentik.blueprints: must be a file in the project's folder, got"),
        ([f"{OWN}/torn.yaml"], "services.authentik.blueprints: must be YAML, got"),
        ([f"{OWN}/welcome.yaml"] * 2, "services.authentik.blueprints: must have names of their own, got welcome.yaml"),
    ],
    ids=["missing", "other ending", "outside", "no YAML", "twice"],
)
def test_a_blueprint_that_authentik_could_not_read_is_refused(paths: list[str], says: str, files: StackFiles) -> None:
    files.edit("kscloud1", "services.authentik.blueprints", paths)

    with pytest.raises(ProgramError) as refused:
        run_program("kscloud1", files.folder)

    assert says in str(refused.value)


def test_without_its_database_it_is_refused(files: StackFiles) -> None:
    files.edit("kscloud1", "services.authentik-db", None).edit("monk", "services.authentik-db", None)

    with pytest.raises(ProgramError, match=r"services\.authentik: must have authentik-db on some host"):
        run_program("kscloud1", files.folder)


def test_figures_are_published_where_another_host_asks_for_them(
    files: StackFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fleet, "ports_for_others", lambda _, service: (9301, 9302) if service == "authentik" else ())

    found = run_program("monk", files.folder, references={"kscloud1": foundation_outputs("monk", "kscloud1")})

    published = {
        role: [
            (port["ip"], port["external"], port["internal"])
            for port in found.containers()[f"authentik-{role}"].inputs["ports"]
        ]
        for role in ("server", "worker")
    }
    assert published == {"server": [("100.64.0.1", 9301, 9300)], "worker": [("100.64.0.1", 9302, 9300)]}
