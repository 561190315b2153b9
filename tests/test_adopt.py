"""Taking over an installation made by hand: what is found, and what each finding says."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

import pytest

from components.services import KNOWN_SERVICES
from kitestacks import adopt
from kitestacks.adopt import as_json, as_text
from kitestacks.adopting.declared import Declared
from kitestacks.adopting.plan import When
from kitestacks.exits import CommandError, Exit
from tests.adopt_world import (
    DATA,
    GIVEN,
    OURS,
    WIKI,
    WIKI_DB,
    adoption,
    bind,
    container,
    preview_of_monk,
    volume,
    wiki,
    wiki_db,
)
from tests.stack_files import ROOT as PROJECT
from tests.stack_files import StackFiles

if TYPE_CHECKING:
    from pathlib import Path

    from kitestacks.adopting.plan import Plan

NEW_WITH_THE_PROGRAM = {
    "bookstack.replication-password",
    *(f"backup.{word}" for word in ("password", "recovery-password", "proving-password")),
}
"""Secrets of what an installation made by hand does not have."""


@pytest.fixture
def preview() -> dict[str, Any]:
    """The real program's plan for monk."""
    return preview_of_monk()


@pytest.fixture
def declared(preview: dict[str, Any]) -> Declared:
    """The real plan, with the wiki's fixed secrets given."""
    return Declared.of_preview(StackFiles(PROJECT).fleet("monk"), preview, given=GIVEN)


def findings(plan: Plan) -> dict[str, tuple[When, str]]:
    return {each.problem.path: (each.when, f"{each.problem.rule} ({each.problem.way_out})") for each in plan.findings}


def test_an_equal_installation_has_nothing_to_settle(declared: Declared) -> None:
    plan = adoption(declared, wiki(), wiki_db(), owners={f"{DATA}/bookstack-db": "999:999"}).plan()
    assert [pair.new.name for pair in plan.pairs] == ["bookstack", "bookstack-db"], "the database goes last"
    assert not plan.at(When.BEFORE)
    assert not plan.at(When.STOPPED)


IN_CONTAINER = {"mounts": [], "written": ["/config", "/config/www/uploads"]}
OLD_POSTGRES = {"mounts": [bind(f"{DATA}/authentik-db", "/var/lib/postgresql/data")], "env": ["POSTGRES_PASSWORD=x"]}
COMPOSE = {"com.docker.compose.project": "wiki", "com.docker.compose.project.config_files": "/srv/wiki/compose.yml"}
ALL_ADDRESSES = {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "6875"}]}
BAD: dict[str, tuple[list[dict[str, Any]], str, When, list[str]]] = {
    "older image": (
        [wiki(image="lscr.io/linuxserver/bookstack:v25.12.1-ls200")],
        "services.bookstack.image",
        When.BEFORE,
        ["an upgrade is a step of its own", "services.bookstack.image: lscr.io/linuxserver/bookstack:v25.12.1-ls200"],
    ),
    "no tag to keep": (
        [wiki(image="lscr.io/linuxserver/bookstack:latest")],
        "services.bookstack.image",
        When.BEFORE,
        ["docker image inspect lscr.io/linuxserver/bookstack:latest"],
    ),
    "another image": (
        [wiki(image="solidnerd/book-stack:26.05")],
        "services.bookstack.image",
        When.BEFORE,
        ["another program's image"],
    ),
    "other major version": (
        [container("authentik-db", "postgres:16-alpine", **OLD_POSTGRES)],
        "services.authentik-db.image.major",
        When.BEFORE,
        ["PostgreSQL 18 does not open the data of 16"],
    ),
    "mount path of before 18": (
        [container("authentik-db", "postgres:18.6-trixie", **OLD_POSTGRES)],
        "authentik-db.mounts./var/lib/postgresql",
        When.STOPPED,
        ["begin anew", f"sudo mkdir -p {DATA}/authentik-db/18 &&", f"{DATA}/authentik-db/18/docker"],
    ),
    "named volume": (
        [wiki_db(mounts=[volume("wiki_db", "/var/lib/mysql")])],
        "bookstack-db.mounts./var/lib/mysql",
        When.STOPPED,
        ["the volume wiki_db", f"cp -a /var/lib/docker/volumes/wiki_db/_data/. {DATA}/bookstack-db/"],
    ),
    "unnamed volume": (
        [wiki_db(mounts=[volume("ab" * 32, "/var/lib/mysql")])],
        "bookstack-db.mounts./var/lib/mysql",
        When.STOPPED,
        ["an unnamed volume"],
    ),
    "another folder": (
        [wiki(mounts=[bind("/srv/wiki", "/config")])],
        "bookstack.mounts./config",
        When.STOPPED,
        [f"cp -a /srv/wiki/. {DATA}/bookstack/"],
    ),
    "data inside": ([wiki(**IN_CONTAINER)], "bookstack.mounts./config", When.BEFORE, ["in the container alone"]),
    "deleted when stopped": ([wiki(rm=True)], "bookstack.rm", When.BEFORE, ["started with --rm"]),
    "name of the set-aside one": (
        [wiki(), container("bookstack.before", WIKI)],
        "bookstack.before",
        When.BEFORE,
        ["docker rename bookstack.before"],
    ),
    "compose": (
        [wiki(labels=COMPOSE)],
        "bookstack.compose",
        When.LATER,
        ["down -v", "mv /srv/wiki/compose.yml /srv/wiki/compose.yml.before"],
    ),
    "public port": ([wiki(ports=ALL_ADDRESSES)], "bookstack.ports", When.LATER, ["on all addresses", "6875"]),
    "second writer": (
        [wiki(), container("old-wiki", WIKI, mounts=[bind(f"{DATA}/bookstack", "/config")])],
        "old-wiki.mounts./config",
        When.BEFORE,
        ["two programs on one folder", "docker stop -t 120 old-wiki"],
    ),
    "port of another": (
        [wiki(), container("old-db", WIKI_DB, ports={"3306/tcp": [{"HostIp": "", "HostPort": "3306"}]})],
        "old-db.ports.3306",
        When.BEFORE,
        ["bookstack-db needs"],
    ),
    "mounted for nothing": (
        [wiki(mounts=[bind(f"{DATA}/bookstack", "/config"), bind("/srv/themes", "/themes")])],
        "bookstack.mounts./themes",
        When.LATER,
        ["/srv/themes is not taken over"],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_each_danger_is_found_with_its_way_out(declared: Declared, case: str) -> None:
    containers, path, when, words = BAD[case]
    found = findings(adoption(declared, *containers).plan())
    assert found[path][0] is when
    for word in words:
        assert word in found[path][1]
    assert path not in findings(adoption(declared, wiki(), wiki_db()).plan()), "it is not found where it is not"


def test_a_digest_counts_and_a_mirror_does_not(declared: Declared, preview: dict[str, Any]) -> None:
    mirrored = adoption(declared, wiki(image=f"mirror.example/{WIKI.rpartition('/')[2]}")).plan()
    assert "services.bookstack.image" not in findings(mirrored)
    digest = f"sha256:{'7' * 64}"
    pinned = json.loads(json.dumps(preview).replace(WIKI, f"{WIKI}@{digest}"))
    by_digest = adoption(Declared.of_preview(declared.fleet, pinned, given=GIVEN), wiki(image="other:latest"))
    assert "services.bookstack.image" in findings(by_digest.plan())
    by_digest.client.api.digests = {"other:latest": [f"other@{digest}"]}
    assert "services.bookstack.image" not in findings(by_digest.plan())


def test_owners_of_folders_are_compared_and_only_of_what_is_taken_over(declared: Declared) -> None:
    owners = {f"{DATA}/bookstack-db": "1000:1000", f"{DATA}/grafana": "1000:1000"}
    found = findings(adoption(declared, wiki(), wiki_db(), owners=owners).plan())
    assert found["host.data.bookstack-db"][0] is When.STOPPED
    assert f"sudo chown -R 999:999 {DATA}/bookstack-db" in found["host.data.bookstack-db"][1]
    assert "host.data.grafana" not in found


def test_a_network_of_the_same_name_is_found_unless_it_is_ours(declared: Declared) -> None:
    taken = adoption(declared, wiki())
    taken.client.api.nets = [{"Name": "kitestacks-edge", "Labels": {}}, {"Name": "bridge", "Labels": None}]
    assert findings(taken.plan())["networks.kitestacks-edge"][0] is When.BEFORE
    taken.client.api.nets = [{"Name": "kitestacks-edge", "Labels": OURS}]
    assert "networks.kitestacks-edge" not in findings(taken.plan())


def test_what_encrypts_data_must_be_given_and_is_never_shown(preview: dict[str, Any]) -> None:
    bare = Declared.of_preview(StackFiles(PROJECT).fleet("monk"), preview)
    plan = adoption(bare, wiki(), wiki_db()).plan()
    found = findings(plan)
    when, text = found["secret:bookstack.app-key"]
    assert when is When.BEFORE
    pipe = "docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' bookstack | sed -n 's/^APP_KEY=//p'"
    assert f"{pipe} | pulumi config set --secret secret:bookstack.app-key -s kscloud1" in text, "shared: the foundation"
    assert found["secret:bookstack.database-root-password"][0] is When.BEFORE
    assert found["secret:bookstack.database-password"][0] is When.LATER
    shown = "\n".join(as_text(bare, plan)) + json.dumps(as_json(bare, plan))
    assert "do-not-show" not in shown + repr(plan)


def test_a_secret_in_a_file_is_read_from_there_and_a_hidden_one_is_asked_for(preview: dict[str, Any]) -> None:
    bare = Declared.of_preview(StackFiles(PROJECT).fleet("monk"), preview)
    in_file = findings(adoption(bare, wiki(env=["FILE__APP_KEY=/run/secrets/key"])).plan())
    assert "docker exec bookstack cat /run/secrets/key | pulumi" in in_file["secret:bookstack.app-key"][1]
    nowhere = findings(adoption(bare, container("forgejo", "codeberg.org/forgejo/forgejo:16.0.3-rootless")).plan())
    when, text = nowhere["secret:forgejo.secret-key"]
    assert when is When.BEFORE
    assert "stands in no variable" in text
    assert "-s monk" in text


def test_the_programs_own_and_strangers_are_left_alone(declared: Declared) -> None:
    there = adoption(declared, wiki(labels=OURS), container("pihole", "pihole/pihole:2026.1"))
    plan = there.plan()
    assert not plan.pairs
    assert [each.name for each in plan.others] == ["pihole"]
    there.do(plan, copy=True)
    assert there.client.api.done == []


def test_without_an_engine_the_files_say_less_and_nothing_is_done() -> None:
    fleet = StackFiles(PROJECT).fleet("monk")
    there = adoption(Declared.of_files(fleet, doubt="pulumi is not on PATH"), wiki(image="bookstack:v1"), wiki_db())
    plan = there.plan()
    assert "services.bookstack.image" in findings(plan)
    assert "pulumi is not on PATH" in next(iter(as_text(there.declared, plan)))
    with pytest.raises(CommandError, match="what would be made has to be known"):
        there.do(plan, copy=True)
    assert there.client.api.done == []


def test_after_up_the_plan_tells_whether_the_new_ones_are_well(declared: Declared) -> None:
    new = wiki(labels=OURS, more_state={"Health": {"Status": "unhealthy"}})
    there = adoption(declared, new, container("bookstack.before", WIKI, state="exited"))
    text = "\n".join(as_text(declared, there.plan()))
    assert "bookstack  unhealthy" in text
    assert "--back" in text
    new["State"]["Health"]["Status"] = "healthy"
    assert "docker rm bookstack.before  (without -v)" in "\n".join(as_text(declared, there.plan()))


def test_every_adopted_secret_is_one_that_the_service_has() -> None:
    strange = {
        f"{name}.{key}"
        for name, service in KNOWN_SERVICES.items()
        for key, variables in service.adopts.items()
        if key not in service.secrets or not variables
    }
    assert not strange
    forgotten = {
        f"{name}.{key}"
        for name, service in KNOWN_SERVICES.items()
        for key, secret in service.secrets.items()
        if secret.fixed and key not in service.adopts
    }
    assert forgotten == NEW_WITH_THE_PROGRAM


def command(folder: Path, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    adopt.configure(parser)
    return parser.parse_args(["--folder", str(folder), *words])


def test_the_command_says_what_it_can_not_do(files: StackFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CommandError, match=r"there is no Pulumi\.mars\.yaml") as unknown:
        adopt.run(command(files.folder, "-s", "mars"))
    assert unknown.value.exit_code is Exit.NO_SUCH_STACK
    with pytest.raises(CommandError, match="exclude each other"):
        adopt.run(command(files.folder, "-s", "monk", "--do", "--back"))
    files.edit("monk", "host.docker", "unix:///nowhere/docker.sock")
    with pytest.raises(CommandError, match=r"the Docker daemon at unix:///nowhere/docker\.sock") as silent:
        adopt.run(command(files.folder, "-s", "monk"))
    assert silent.value.exit_code is Exit.RESOURCE
    files.edit("monk", "host.data", "not a path")
    with pytest.raises(CommandError, match=r"host\.data"):
        adopt.run(command(files.folder, "-s", "monk"))
