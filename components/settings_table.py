"""The table of all settings in docs/stack-file.md: one row per setting, with what it is and its default."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from components.marked import renewed
from components.model import Model, ServiceSettings
from components.services import KNOWN_SERVICES
from components.settings import StackFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

_NOTHING = "-"


def with_table(page: str) -> str:
    """The page with its table made anew.

    Raises:
        ValueError: the page has lost its marks.
    """
    rows = [f"| `{path}` | {meaning} | {default} |" for path, meaning, default in settings()]
    services = ", ".join(f"`{name}`" for name in KNOWN_SERVICES)
    table = ["| key | what it is | unless said |", "|---|---|---|", *rows, "", f"Services of today: {services}."]
    return renewed(page, "settings", "make schema", table)


def settings() -> Iterator[tuple[str, str, str]]:
    """Every setting: dotted path, meaning, default."""
    for name, field in StackFile.model_fields.items():
        if name != "services":
            yield from _rows(name, field, "")
            continue
        yield from _fields(ServiceSettings, "services.<service>.")
        for service, known in KNOWN_SERVICES.items():
            for own, each in known.Settings.model_fields.items():
                if own not in ServiceSettings.model_fields:
                    yield from _rows(own, each, f"services.{service}.")


def _fields(model: type[Model], before: str) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        yield from _rows(name, field, before)


def _rows(name: str, field: FieldInfo, before: str) -> Iterator[tuple[str, str, str]]:
    path = f"{before}{field.alias or name}"
    inner = next(_models(field.annotation), None)
    if inner is not None:
        several = not (isinstance(field.annotation, type) or type(None) in get_args(field.annotation))
        yield from _fields(inner, f"{path}[]." if several else f"{path}.")
        return
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    yield path, field.description or "", f"`{_in_yaml(default)}`" if default not in (None, {}, (), []) else _NOTHING


def _in_yaml(value: object) -> str:
    """A default as a stack file would say it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_in_yaml, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _models(annotation: object) -> Iterator[type[Model]]:
    """The settings models inside an annotation: itself, one of several, or the kind of a list's elements."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for option in get_args(annotation):
        yield from _models(option)
