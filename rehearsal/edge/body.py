"""Body: what a visitor sends along; small bodies can be sent again, large ones pass through once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.edge import faults

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import web

LIMIT = 100_000_000
"""Bytes; Cloudflare refuses more on its Free and Pro plans (community-reported)."""
_KEPT = 64 * 1024


class Body:
    """A request's body on its way.

    Attributes:
        repeatable: A second connector can still get the whole of it.
        too_large: It turned out to be above the limit while it passed.
    """

    def __init__(self, request: web.BaseRequest, kept: bytes | None) -> None:
        self._request = request
        self._kept = kept
        self.repeatable = True
        self.too_large = False

    @classmethod
    async def of(cls, request: web.BaseRequest) -> Body:
        """The body of a request; a small one is read at once.

        Raises:
            FaultError: the visitor says beforehand that it is too large.
        """
        size = request.content_length
        if size is not None and size > LIMIT:
            raise faults.too_large(LIMIT)
        small = not request.can_read_body or (size is not None and size <= _KEPT)
        return cls(request, await request.read() if small else None)

    def payload(self) -> bytes | AsyncIterator[bytes] | None:
        """What the HTTP client sends."""
        return self._passing() if self._kept is None else self._kept or None

    async def _passing(self) -> AsyncIterator[bytes]:
        self.repeatable = False
        passed = 0
        async for chunk in self._request.content.iter_any():
            passed += len(chunk)
            if passed > LIMIT:
                self.too_large = True
                raise faults.too_large(LIMIT)
            yield chunk
