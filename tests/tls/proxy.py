"""What stands before an instance in production: it speaks TLS outside and plain HTTP inside."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress


class TlsProxy:
    """Accepts TLS on one port and passes the bytes on to another."""

    def __init__(self, context: ssl.SSLContext, port: int, behind: int, *, host: str = "127.0.0.1") -> None:
        self._context, self._port, self._behind, self._host = context, port, behind, host
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.connections = 0

    async def start(self) -> None:
        """Begin to accept."""
        self._server = await asyncio.start_server(self._serve, self._host, self._port, ssl=self._context)

    async def stop(self) -> None:
        """Accept nobody any more, and hang up."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._behind)
        with suppress(ConnectionError, ssl.SSLError):
            await asyncio.gather(_pass(reader, inner_writer), _pass(inner_reader, writer))
        self._open.discard(writer)
        for one in (writer, inner_writer):
            one.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while part := await reader.read(65_536):
            writer.write(part)
            await writer.drain()
    finally:
        with suppress(OSError, RuntimeError):
            writer.close()
