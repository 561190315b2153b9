"""Runs LiteLLM's proxy over a database in which nobody is known yet: `python litellm_in_memory.py <port>`.

LiteLLM reaches PostgreSQL through Prisma, whose engine no package registry carries. So its client is replaced by one
that finds nothing and takes what it is given; all else, the whole login, is LiteLLM's own.
"""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

_prisma = ModuleType("prisma")
vars(_prisma)["Json"] = lambda value: value
sys.modules["prisma"] = _prisma

from litellm.proxy import proxy_server  # noqa: E402 - it imports what stands above


class Row(SimpleNamespace):
    """A row as it was given; what it was not given is empty."""

    def __init__(self, data: Mapping[str, object]) -> None:
        super().__init__(**data)

    def __getattr__(self, name: str) -> None:
        return None

    def model_dump(self, **_: object) -> dict[str, object]:
        return dict(vars(self))

    json = dict = model_dump


class Table:
    """A table that is empty and keeps nothing."""

    async def count(self, **_: object) -> int:
        return 0

    async def find_many(self, **_: object) -> list[Row]:
        return []

    async def find_first(self, **_: object) -> None:
        return None

    async def create(self, data: Mapping[str, object], **_: object) -> Row:
        return Row(data)

    async def upsert(self, data: Mapping[str, Mapping[str, object]], **_: object) -> Row:
        return Row(data["create"])

    find_unique = find_first
    update = create
    update_many = delete_many = count


class Database:
    """Every table there is."""

    def __getattr__(self, name: str) -> Table:
        return Table()


class Client:
    """What LiteLLM asks its database for."""

    db = Database()

    async def insert_data(self, data: Mapping[str, object], **_: object) -> Row:
        return Row(data)

    def jsonify_object(self, data: dict[str, object]) -> dict[str, object]:
        return data

    def __getattr__(self, name: str) -> Callable[..., Awaitable[None]]:
        async def nothing(*_: object, **__: object) -> None:
            """Finds nothing."""

        return nothing


async def with_database(request: Any, go_on: Callable[[Any], Awaitable[Any]]) -> Any:  # noqa: ANN401 - another's types
    """Gives each request the database; LiteLLM's own start would look for the real one."""
    proxy_server.prisma_client = Client()
    return await go_on(request)


if __name__ == "__main__":
    proxy_server.app.middleware("http")(with_database)
    uvicorn.run(proxy_server.app, host="127.0.0.1", port=int(sys.argv[1]))
