"""Copier: the container that copies the primary's wiki to the other host, now and then (`data: copy`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from components.databases import MARIADB_OWNER, MARIADB_PORT
from components.host import ContainerArgs, File, Mount
from components.services.bookstack.replication import COPY_SCRIPT, SERVICE_NAME, Pair

if TYPE_CHECKING:
    import pulumi

_WORD = "/run/secrets/replication-password"
_FIGURES = "/figures"


def copier(
    pair: Pair, *, source: str, database: str, image: str, every: int, password: pulumi.Output[str], figures: str
) -> ContainerArgs:
    """What its container is given; what it needs of the database its step sees to, and until then it tries in vain.

    Args:
        pair: The two hosts.
        source: Where the primary's database is reached.
        database: Its name.
        image: The database's own, whose client reads its dumps.
        every: Seconds between two copies.
        password: Of both accounts.
        figures: Folder of the host for what it says of itself.
    """
    script = Path(__file__).with_name("copy.sh").read_text(encoding="utf-8")
    return ContainerArgs(
        image=image,
        entrypoint=["bash", COPY_SCRIPT, "loop"],
        env={
            "SOURCE": source,
            "SOURCE_PORT": str(MARIADB_PORT),
            "SOURCE_NAME": pair.first,
            "TARGET": f"{SERVICE_NAME}-db",
            "TARGET_PORT": str(MARIADB_PORT),
            "DATABASE": database,
            "EVERY": str(every),
            "FIGURES": _FIGURES,
            "WORD": _WORD,
            "LOCK": "/tmp/copy.lock",  # noqa: S108 - inside the container
        },
        files={COPY_SCRIPT: File(content=script), _WORD: File(content=password, private=True)},
        mounts=[Mount(source=figures, target=_FIGURES)],
        health=["bash", COPY_SCRIPT, "healthy"],
        memory="128MiB",
        user=MARIADB_OWNER,
        networks=(SERVICE_NAME,),
    )
