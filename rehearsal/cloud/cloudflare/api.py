"""How Cloudflare's API says no, and how its names differ from Pulumi's.

A refusal carries the API's own status, code and message where these are known from public reports; one without a code
is worded here.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rehearsal.cloud.resource import Refusal

if TYPE_CHECKING:
    from rehearsal.cloud.store import Data
    from rehearsal.cloud.wire import Props


def now() -> str:
    """Give the time as the API writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def refusal(call: str, status: str, about: str, *errors: Props) -> Refusal:
    """Word a refusal: the call, the API's answer and what it was about."""
    return Refusal(f"{call}: {status} {json.dumps({'errors': errors})} (simulated Cloudflare, {about})")


def error(message: str, code: int | None = None) -> Props:
    """Word one of the API's errors."""
    return {"message": message} if code is None else {"code": code, "message": message}


def dns_error(code: int, message: str) -> Props:
    """Word an error of the DNS API, which packs the cause into a chain."""
    return {**error("DNS Validation Error", 1004), "error_chain": [error(message, code)]}


def identifier_error(call: str, identifier: str, about: str) -> Refusal:
    """Word the answer to an account or zone that is not there."""
    if re.fullmatch(r"[0-9a-f]{32}", identifier):
        return refusal(call, "403 Forbidden", about, error("Authentication error", 10000))
    path = call.partition(" ")[2]
    hint = f"Could not route to /client/v4{path}, perhaps your object identifier is invalid?"
    return refusal(call, "404 Not Found", about, error(hint, 7003))


def check_account(data: Data, account_id: str, call: str) -> None:
    """Refuse an account that is not there.

    Raises:
        Refusal: it is not.
    """
    if not account_id or account_id != data["cloudflare"]["account_id"]:
        raise identifier_error(call, account_id, f"account {account_id}")


def camel(name: str) -> str:
    """Spell a name as Pulumi does."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def snake(name: str) -> str:
    """Spell a name as the API does."""
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda match: f"_{match[0].lower()}", name)


def renamed(content: Any, rename: Any) -> Any:  # noqa: ANN401 - JSON of any depth
    """Spell all names in a JSON value anew."""
    if isinstance(content, dict):
        return {rename(name): renamed(value, rename) for name, value in content.items()}
    return [renamed(item, rename) for item in content] if isinstance(content, list) else content
