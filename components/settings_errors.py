"""Turns pydantic's errors into problems in the words of a stack file's owner."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from components.errors import Problem

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_LONGEST_VALUE = 60
_KEY = "[key]"
"""What pydantic adds to a location where the key is wrong and not what stands behind it."""


def problems_of(error: ValidationError, model: type[BaseModel], at: str = "") -> list[Problem]:
    """One problem per error; `at` goes before each path. Values of unknown keys stay unsaid: one may be a secret."""
    return [_problem(details, model, at) for details in error.errors(include_url=False, include_context=False)]


def _problem(details: ErrorDetails, model: type[BaseModel], at: str) -> Problem:
    loc = details["loc"]
    path = at + ".".join(str(part) for part in loc if part != _KEY)
    match details["type"]:
        case "extra_forbidden":
            return Problem(path=path, rule=_unknown(loc), way_out=_known_keys(str(loc[-1]), _model_at(model, loc[:-1])))
        case "missing":
            return Problem(path=path, rule="must be set")
        case "value_error":
            return Problem(path=path, rule=details["msg"].removeprefix("Value error, "))
        case "model_type" | "dict_type":
            return Problem(path=path, rule=f"must be a block of keys and values, got {_shown(details['input'])}")
        case "too_long" | "too_short":
            rule = "must have" + details["msg"].partition(" should have")[2].partition(" after")[0]
            return Problem(path=path, rule=f"{rule}, got {_shown(details['input'])}")
        case _:
            rule = details["msg"].removeprefix("Input ").replace("should be", "must be")
            return Problem(path=path, rule=f"{rule}, got {_shown(details['input'])}")


def _unknown(loc: tuple[int | str, ...]) -> str:
    is_service = len(loc) == 2 and loc[0] == "services"  # noqa: PLR2004 - services.<name>
    return "is not a service this program knows" if is_service else "is an unknown key"


def _known_keys(wrong: str, model: type[BaseModel] | None) -> str:
    known = [field.alias or name for name, field in model.model_fields.items()] if model else []
    if close := difflib.get_close_matches(wrong, known, n=1):
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(known)}" if known else ""


def _model_at(model: type[BaseModel] | None, loc: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The model that a location inside a document belongs to."""
    for part in loc:
        fields = {field.alias or name: field for name, field in model.model_fields.items()} if model else {}
        annotation: Any = fields[str(part)].annotation if str(part) in fields else None
        options = get_args(annotation) or (annotation,)
        model = next((option for option in options if isinstance(option, type) and issubclass(option, BaseModel)), None)
    return model


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
