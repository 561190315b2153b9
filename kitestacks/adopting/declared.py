"""Declared: the containers that the program would make on a host, asked of the engine or read from the stack files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.deployed import images_of
from components.host import physical_name
from components.secrets import GIVEN
from components.settings import service_class
from kitestacks.exits import CommandError
from kitestacks.stack_state import pulumi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from components.fleet import Fleet

_CONTAINER = "docker:index/container:Container"
_NETWORK = "docker:index/network:Network"


@dataclass(frozen=True, kw_only=True)
class DeclaredContainer:
    """One container of the plan.

    Attributes:
        name: What Docker will call it.
        service: The service that it belongs to.
        image: Its reference.
        setting: The dotted path of the setting that names the image.
        mounts: Where its data lies: path in the container to the folder on the host. Empty: not known.
        ports: Ports that it takes on the host.
    """

    name: str
    service: str
    image: str
    setting: str
    mounts: dict[str, str]
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Declared:
    """All that the comparison needs of what is declared.

    Attributes:
        fleet: The stack files, seen from the host.
        containers: The containers by name.
        networks: Names of networks that will be made.
        folders: The data folders of the host by their full path, each with its owner.
        given: The secrets that are configured already, as `<stack> <service>.<name>`.
        doubt: Why the engine could not be asked; empty when it was.
    """

    fleet: Fleet
    containers: dict[str, DeclaredContainer]
    networks: tuple[str, ...]
    folders: dict[str, str]
    given: frozenset[str]
    doubt: str = ""

    @classmethod
    def of(cls, fleet: Fleet, folder: Path) -> Declared:
        """Asks the engine for a preview; without one the stack files say less, and the plan says so."""
        try:
            document = json.loads(
                pulumi("-C", str(folder), "preview", "--json", "--show-sames", "--suppress-progress", "-s", fleet.here)
            )
            return cls.of_preview(fleet, document, given=_given(folder, fleet))
        except CommandError as failure:
            return cls.of_files(fleet, doubt=failure.message.strip() or "pulumi preview failed")

    @classmethod
    def of_preview(cls, fleet: Fleet, document: dict[str, Any], given: frozenset[str] = frozenset()) -> Declared:
        """What a preview in JSON says."""
        states = [step["newState"] for step in document.get("steps", ()) if step.get("newState")]
        containers = [_container(fleet, state["inputs"]) for state in states if state["type"] == _CONTAINER]
        return cls(
            fleet=fleet,
            containers={each.name: each for each in containers},
            networks=tuple(state["inputs"]["name"] for state in states if state["type"] == _NETWORK),
            folders=_folders(fleet),
            given=given,
        )

    @classmethod
    def of_files(cls, fleet: Fleet, doubt: str) -> Declared:
        """What the stack files alone say: a service's first container and its database, and no paths inside them."""
        stack = fleet.own
        found: dict[str, DeclaredContainer] = {}
        for service, settings in stack.service_settings.items():
            front = service_class(service).front or service
            for key, image in images_of(settings).items():
                short = front if key == "image" else f"{service}-db" if key == "database-image" else ""
                name = physical_name(stack.installation, fleet.here, short)
                if short:
                    found[name] = DeclaredContainer(
                        name=name,
                        service=service,
                        image=stack.image(image),
                        setting=f"services.{service}.{key}",
                        mounts={},
                    )
        return cls(fleet=fleet, containers=found, networks=(), folders=_folders(fleet), given=frozenset(), doubt=doubt)


def _container(fleet: Fleet, inputs: dict[str, Any]) -> DeclaredContainer:
    labels = {each["label"]: each["value"] for each in inputs.get("labels") or ()}
    service = labels["kitestacks.service"]
    root = fleet.own.host.data.rstrip("/") + "/"
    return DeclaredContainer(
        name=inputs["name"],
        service=service,
        image=inputs["image"],
        setting=_setting(fleet, service, inputs["image"]),
        mounts={
            each["target"]: each["source"]
            for each in inputs.get("mounts") or ()
            if each["source"].startswith(root) and not each.get("readOnly")
        },
        ports=tuple(int(each["external"]) for each in inputs.get("ports") or () if each.get("external")),
    )


def _setting(fleet: Fleet, service: str, image: str) -> str:
    settings = fleet.own.service_settings.get(service)
    images = images_of(settings) if settings is not None else {}
    key = next((key for key, value in images.items() if fleet.own.image(value) == image), "image")
    return f"services.{service}.{key}"


def _folders(fleet: Fleet) -> dict[str, str]:
    return {
        f"{fleet.own.host.data}/{folder.path}": folder.owner
        for service in fleet.own.service_settings
        for folder in service_class(service).folders
    }


def _given(folder: Path, fleet: Fleet) -> frozenset[str]:
    def keys(stack: str) -> Iterator[str]:
        config = json.loads(pulumi("-C", str(folder), "config", "--json", "-s", stack))
        yield from (f"{stack} {key.removeprefix(GIVEN + ':')}" for key in config if key.startswith(f"{GIVEN}:"))

    return frozenset(key for stack in {fleet.here, fleet.foundation} for key in keys(stack))
