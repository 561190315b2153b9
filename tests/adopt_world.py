"""A Docker daemon with an installation made by hand, as far as `adopt` asks one, and the host below it."""

from __future__ import annotations

import io
import subprocess
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from components.machine import Done, Machine
from kitestacks.adopt import Adoption
from kitestacks.adopting.copies import Copies
from kitestacks.adopting.moves import Moves
from kitestacks.console import Console
from tests.recorder import foundation_outputs, run_program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitestacks.adopting.declared import Declared

WIKI, WIKI_DB = "lscr.io/linuxserver/bookstack:v26.05.3-ls280", "mariadb:12.3.2-noble"
KEYS = {"APP_KEY=base64:do-not-show", "DB_PASSWORD=do-not-show"}
ROOT_KEY = ["MARIADB_ROOT_PASSWORD=do-not-show"]
DATA = "/home/kite/kitestacks-live/docker"
OURS = {"kitestacks.installation": "kitestacks"}
GIVEN = frozenset({"kscloud1 bookstack.app-key", "kscloud1 bookstack.database-root-password"})


def container(name: str, image: str, **differs: Any) -> dict[str, Any]:  # noqa: ANN401 - any part of the daemon's answer
    """What the daemon says of a container; `differs` says what is not as usual."""
    return {
        "Id": f"id-of-{name}",
        "Name": f"/{name}",
        "Image": f"sha256:{image}",
        "Config": {"Image": image, "Env": differs.get("env", []), "Labels": differs.get("labels", {})},
        "HostConfig": {
            "RestartPolicy": {"Name": differs.get("restart", "unless-stopped"), "MaximumRetryCount": 0},
            "AutoRemove": differs.get("rm", False),
            "PortBindings": differs.get("ports", {}),
        },
        "State": {"Status": differs.get("state", "running"), "ExitCode": 0, **differs.get("more_state", {})},
        "Mounts": differs.get("mounts", []),
        "written": differs.get("written", []),
        "NetworkSettings": {"Networks": {"hand-made": {}}},
    }


def bind(source: str, target: str) -> dict[str, Any]:
    """A mounted folder."""
    return {"Type": "bind", "Source": source, "Destination": target, "RW": True}


def volume(name: str, target: str) -> dict[str, Any]:
    """A mounted volume."""
    place = f"/var/lib/docker/volumes/{name}/_data"
    return {"Type": "volume", "Name": name, "Source": place, "Destination": target, "RW": True}


class Cut(Exception):  # noqa: N818 - not an error of the program
    """The command was killed here."""


@dataclass
class FakeApi:
    """The calls of the SDK's `client.api`; `done` tells which changed something."""

    raw: dict[str, dict[str, Any]] = field(default_factory=dict)
    nets: list[dict[str, Any]] = field(default_factory=list)
    digests: dict[str, list[str]] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    exit_codes: dict[str, int] = field(default_factory=dict)
    cut_at: str = ""

    def containers(self, *, all: bool) -> list[dict[str, Any]]:  # noqa: A002 - the SDK's own name
        assert all
        return list(self.raw.values())

    def inspect_container(self, name: str) -> dict[str, Any]:
        return self._find(name)

    def inspect_image(self, image: str) -> dict[str, Any]:
        return {"RepoDigests": self.digests.get(image.removeprefix("sha256:"), [])}

    def diff(self, name: str) -> list[dict[str, Any]] | None:
        return [{"Path": path, "Kind": 1} for path in self._find(name).get("written", [])] or None

    def networks(self) -> list[dict[str, Any]]:
        return self.nets

    def update_container(self, name: str, restart_policy: dict[str, Any]) -> None:
        self._find(name)["HostConfig"]["RestartPolicy"] = restart_policy

    def stop(self, name: str, timeout: int) -> None:
        assert timeout >= 120
        self._do(f"stop {name}")
        self._find(name)["State"].update(Status="exited", ExitCode=self.exit_codes.get(name, 0))

    def start(self, name: str) -> None:
        self._do(f"start {name}")
        self._find(name)["State"]["Status"] = "running"

    def rename(self, old: str, new: str) -> None:
        self._do(f"rename {old} {new}")
        found = self._find(old)
        assert all(each["Name"] != f"/{new}" for each in self.raw.values()), f"{new} is taken"
        found["Name"] = f"/{new}"

    def remove_container(self, name: str, *, v: bool) -> None:
        assert not v, "volumes stay"
        self._do(f"remove {name}")
        self.raw = {key: each for key, each in self.raw.items() if each is not self._find(name)}

    def _find(self, name: str) -> dict[str, Any]:
        return next(each for each in self.raw.values() if name in (each["Id"], each["Name"].lstrip("/")))

    def _do(self, what: str) -> None:
        if what == self.cut_at:
            raise Cut
        self.done.append(what)


@dataclass
class FakeClient:
    """The SDK's client."""

    api: FakeApi


def client_of(*containers: dict[str, Any], **more: Any) -> FakeClient:  # noqa: ANN401
    """A daemon with these containers."""
    return FakeClient(FakeApi(raw={each["Id"]: each for each in containers}, **more))


class FakeMachine(Machine):
    """A host whose folders' owners stand in a table; its other commands really run, in a folder of the test."""

    def __init__(self, owners: Mapping[str, str] | None = None) -> None:
        super().__init__("unix:///nowhere")
        self.owners = owners or {}
        self.scripts: list[str] = []

    def shell(self, script: str) -> Done:
        self.scripts.append(script)
        if "stat -c" in script:
            lines = [f"{owner} {path}" for path, owner in self.owners.items() if path in script]
            return Done(code=0, out="\n".join(lines), err="")
        ran = subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, check=False)
        return Done(code=ran.returncode, out=ran.stdout, err=ran.stderr)


@cache
def preview_of_monk() -> dict[str, Any]:
    """What `pulumi preview --json` says of what the real program registers for monk."""
    run = run_program("monk", references={"kscloud1": foundation_outputs("monk", "kscloud1")})
    states = [{"type": each.type, "inputs": each.inputs} for each in run.recorder.resources]
    return {"steps": [{"op": "create", "newState": state} for state in states] + [{"op": "delete"}]}


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
