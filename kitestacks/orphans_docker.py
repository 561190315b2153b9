"""Containers and networks with a host's labels that no stack has written down."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from docker.client import DockerClient
from docker.errors import DockerException

from kitestacks.exits import CommandError, Exit
from kitestacks.stack_state import Orphan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kitestacks.stack_state import StackState


def find(state: StackState) -> Iterator[Orphan]:
    """Asks the host's daemon.

    Raises:
        CommandError: it does not answer.
    """
    endpoint = json.loads(state.config["kitestacks:host"])["docker"]
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
