"""Containers and networks with a host's labels that no stack has written down."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from docker.client import DockerClient
from docker.errors import DockerException

from kitestacks.exits import CommandError, Exit
from kitestacks.rehearsed import forget
from kitestacks.stack_state import Orphan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitestacks.stack_state import StackState

SIMULATED = "/simulated.sock"
"""The endpoint of a rehearsal without a daemon (`rehearsal/twin.py`): its containers stand in the cloud's file."""


def find(state: StackState) -> Iterator[Orphan]:
    """Asks the host's daemon.

    Raises:
        CommandError: it does not answer.
    """
    endpoint = json.loads(state.config["kitestacks:host"])["docker"]
    if endpoint.endswith(SIMULATED):
        yield from _simulated(state, Path(endpoint.removeprefix("unix://").removesuffix(SIMULATED)) / "cloud.json")
        return
    marks = [f"kitestacks.installation={state.installation}", f"kitestacks.host={state.stack}"]
    try:
        client = DockerClient(base_url=endpoint, use_ssh_client=endpoint.startswith("ssh://"), timeout=30)
        containers = client.containers.list(all=True, filters={"label": marks})
        networks = client.networks.list(filters={"label": marks})
    except (DockerException, OSError) as error:
        what = f"the Docker daemon at {endpoint} does not answer: {error}"
        raise CommandError(what, "start it, then the same command again", Exit.RESOURCE) from error
    for each in containers:
        if each.id not in state.recorded:
            yield Orphan(kind="container", name=each.name, id=each.id, remove=partial(each.remove, force=True))
    for each in networks:
        if each.id not in state.recorded:
            yield Orphan(kind="network", name=each.name, id=each.id, remove=each.remove)


def _simulated(state: StackState, file: Path) -> Iterator[Orphan]:
    marks = {"kitestacks.installation": state.installation, "kitestacks.host": state.stack}
    docker = json.loads(file.read_text()).get("docker", {})
    for kind in ("container", "network"):
        for key, each in docker.get(f"{kind}s", {}).items():
            labels = {label["label"]: label["value"] for label in each.get("labels") or []}
            if marks.items() <= labels.items() and key not in state.recorded:
                yield Orphan(
                    kind=kind, name=each["name"], id=key, remove=partial(forget, file, "docker", f"{kind}s", key)
                )
