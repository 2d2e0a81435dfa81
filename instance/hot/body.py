"""Reading a request's body: counted while it comes, and given up after ten seconds."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from federation.errors import TooLarge, TooSlow

SECONDS: Final = 10.0


class ClientGone(Exception):
    """The client went away before its request was whole; there is nobody to answer."""


async def read(receive: Any, limit: int, *, seconds: float = SECONDS) -> bytes:
    """Return the whole body; raise TooLarge, TooSlow or ClientGone."""
    try:
        async with asyncio.timeout(seconds):
            first, more = await _part(receive)
            if not more:
                _require(len(first), limit)
                return first
            return await _rest(receive, first, limit)
    except TimeoutError:
        raise TooSlow("body") from None


async def _rest(receive: Any, first: bytes, limit: int) -> bytes:
    parts, size, more = [first], len(first), True
    _require(size, limit)
    while more:
        part, more = await _part(receive)
        size += len(part)
        _require(size, limit)
        parts.append(part)
    return b"".join(parts)


async def _part(receive: Any) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] != "http.request":
        raise ClientGone
    return message.get("body", b""), message.get("more_body", False)


def _require(size: int, limit: int) -> None:
    if size > limit:
        raise TooLarge("while read")
