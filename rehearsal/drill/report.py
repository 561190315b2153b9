"""Report: a drill written down, dated, as Markdown with a timeline to look at."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

if TYPE_CHECKING:
    from datetime import datetime

    from rehearsal.drill.data.drill import DataResult
    from rehearsal.drill.measure import Result

_WIDTH = 900
_LEFT = 210
_ROW = 24
_TOP = 46


def write(folder: Path, result: Result, moment: datetime) -> Path:
    """Writes `<moment>-<fault>.md`, `.svg` and `.json`; returns the first."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{moment:%Y-%m-%dT%H-%M-%S}-{result.fault}"
    (folder / f"{name}.svg").write_text(timeline(result))
    (folder / f"{name}.json").write_text(json.dumps(asdict(result) | {"kept": result.kept}, indent=2) + "\n")
    page = folder / f"{name}.md"
    page.write_text(markdown(result, moment, f"{name}.svg"))
    return page


def write_data(folder: Path, result: DataResult, moment: datetime) -> Path:
    """Writes a drill of data as `<moment>-<name>.md` and `.json`; returns the first."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{moment:%Y-%m-%dT%H-%M-%S}-{result.fault}"
    (folder / f"{name}.json").write_text(json.dumps(asdict(result) | {"kept": result.kept}, indent=2) + "\n")
    page = folder / f"{name}.md"
    page.write_text(_templates().get_template("data.md.j2").render(result=result, moment=moment))
    return page


def markdown(result: Result, moment: datetime, picture: str) -> str:
    """The page."""
    return _templates().get_template("report.md.j2").render(result=result, moment=moment, picture=picture)


def timeline(result: Result) -> str:
    """The picture: a row per site, from left to right in seconds; gaps are where nobody answered."""
    connectors = sorted({segment.by for site in result.sites for segment in site.segments if segment.by})
    scale = (_WIDTH - _LEFT - 10) / max(result.ended, 1.0)
    return (
        _templates()
        .get_template("timeline.svg.j2")
        .render(
            result=result,
            width=_WIDTH,
            height=_TOP + _ROW * len(result.sites) + 60,
            left=_LEFT,
            top=_TOP,
            row=_ROW,
            x=lambda second: round(_LEFT + second * scale, 1),
            colour={name: f"hsl({140 + 60 * index} 45% {45 - 5 * index}%)" for index, name in enumerate(connectors)},
            ticks=range(0, int(result.ended) + 1, max(1, int(result.ended // 10))),
        )
    )


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
