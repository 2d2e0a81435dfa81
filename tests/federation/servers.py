"""Real listeners on loopback that answer as a test says, and count who comes."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from federation.allowlist import Allowlist, LocalPolicy, Sibling
from federation.uri import Uri

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass(slots=True)
class Request:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Handler = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Listener:
    """A server at `origin`; `connections` counts sockets, `requests` what was asked."""

    origin: str
    connections: int = 0
    requests: list[Request] = field(default_factory=list)

    def url(self, path: str) -> Uri:
        """An address on this server."""
        return Uri.parse(self.origin + path)


def answers(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Handler:
    """Answer everything with this, and keep the connection."""
    lines = {"Content-Length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())

    async def handle(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body)
        await writer.drain()

    return handle


@contextlib.asynccontextmanager
async def listening(
    handler: Handler, *, host: str = "sib.localhost", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Listener]:
    """Listen on a free port of 127.0.0.1 until the test is over."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listener.connections += 1
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            while (request := await _read(reader)) is not None:
                listener.requests.append(request)
                await handler(request, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    listener = Listener(f"{'https' if tls else 'http'}://{host}:{port}")
    try:
        yield listener
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode().rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, target, headers, body)


def sibling(origin: str, policy: LocalPolicy = LocalPolicy.INHERIT, *, speaks_rfc9421: bool = True) -> Sibling:
    """An entry for an origin."""
    return Sibling(
        origin=origin, actor=Uri.parse(origin + "/actor"), name="Sibling", country="DE", since=NOON,
        instance_keys=frozenset(), issuer_keys=(), may_issue_for=frozenset({"DE"}), policy=policy,
        inbox=Uri.parse(origin + "/inbox"), speaks_rfc9421=speaks_rfc9421,
    )  # fmt: skip


def allow(*siblings: Sibling) -> Callable[[], Allowlist]:
    """An allowlist of these."""
    listed = Allowlist(1, {entry.origin: entry for entry in siblings})
    return lambda: listed
