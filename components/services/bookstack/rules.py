"""What must hold between the stack files for the wiki's pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.errors import Problem
from components.services.bookstack.pictures import Pictures
from components.services.bookstack.replication import SERVICE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from components.fleet import Fleet


def _pictures_have_a_carrier(fleet: Fleet) -> Iterator[Problem]:
    pictures = Pictures.of(fleet)
    for host, name, block in fleet.blocks():
        if pictures and name == SERVICE_NAME and block.sync_image is None:
            yield Problem(
                path=f"{fleet.at(host)}services.{SERVICE_NAME}.sync-image",
                rule=f"must be there: with `data: {pictures.way}` Syncthing carries the pictures between the hosts",
                way_out="add `sync-image: syncthing/syncthing:2.1.3`",
            )


PICTURE_RULES = (_pictures_have_a_carrier,)
