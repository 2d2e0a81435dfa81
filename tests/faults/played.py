"""A sibling played by the test on a real socket, of which nothing is left when the test is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def played(serve: Serve, port: int) -> AsyncIterator[None]:
    """Answer each connection to the port with `serve`; hang everybody up at the end."""
    tasks: set[asyncio.Task[None]] = set()
    ends: list[asyncio.StreamWriter] = []

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends.append(writer)
        tasks.add(asyncio.ensure_future(serve(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        for end in ends:
            end.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(end.wait_closed() for end in ends), return_exceptions=True)
