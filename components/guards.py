"""Guards: a plan that could lose data is stopped at preview, unless a restore was proven lately or the owner insists.

What the host kept when it was last deployed stands in the stack's own output `kept`; the plan is held against it before
anything is registered. What replication alone knows (a stale standby) is checked where the replication is declared.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.runtime.settings import get_root_directory

from components.backup import Engine
from components.deployed import images_of
from components.errors import Problem, ProgramError
from components.force import FORCE, is_forced
from components.foundation import outputs_of
from components.images import image_name, image_suite, image_version
from components.proven import proven_restores
from components.settings import service_class

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from components.fleet import Fleet

OUTPUT = "kept"


@dataclass(frozen=True, kw_only=True)
class KeptService:
    """What one service keeps.

    Attributes:
        folders: Absolute paths on the host.
        images: Its images by the setting that names each.
        databases: Engine by the setting that names its image.
    """

    folders: list[str] = field(default_factory=list)
    images: dict[str, str] = field(default_factory=dict)
    databases: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a host keeps.

    Attributes:
        docker: The daemon that it is reached by.
        services: The services that keep something.
    """

    docker: str
    services: Mapping[str, KeptService]

    @classmethod
    def of(cls, fleet: Fleet) -> Kept:
        """What the running stack's file says."""
        own = fleet.own
        services = {name: _kept(name, own.host.data, settings) for name, settings in own.service_settings.items()}
        return cls(docker=own.host.docker, services={name: each for name, each in services.items() if each is not None})

    @classmethod
    def read(cls, output: Mapping[str, Any]) -> Kept:
        """What an earlier deployment put out."""
        services = {name: KeptService(**each) for name, each in output["services"].items()}
        return cls(docker=output["docker"], services=services)

    def output(self) -> dict[str, Any]:
        """What the stack exports, and `read` reads."""
        return {"docker": self.docker, "services": {name: asdict(each) for name, each in self.services.items()}}


def _kept(name: str, root: str, settings: Any) -> KeptService | None:  # noqa: ANN401 - each service has its own model
    service = service_class(name)
    if service.backup.disposable or not service.folders:
        return None
    images = images_of(settings)
    engines = [dump.engine for dump in service.backup.dumps if dump.engine is not Engine.SQLITE]
    at = "database-image" if "database-image" in images else "image"
    return KeptService(
        folders=[f"{root}/{folder.path}" for folder in service.folders],
        images=images,
        databases={at: engines[0].value} if engines else {},
    )


async def check(fleet: Fleet) -> None:
    """Refuses a plan that could lose what the host kept when it was last deployed.

    Raises:
        ProgramError: with every danger that neither a proven restore nor the owner's word excuses.
    """
    outputs = await outputs_of(f"{pulumi.get_organization()}/{pulumi.get_project()}/{fleet.here}")
    before = outputs.get(OUTPUT)
    if not before:
        return
    proven = proven_restores(Path(get_root_directory() or "."), fleet.here)
    oldest = datetime.now(UTC) - timedelta(days=fleet.own.guards.restore_days)
    problems = [
        danger.problem(fleet)
        for danger in dangers(Kept.read(before), Kept.of(fleet))
        if not is_forced(danger.path)
        and not (danger.excused and proven.get(danger.service, datetime.min.replace(tzinfo=UTC)) >= oldest)
    ]
    if problems:
        raise ProgramError(f"Pulumi.{fleet.here}.yaml", problems)


@dataclass(frozen=True, kw_only=True)
class Danger:
    """One way in which a plan could lose data.

    Attributes:
        service: Whose data.
        path: The setting that does it.
        rule: What must hold, and the value.
        excused: A restore proven lately makes it a risk worth taking; otherwise only the owner's word does.
        instead: What to do instead.
    """

    service: str
    path: str
    rule: str
    excused: bool
    instead: str

    def problem(self, fleet: Fleet) -> Problem:
        """In the words of a refusal."""
        drill = f"prove a restore (python3 -m kitestacks restore-drill {self.service} -s {fleet.here}), or "
        insist = f"insist once with {FORCE}={self.path}"
        return Problem(
            path=self.path, rule=self.rule, way_out=f"{self.instead}; {drill if self.excused else ''}{insist}"
        )


def dangers(before: Kept, now: Kept) -> Iterator[Danger]:
    """Everything between two plans of a host that could lose data."""
    if before.docker != now.docker and before.services:
        yield Danger(
            service=next(iter(before.services)),
            path="host.docker",
            rule=f"must stay {before.docker!r}: the data lies on that machine and does not follow, got {now.docker!r}",
            excused=False,
            instead="move the data first: docs/backup.md, moving a host",
        )
    for name, kept in before.services.items():
        after = now.services.get(name)
        if after is None:
            yield Danger(
                service=name,
                path=f"services.{name}",
                rule=f"must stay in the file: it keeps data in {', '.join(kept.folders)}",
                excused=True,
                instead="leave the block in; the folders would stay on the host with nothing to look after them",
            )
            continue
        yield from _folders(name, kept, after)
        yield from _images(name, kept, after)


def _folders(name: str, before: KeptService, now: KeptService) -> Iterator[Danger]:
    gone = [folder for folder in before.folders if folder not in now.folders]
    if gone:
        yield Danger(
            service=name,
            path="host.data",
            rule=f"must still lead to {gone[0]}, where {name} keeps its data: it would start empty elsewhere",
            excused=False,
            instead="move the folder on the host first, with the service stopped",
        )


def _images(name: str, before: KeptService, now: KeptService) -> Iterator[Danger]:
    for at, image in before.images.items():
        new = now.images.get(at, image)
        if new == image:
            continue
        path, engine = f"services.{name}.{at}", now.databases.get(at, "")
        if image_name(new) != image_name(image):
            yield Danger(
                service=name,
                path=path,
                rule=f"must stay an image of {image_name(image)}, whose data this is, got {new!r}",
                excused=False,
                instead="dump with the old image and restore with the new one",
            )
            continue
        old_version, new_version = image_version(image), image_version(new)
        if new_version < old_version:
            yield Danger(
                service=name,
                path=path,
                rule=f"must not go back from {image!r}: an older one can't read what a newer one wrote, got {new!r}",
                excused=False,
                instead="go forward, or restore the data of before together with the old image (make deploy does both)",
            )
        elif engine and new_version[:1] != old_version[:1]:
            yield _major(name, path, engine, image, new)
        elif engine and image_suite(new) != image_suite(image):
            yield Danger(
                service=name,
                path=path,
                rule=f"must stay on the system {image_suite(image) or 'of its tag'}: another one sorts text "
                f"differently and breaks indexes without a word, got {new!r}",
                excused=True,
                instead="dump and restore, or REINDEX and ALTER DATABASE ... REFRESH COLLATION VERSION afterwards",
            )


def _major(name: str, path: str, engine: str, image: str, new: str) -> Danger:
    if engine == Engine.POSTGRES:
        return Danger(
            service=name,
            path=path,
            rule=f"must stay PostgreSQL {image_version(image)[0]}: another major version can't read the folder, "
            f"got {new!r}",
            excused=False,
            instead="dump with the old one and restore into a new folder",
        )
    return Danger(
        service=name,
        path=path,
        rule=f"must not change its major version without a way back, got {new!r} after {image!r}",
        excused=True,
        instead="dump first",
    )
