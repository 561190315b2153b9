"""Changes: the images that a deployment changes, and how a stack file gets its old ones back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from components import deployed, guards
from components.folders import outermost
from components.settings import PROJECT, service_class

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from components.backup import Dump
    from components.fleet import Fleet


@dataclass(frozen=True, kw_only=True)
class Change:
    """New images for one service.

    Attributes:
        service: Its name.
        old: The images that change, as they were deployed, by the setting that names each.
        new: The same settings as the stack file has them now.
        folders: Where it keeps data, absolute on the host, none inside another; none if it keeps nothing.
        dumps: The databases among that.
        elsewhere: Its databases in other services of the host, where these are the ones that are written.
    """

    service: str
    old: Mapping[str, str]
    new: Mapping[str, str]
    folders: tuple[str, ...] = ()
    dumps: tuple[Dump, ...] = ()
    elsewhere: tuple[Dump, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """The settings, dotted from the top of the stack file."""
        return tuple(f"services.{self.service}.{setting}" for setting in self.old)


def changes_of(fleet: Fleet, outputs: Mapping[str, Any]) -> tuple[Change, ...]:
    """What the running stack's file would change of what was deployed last.

    Args:
        fleet: What the files say, seen from the host.
        outputs: What its stack put out when it was deployed last; nothing for one that never was.
    """
    kept = guards.Kept.read(outputs[guards.OUTPUT]).services if guards.OUTPUT in outputs else {}
    # A stack of an earlier version of this program put out the images of what keeps data alone.
    deployed_images = {name: each.images for name, each in kept.items()} | outputs.get(deployed.OUTPUT, {})
    found = []
    for name, before in deployed_images.items():
        settings = fleet.own.service_settings.get(name)
        now = deployed.images_of(settings) if settings else {}
        old = {setting: image for setting, image in before.items() if now.get(setting, image) != image}
        if not old:
            continue
        of_before = kept.get(name)
        found.append(
            Change(
                service=name,
                old=old,
                new={setting: now[setting] for setting in old},
                folders=outermost(of_before.folders) if of_before else (),
                dumps=service_class(name).backup.dumps if of_before else (),
                elsewhere=tuple(_elsewhere(fleet, name)),
            )
        )
    return tuple(found)


def _elsewhere(fleet: Fleet, service: str) -> Iterator[Dump]:
    for each in service_class(service).keeps_in:
        kind = service_class(each)
        if each in fleet.own.service_settings and kind.writer(fleet) in (None, fleet.here):
            yield from kind.backup.dumps


def with_old_images(text: str, changes: Iterable[Change]) -> str:
    """A stack file with the images of before; every other character stays, comments too."""
    spans = []
    for change in changes:
        for setting, image in change.old.items():
            node = _node(yaml.compose(text), ("config", f"{PROJECT}:services", change.service, setting))
            spans.append((node.start_mark.index, node.end_mark.index, image))
    for start, end, image in sorted(spans, reverse=True):
        text = f"{text[:start]}{image}{text[end:]}"
    return text


def _node(node: Any, path: Iterable[str]) -> Any:  # noqa: ANN401 - PyYAML has no types
    for name in path:
        node = next(value for key, value in node.value if key.value == name)
    return node
