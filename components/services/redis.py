"""Redis: the platform's key-value store beside Authentik's database."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pulumi

from components.backup import Backup
from components.folders import DataFolder
from components.host import ContainerArgs, File, Mount
from components.login import LOGIN_SERVICE
from components.model import StateClass
from components.secrets import Secret
from components.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.fleet import Fleet
    from components.service import ServiceArgs

_OWNER = "999:999"
"""The image's own user (`redis/docker-library-redis:debian/Dockerfile`)."""
_CONFIG = "/run/secrets/redis.conf"
_PASSWORD = "/run/secrets/password"  # noqa: S105 - a path
_WITHOUT_REDIS = (2025, 10)
"""The first Authentik that keeps cache and websockets in PostgreSQL (`website/docs/releases/2025/v2025.10.md`)."""
_VERSION = re.compile(r":(\d{4})\.(\d{1,2})\b")


class Redis(Service):
    """One Redis, found as `redis` on a network of its own.

    Creates: the container `redis` and its data folder.
    Leaves out: what a current Authentik keeps, which is all in PostgreSQL; a preview says so.

    The password stands in a private configuration file, so that neither a process list nor `docker inspect` shows it.
    """

    state = StateClass.SINGLE_WRITER
    backup = Backup(disposable="a cache: whoever uses it fills it again")
    secrets = {"password": Secret(purpose="opens Redis", shared=True)}
    adopts = {
        "password": ("REDIS_PASSWORD",),
    }
    folders = (DataFolder(path="redis", owner=_OWNER),)

    def create(self, name: str, args: ServiceArgs) -> Mapping[str, pulumi.Input[str]]:
        if pulumi.runtime.is_dry_run() and (unused := _unused(args.fleet)):
            pulumi.log.info(unused, self)
        password = self.secret("password")
        config = pulumi.Output.concat("dir /data\nappendonly yes\nrequirepass ", password, "\n")
        container = self.container(
            name,
            ContainerArgs(
                image=args.settings.image,
                command=["redis-server", _CONFIG],
                files={
                    _CONFIG: File(content=config, private=True),
                    _PASSWORD: File(content=password, private=True),
                },
                mounts=[Mount(source=self.data(name), target="/data")],
                health=["sh", "-c", f"REDISCLI_AUTH=$(cat {_PASSWORD}) redis-cli -e ping"],
                memory=args.settings.memory,
                user=_OWNER,
                networks=(name,),
            ),
        )
        return {"container": container.name}


def _unused(fleet: Fleet) -> str:
    """Says, if it is so, that the pinned Authentik does not use Redis."""
    images = [settings.image for _, name, settings in fleet.blocks() if name == LOGIN_SERVICE]
    versions = [(int(found[1]), int(found[2])) for image in images if (found := _VERSION.search(image))]
    if not versions or len(versions) < len(images) or min(versions) < _WITHOUT_REDIS:
        return ""
    major, minor = min(versions)
    return f"Authentik {major}.{minor} does not use Redis (none since 2025.10 does): it may be left out of the file"


SERVICE = Redis
