"""Drills of data: a database is promoted, a house burns down, an upgrade goes wrong; what was saved has to be there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.drill.data.bad_upgrade import BAD_UPGRADE
from rehearsal.drill.data.burned_house import BURNED_HOUSE
from rehearsal.drill.data.pictures import PICTURES
from rehearsal.drill.data.promotion import PROMOTION
from rehearsal.drill.data.restore import RESTORE

if TYPE_CHECKING:
    from rehearsal.drill.data.drill import DataDrill


def known() -> dict[str, DataDrill]:
    """Every drill of data by its name."""
    return {drill.name: drill for drill in (PICTURES, PROMOTION, RESTORE, BAD_UPGRADE, BURNED_HOUSE)}
