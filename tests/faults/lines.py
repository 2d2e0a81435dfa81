"""A line between two instances that is bad on purpose: what the network does to packets, done to the bytes of TCP."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

#: What a line does with a connection, given its number, until the line is mended.
Fate = Callable[[int], str]


@dataclass
class Line:
    """Listens where the receiver says it lives, and carries to where it listens."""

    port: int
    behind: int
    fate: Fate = lambda number: "good"
    chance: random.Random = field(default_factory=lambda: random.Random(15))
    connections: int = 0
    #: What became of each connection, in order.
    fates: list[str] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _ends: list[asyncio.StreamWriter] = field(default_factory=list)
    _carried: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Line:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang everybody up."""
        assert self._server is not None
        self._server.close()
        for task in self._carried:
            task.cancel()
        await asyncio.gather(*self._carried, return_exceptions=True)
        for end in self._ends:
            end.transport.abort()
        await asyncio.sleep(0)  # the loop closes what was aborted in its next round

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.append(writer)
        self._carried.add(asyncio.ensure_future(self._carry(reader, writer)))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fate = self.fate(self.connections)
        self.connections += 1
        self.fates.append(fate)
        if fate == "cut":
            writer.transport.abort()
            return
        if fate == "half-open":
            await asyncio.sleep(60)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.behind)
        except OSError:
            writer.transport.abort()
            return
        self._ends.append(back)
        ways = [
            asyncio.ensure_future(self._one_way(reader, back, fate, "request")),
            asyncio.ensure_future(self._one_way(there, writer, fate, "answer")),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        for end in (writer, back):
            if fate.startswith("reset"):
                reset(end)
            end.close()

    async def _one_way(self, come: asyncio.StreamReader, go: asyncio.StreamWriter, fate: str, way: str) -> None:
        with suppress(ConnectionError):
            while data := await come.read(65_536):
                if fate == f"reset in mid-{way}":
                    go.write(data[: len(data) // 2])
                    await go.drain()
                    await asyncio.sleep(0.02)
                    return
                if fate == "bad":
                    await self._badly(go, data)
                else:
                    go.write(data)
                    await go.drain()

    async def _badly(self, go: asyncio.StreamWriter, data: bytes) -> None:
        """Delay of 300 ms, a fifth lost and sent again, order lost and mended: TCP makes waiting of all three."""
        while data:
            piece, data = data[:700], data[700:]
            await asyncio.sleep(self.chance.uniform(0.01, 0.06))
            if self.chance.random() < 0.2:
                await asyncio.sleep(self.chance.uniform(0.2, 0.4))
            go.write(piece)
            await go.drain()


def reset(end: asyncio.StreamWriter) -> None:
    """Have the connection end with a reset instead of a goodbye."""
    raw = end.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
