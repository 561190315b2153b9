"""Taking over an installation made by hand: what is found, what stops it, what is done, and the way back."""

from __future__ import annotations

import argparse
import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from components.services import KNOWN_SERVICES
from kitestacks import adopt
from kitestacks.adopt import Adoption, as_json, as_text
from kitestacks.adopting.copies import Copies
from kitestacks.adopting.declared import Declared
from kitestacks.adopting.moves import Moves
from kitestacks.adopting.plan import When
from kitestacks.console import Console
from kitestacks.exits import CommandError, Exit
from tests.adopt_world import Cut, FakeMachine, bind, client_of, container, volume
from tests.recorder import foundation_outputs, run_program
from tests.stack_files import ROOT as PROJECT
from tests.stack_files import StackFiles

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from kitestacks.adopting.plan import Plan

WIKI, WIKI_DB = "lscr.io/linuxserver/bookstack:v26.05.3-ls280", "mariadb:12.3.2-noble"
KEYS = {"APP_KEY=base64:do-not-show", "DB_PASSWORD=do-not-show"}
ROOT_KEY = ["MARIADB_ROOT_PASSWORD=do-not-show"]
DATA = "/home/kite/kitestacks-live/docker"
OURS = {"kitestacks.installation": "kitestacks"}
GIVEN = frozenset({"kscloud1 bookstack.app-key", "kscloud1 bookstack.database-root-password"})
NEW_WITH_THE_PROGRAM = {"bookstack.replication-password", "backup.password", "backup.recovery-password"}
"""Secrets of what an installation made by hand does not have."""


def preview_of(run_resources: Any) -> dict[str, Any]:  # noqa: ANN401 - recorded registrations
    """What `pulumi preview --json` says of the same registrations."""
    states = [{"type": each.type, "inputs": each.inputs} for each in run_resources]
    return {"steps": [{"op": "create", "newState": state} for state in states] + [{"op": "delete"}]}


@pytest.fixture(scope="module")
def preview() -> dict[str, Any]:
    """The real program's plan for monk."""
    run = run_program("monk", references={"kscloud1": foundation_outputs("monk", "kscloud1")})
    return preview_of(run.recorder.resources)


@pytest.fixture
def declared(preview: dict[str, Any]) -> Declared:
    """The real plan, with the wiki's fixed secrets given."""
    return Declared.of_preview(StackFiles(PROJECT).fleet("monk"), preview, given=GIVEN)


def wiki(**differs: Any) -> dict[str, Any]:  # noqa: ANN401 - any part of the daemon's answer
    """The wiki's container, made by hand as it should be."""
    usual = {"env": sorted(KEYS), "mounts": [bind(f"{DATA}/bookstack", "/config")]}
    return container("bookstack", differs.pop("image", WIKI), **(usual | differs))


def wiki_db(**differs: Any) -> dict[str, Any]:  # noqa: ANN401
    """Its database."""
    usual = {"env": ROOT_KEY, "mounts": [bind(f"{DATA}/bookstack-db", "/var/lib/mysql")]}
    return container("bookstack-db", differs.pop("image", WIKI_DB), **(usual | differs))


def adoption(declared: Declared, *containers: dict[str, Any], owners: Mapping[str, str] | None = None) -> Adoption:
    client = client_of(*containers)
    copies = Copies(machine=FakeMachine(owners), root=declared.fleet.own.host.data)
    moves = Moves(client=client, copies=copies, console=Console(io.StringIO()))
    return Adoption(declared=declared, client=client, moves=moves)


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


@pytest.fixture
def house(preview: dict[str, Any], files: StackFiles, tmp_path: Path) -> Adoption:
    """The wiki by hand, on folders that are really there."""
    root = tmp_path / "docker"
    for name in ("bookstack", "bookstack-db"):
        (root / name).mkdir(parents=True)
        (root / name / "canary").write_text(f"of {name}")
    files.edit("monk", "host.data", str(root))
    here = json.loads(json.dumps(preview).replace(DATA, str(root)))
    declared = Declared.of_preview(files.fleet("monk"), here, given=GIVEN)
    app = wiki(mounts=[bind(f"{root}/bookstack", "/config")])
    return adoption(declared, app, wiki_db(mounts=[bind(f"{root}/bookstack-db", "/var/lib/mysql")]))


def names(there: Adoption) -> dict[str, str]:
    raw = there.client.api.raw.values()
    return {each["Name"].lstrip("/"): each["State"]["Status"] for each in raw}


def test_nothing_is_stopped_while_something_is_to_be_settled(house: Adoption) -> None:
    house.client.api.raw["id-of-bookstack"]["HostConfig"]["AutoRemove"] = True
    with pytest.raises(CommandError, match=r"1 to settle .* nothing was changed"):
        house.do(house.plan(), copy=True)
    assert house.client.api.done == []
    assert not any("mkdir" in script for script in house.moves.copies.machine.scripts)  # type: ignore[attr-defined]


def test_set_aside_stops_cleanly_copies_and_renames(house: Adoption, capsys: pytest.CaptureFixture[str]) -> None:
    house.do(house.plan(), copy=True)
    assert house.client.api.done[:2] == ["stop bookstack", "stop bookstack-db"], "the database last"
    assert names(house) == {"bookstack.before": "exited", "bookstack-db.before": "exited"}
    policies = [each["HostConfig"]["RestartPolicy"]["Name"] for each in house.client.api.raw.values()]
    assert policies == ["no", "no"], "a restart of the daemon must not bring them back"
    copies = house.moves.copies.folder
    source = f"{house.declared.fleet.own.host.data}/bookstack-db/canary"
    with open(f"{copies}{source}", encoding="utf-8") as copied:  # noqa: PTH123 - an absolute path below another
        assert copied.read() == "of bookstack-db"
    assert "pulumi up -s monk" in capsys.readouterr().out


@pytest.mark.parametrize(
    "cut_at",
    [
        "stop bookstack",
        "stop bookstack-db",
        "rename bookstack bookstack.before",
        "rename bookstack-db bookstack-db.before",
    ],
)
def test_cut_off_anywhere_it_goes_on_and_the_way_back_still_leads_back(house: Adoption, cut_at: str) -> None:
    house.client.api.cut_at = cut_at
    with pytest.raises(Cut):
        house.do(house.plan(), copy=True)
    house.client.api.cut_at = ""
    house.do(house.plan(), copy=True)
    assert names(house) == {"bookstack.before": "exited", "bookstack-db.before": "exited"}
    house.back()
    assert names(house) == {"bookstack": "running", "bookstack-db": "running"}
    policies = {each["HostConfig"]["RestartPolicy"]["Name"] for each in house.client.api.raw.values()}
    assert policies == {"unless-stopped"}, "as it was before the first run"


def test_a_database_that_had_to_be_killed_stops_all(house: Adoption) -> None:
    house.client.api.exit_codes = {"bookstack-db": 137}
    with pytest.raises(CommandError, match="was killed"):
        house.do(house.plan(), copy=True)
    assert set(names(house)) == {"bookstack", "bookstack-db"}, "nothing was renamed"


def test_a_disk_too_small_stops_nothing(house: Adoption, monkeypatch: pytest.MonkeyPatch) -> None:
    real = house.moves.copies.machine.shell

    def small(script: str) -> Any:  # noqa: ANN401
        return real(script.replace("print $4", "print 1") if "df -Pk" in script else script)

    monkeypatch.setattr(house.moves.copies.machine, "shell", small)
    with pytest.raises(CommandError, match="0 MiB are free; nothing was stopped"):
        house.do(house.plan(), copy=True)
    assert house.client.api.done == []
    house.do(house.plan(), copy=False)
    assert "bookstack.before" in names(house)


def test_back_makes_room_and_starts_the_old_ones(house: Adoption, capsys: pytest.CaptureFixture[str]) -> None:
    house.do(house.plan(), copy=True)
    for name in ("bookstack", "bookstack-db"):
        house.client.api.raw[f"new-{name}"] = container(name, WIKI_DB, labels=OURS) | {"Id": f"new-{name}"}
    assert {each.name for each in house.plan().taken} == {"bookstack", "bookstack-db"}
    house.client.api.done.clear()
    house.back()
    assert names(house) == {
        "bookstack": "running",
        "bookstack-db": "running",
        "bookstack.after": "exited",
        "bookstack-db.after": "exited",
    }
    starts = [each for each in house.client.api.done if each.startswith("start")]
    assert starts == ["start bookstack-db", "start bookstack"], "the database first"
    assert "copies of the data lie in" in capsys.readouterr().out
    with pytest.raises(CommandError, match="nothing was set aside"):
        house.back()


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
