"""Answers of the layer in front of the pages: heads built once, errors in the shape of RFC 9457."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

import orjson

from federation.errors import Refused
from instance.headers import DATA_POLICY, HEADERS, PAGE, PAGE_POLICY, PAGE_VARY, PRIVATE, TRANSPORT

Header = tuple[bytes, bytes]

PROBLEM: Final = b"application/problem+json"
ACTIVITY: Final = b"application/activity+json"
JSON: Final = b"application/json"
VC: Final = b"application/vc"
EVENTS: Final = b"text/event-stream"
#: In place of the server's own banner.
SERVER: Final[Header] = (b"server", b"esanum")


def _raw(headers: Mapping[str, str]) -> tuple[Header, ...]:
    return tuple((name.lower().encode(), value.encode()) for name, value in headers.items())


_ALWAYS: Final = (SERVER, *_raw(HEADERS))
_DATA: Final[Header] = (b"content-security-policy", DATA_POLICY.encode())
_PAGE: Final = _raw({"Content-Security-Policy": PAGE_POLICY, "Vary": PAGE_VARY, "Content-Type": PAGE})
_PRIVATE: Final[Header] = (b"cache-control", PRIVATE.encode())


class Answers:
    """Sends whole answers; `secure` is whether this instance is reached by https."""

    def __init__(self, *, secure: bool) -> None:
        always = (*_ALWAYS, *(_raw(TRANSPORT) if secure else ()), _PRIVATE)
        self._fixed, self._page = (*always, _DATA), (*always, *_PAGE)
        self._accepted: list[Header] = [*self._fixed, (b"content-length", b"0")]

    async def accepted(self, send: Any) -> None:
        """Say that the message is on disk, or needed no keeping."""
        await send({"type": "http.response.start", "status": 202, "headers": self._accepted})
        await send(_EMPTY)

    async def document(
        self, scope: Mapping[str, Any], send: Any, body: bytes, kind: bytes = ACTIVITY, status: int = 200
    ) -> None:
        """Send a document; HEAD gets its head."""
        headers = [*self._fixed, (b"content-type", kind), (b"content-length", b"%d" % len(body))]
        if kind == ACTIVITY:
            headers.append((b"vary", b"accept, signature"))
        await self._send(scope, send, status, headers, body)

    async def validated(
        self, scope: Mapping[str, Any], send: Any, body: bytes, kind: bytes, validator: str, known: str
    ) -> None:
        """Send a document with its validator; 304 without it to whoever has it already (RFC 9110 section 13.1.2)."""
        headers: list[Header] = [*self._fixed, (b"etag", validator.encode())]
        if known.strip() in (validator, f"W/{validator}"):
            await self._send(scope, send, 304, headers, b"")
            return
        headers += [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
        await self._send(scope, send, 200, headers, body)

    async def page(self, scope: Mapping[str, Any], send: Any, text: str, language: str) -> None:
        """Send a page for people in that language."""
        body = text.encode()
        headers = [*self._page, (b"content-language", language.encode()), (b"content-length", b"%d" % len(body))]
        await self._send(scope, send, 200, headers, body)

    async def stream(self, send: Any) -> None:
        """Begin a stream of events, which no proxy may gather."""
        headers = [*self._fixed, (b"content-type", EVENTS), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def refused(self, scope: Mapping[str, Any], send: Any, refusal: Refused, *, close: bool = False) -> None:
        """Answer with the refusal's status and code, and nothing else."""
        status, code = refusal.http_status, refusal.answer_code
        extra: list[Header] = []
        if refusal.retry_after is not None:
            extra.append((b"retry-after", b"%d" % refusal.retry_after))
        if status == 405:
            extra.append((b"allow", refusal.reason.encode() if refusal.reason in _ALLOWED else b"GET, HEAD, POST"))
        await self.problem(scope, send, status, code, extra=extra, close=close)

    async def problem(
        self, scope: Mapping[str, Any], send: Any, status: int, code: str, *, extra: list[Header] | None = None,
        close: bool = False,
    ) -> None:  # fmt: skip
        """Answer with a status and a code. `close` ends a connection whose request was not read to its end."""
        body = problem_body(status, code)
        headers = _problem_head(self._fixed, body, extra or (), close=close)
        await self._send(scope, send, status, headers, body)

    async def _send(self, scope: Mapping[str, Any], send: Any, status: int, headers: list[Header], body: bytes) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope.get("method") == "HEAD" else body})


def turn_away(transport: asyncio.WriteTransport, *, busy: bool) -> None:
    """End a connection that may not stay; say so where that is not its address's own doing."""
    if busy:
        transport.write(_too_busy())
        transport.close()
    else:
        transport.abort()


@lru_cache(maxsize=1)
def _too_busy() -> bytes:
    body = problem_body(503, "too_busy")
    headers = _problem_head((*_ALWAYS, _PRIVATE, _DATA), body, [(b"retry-after", b"5")], close=True)
    lines = [b"HTTP/1.1 503 Service Unavailable", *(b"%s: %s" % pair for pair in headers), b"", body]
    return b"\r\n".join(lines)


_ALLOWED: Final = frozenset({"GET, HEAD", "POST"})
_EMPTY: Final = {"type": "http.response.body", "body": b""}


def _problem_head(fixed: Iterable[Header], body: bytes, extra: Iterable[Header], *, close: bool) -> list[Header]:
    head = [*fixed, (b"content-type", PROBLEM), (b"content-length", b"%d" % len(body)), *extra]
    if close:
        head.append((b"connection", b"close"))
    return head


@lru_cache(maxsize=256)
def problem_body(status: int, code: str) -> bytes:
    """The body of an error: equal bytes for equal codes, whatever was asked for."""
    return orjson.dumps({"error": code, "status": status, "title": HTTPStatus(status).phrase})
