"""The simulated Docker: names, networks and volumes as the daemon guards them, and what replaces a container."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rehearsal.cloud.docker import DOCKER, Container, Network, RemoteImage, Volume
from tests.rehearsal.cloud_world import Client, Refused, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTAINER, NETWORK, VOLUME, IMAGE = (kind.type_name for kind in (Container, Network, Volume, RemoteImage))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Client]:
    with world(tmp_path, DOCKER) as client:
        yield client


def portal(**changes: object) -> dict[str, Any]:
    return {
        "name": "portal",
        "image": "caddy:2.10.0",
        "labels": [{"label": "kitestacks.host", "value": "monk"}, {"label": "kitestacks.service", "value": "portal"}],
        **changes,
    }


def on(*networks: str) -> list[dict[str, Any]]:
    return [{"name": network, "aliases": ["portal"]} for network in networks]


def test_a_container_is_written_down_with_its_labels_and_read_back(daemon: Client) -> None:
    daemon.create(NETWORK, {"name": "edge"})
    inputs = portal(networksAdvanced=on("edge"), wait=True, uploads=[{"file": "/etc/x", "content": "y"}])
    made, state = daemon.create(CONTAINER, inputs)
    assert daemon.store.view()["docker"]["containers"][made] == state
    assert {name: state[name] for name in inputs} == inputs
    assert state["hostname"] == made[:12]
    assert state["networkDatas"][0]["networkName"] == "edge"
    assert daemon.read(CONTAINER, made, inputs, state) == (made, inputs, state)


def test_a_name_that_is_taken_is_refused(daemon: Client) -> None:
    made, state = daemon.create(CONTAINER, portal())
    words = f'409 Conflict: .*The container name "/portal" is already in use by container "{made}"'
    with pytest.raises(Refused, match=words):
        daemon.create(CONTAINER, portal(image="other:1"))
    daemon.delete(CONTAINER, made, state)
    daemon.create(CONTAINER, portal(image="other:1"))


@pytest.mark.parametrize("taken", ["edge", "bridge"])
def test_a_network_name_that_is_taken_is_refused(daemon: Client, taken: str) -> None:
    daemon.create(NETWORK, {"name": "edge"})
    with pytest.raises(Refused, match=rf"409 Conflict: .*network with name {taken} already exists"):
        daemon.create(NETWORK, {"name": taken})


@pytest.mark.parametrize("name", ["-portal", "por tal", "p", ""])
def test_a_name_the_daemon_does_not_take_is_refused(daemon: Client, name: str) -> None:
    with pytest.raises(Refused, match="400 Bad Request: Invalid container name"):
        daemon.create(CONTAINER, portal(name=name))


def test_a_network_that_is_not_there_is_refused(daemon: Client) -> None:
    with pytest.raises(Refused, match=r"404 Not Found: .*network nowhere not found"):
        daemon.create(CONTAINER, portal(networksAdvanced=on("bridge", "nowhere")))
    assert daemon.store.view()["docker"]["containers"] == {}
    network, _ = daemon.create(NETWORK, {"name": "edge"})
    daemon.create(CONTAINER, portal(networksAdvanced=on("bridge", network)))


def test_a_network_in_use_is_not_removed(daemon: Client) -> None:
    network, network_state = daemon.create(NETWORK, {"name": "edge"})
    made, state = daemon.create(CONTAINER, portal(networksAdvanced=on("edge")))
    with pytest.raises(Refused, match=r"403 Forbidden: .*network edge has active endpoints"):
        daemon.delete(NETWORK, network, network_state)
    daemon.delete(CONTAINER, made, state)
    daemon.delete(NETWORK, network, network_state)


@pytest.mark.parametrize(
    "use",
    [
        {"volumes": [{"volumeName": "data", "containerPath": "/data"}]},
        {"mounts": [{"type": "volume", "source": "data", "target": "/data"}]},
    ],
)
def test_a_volume_in_use_is_not_removed(daemon: Client, use: dict[str, Any]) -> None:
    volume, volume_state = daemon.create(VOLUME, {"name": "data"})
    assert volume == "data"
    made, state = daemon.create(CONTAINER, portal(**use))
    with pytest.raises(Refused, match="409 Conflict: remove data: volume is in use by container portal"):
        daemon.delete(VOLUME, volume, volume_state)
    daemon.delete(CONTAINER, made, state)
    daemon.delete(VOLUME, volume, volume_state)
    assert daemon.store.view()["docker"]["volumes"] == {}


@pytest.mark.parametrize(
    "change",
    [
        {"image": "caddy:2.11.0"},
        {"envs": ["A=B"]},
        {"uploads": [{"file": "/etc/x", "content": "y"}]},
        {"labels": []},
        {"healthcheck": {"tests": ["CMD", "true"]}},
        {"networksAdvanced": [{"name": "edge"}]},
        {"command": ["run"]},
        {"name": "portal-2"},
    ],
)
def test_what_replaces_a_container(daemon: Client, change: dict[str, Any]) -> None:
    assert daemon.diff(CONTAINER, portal(), portal(**change)) == ([*change], [*change])


@pytest.mark.parametrize(
    "change", [{"memory": 64}, {"memorySwap": 64}, {"restart": "always"}, {"wait": True}, {"destroyGraceSeconds": 9}]
)
def test_what_changes_a_container_in_place(daemon: Client, change: dict[str, Any]) -> None:
    assert daemon.diff(CONTAINER, portal(), portal(**change)) == ([*change], [])
    made, state = daemon.create(CONTAINER, portal())
    assert daemon.update(CONTAINER, made, state, portal(**change)) == {**state, **change}
    with daemon.store.change() as data:
        data["docker"]["containers"].clear()
    with pytest.raises(Refused, match="404 Not Found: No such container: portal"):
        daemon.update(CONTAINER, made, state, portal(**change))


def test_the_order_of_what_docker_keeps_as_a_set_means_nothing(daemon: Client) -> None:
    turned = portal(labels=portal()["labels"][::-1])
    assert daemon.diff(CONTAINER, portal(), turned) == ([], [])
    assert daemon.diff(CONTAINER, portal(command=["a", "b"]), portal(command=["b", "a"]))[0] == ["command"]


def test_a_kept_image_stays_and_another_goes(daemon: Client) -> None:
    kept, kept_state = daemon.create(IMAGE, {"name": "caddy:2", "keepLocally": True})
    other, other_state = daemon.create(IMAGE, {"name": "redis:7"})
    assert daemon.read(IMAGE, kept, {"name": "caddy:2", "keepLocally": True}, kept_state)[2] == kept_state
    assert kept_state["imageId"].startswith("sha256:")
    daemon.delete(IMAGE, kept, kept_state)
    daemon.delete(IMAGE, other, other_state)
    assert list(daemon.store.view()["docker"]["images"]) == [kept]
    assert daemon.update(IMAGE, kept, kept_state, {"name": "caddy:2"}) == {
        name: value for name, value in kept_state.items() if name != "keepLocally"
    }
