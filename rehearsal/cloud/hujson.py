"""HuJSON: JSON that may have comments and trailing commas, and nothing else that JSON has not."""

from __future__ import annotations

import json
import re

_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/|,(?=(?:\s|//[^\n]*(?:\n|$)|/\*.*?\*/)*[}\]])', re.DOTALL)


def loads(text: str) -> object:
    """Decode a document.

    Raises:
        ValueError: it is none.
    """
    return json.loads(_TOKEN.sub(_standard, text))


def _standard(token: re.Match[str]) -> str:
    """Keep a string as it is; put as many blanks and line ends in the place of what JSON does not know."""
    found = token[0]
    return found if found.startswith('"') else re.sub(r"[^\n]", " ", found)
