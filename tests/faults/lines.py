"""A line between two instances that is bad on purpose: what the network does to packets, done to the bytes of TCP."""

from __future__ import annotations

import asyncio
import random
import re
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
    #: How many messages were carried a second time.
    twice: int = 0
    #: Not set while the line is parted: what is open stays open, and nothing arrives any more.
    whole: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _ends: list[asyncio.StreamWriter] = field(default_factory=list)
    _carried: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Line:
        """Begin to listen."""
        self.whole.set()
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

    def hang_up(self) -> None:
        """Cut whatever is open: from now on every connection has the fate of now."""
        for end in self._ends:
            end.transport.abort()
        self._ends.clear()

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
        await self.whole.wait()
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
            while data := await _message(come) if (fate, way) == ("twice", "request") else await come.read(65_536):
                await self.whole.wait()
                if (fate, way) == ("twice", "request"):
                    self._again(data)
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

    def _again(self, message: bytes) -> None:
        """Carry a message to an inbox once more, on a connection of its own, at the same time."""
        if message.startswith(b"POST ") and b"/inbox HTTP/1.1\r\n" in message.partition(b"\n")[0] + b"\n":
            self.twice += 1
            self._carried.add(asyncio.ensure_future(self._carry_again(message)))

    async def _carry_again(self, message: bytes) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            there, back = await asyncio.open_connection("127.0.0.1", self.behind)
            self._ends.append(back)
            back.write(message)
            await back.drain()
            await there.readuntil(b"\r\n\r\n")
            back.close()

    async def _badly(self, go: asyncio.StreamWriter, data: bytes) -> None:
        """Delay of 300 ms, a fifth lost and sent again, order lost and mended: TCP makes waiting of all three."""
        while data:
            piece, data = data[:700], data[700:]
            await asyncio.sleep(self.chance.uniform(0.01, 0.06))
            if self.chance.random() < 0.2:
                await asyncio.sleep(self.chance.uniform(0.2, 0.4))
            go.write(piece)
            await go.drain()


async def _message(come: asyncio.StreamReader) -> bytes:
    """One whole request of HTTP/1.1, or what there is of it at the end."""
    try:
        head = await come.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        return head + (await come.readexactly(int(length[1])) if length else b"")
    except asyncio.IncompleteReadError as end:
        return end.partial


def reset(end: asyncio.StreamWriter) -> None:
    """Have the connection end with a reset instead of a goodbye."""
    raw = end.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
