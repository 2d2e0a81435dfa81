"""HTTP/2 in clear to a socket: an honest client, and frames that no honest client would send."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.events import ConnectionTerminated, DataReceived, ResponseReceived, StreamEnded, StreamReset
from hyperframe.frame import ContinuationFrame, Frame, HeadersFrame

Fields = list[tuple[str, str]]


@dataclass
class Exchange:
    """What came back on one stream."""

    status: int = 0
    body: bytes = b""
    ended: bool = False
    reset: bool = False


@dataclass
class Client:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    host: str
    h2: H2Connection = field(default_factory=lambda: H2Connection(H2Configuration(client_side=True)))
    streams: dict[int, Exchange] = field(default_factory=dict)
    closed: bool = False
    began: float = field(default_factory=time.monotonic)
    #: Seconds from the first byte to the end of the connection.
    seconds: float = 0.0
    #: The last stream that the server took up, where it has said that there will be no more.
    ended_at: int | None = None

    def fields(self, method: str, path: str, *more: tuple[str, str]) -> Fields:
        """The header list of a request."""
        return [(":method", method), (":path", path), (":scheme", "http"), (":authority", self.host), *more]

    def ask(self, method: str, path: str, *more: tuple[str, str], body: bytes | None = None, end: bool = True) -> int:
        """Lay a request into the buffer; return its stream."""
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, self.fields(method, path, *more), end_stream=end and body is None)
        if body is not None:
            self.h2.send_data(stream, body, end_stream=end)
        return stream

    def encoded(self, fields: Iterable[tuple[str | bytes, str | bytes]]) -> bytes:
        """A header block, without anything being checked."""
        return self.h2.encoder.encode(list(fields))  # type: ignore[arg-type]

    async def flush(self) -> None:
        """Send what was laid into the buffer."""
        await self.send(self.h2.data_to_send())

    async def send(self, *parts: bytes) -> None:
        """Send bytes until the server has had enough."""
        try:
            for part in parts:
                if self.closed:
                    return
                self.writer.write(part)
                async with asyncio.timeout(20):
                    await self.writer.drain()
        except (ConnectionError, TimeoutError):
            return

    async def read(self) -> None:
        """Take what comes until the server closes."""
        try:
            while data := await self.reader.read(65_536):
                for event in self.h2.receive_data(data):
                    self._take(event)
        except Exception:  # a server that closes in the middle of a frame, a connection that is reset
            pass
        self.closed, self.seconds = True, time.monotonic() - self.began

    def _take(self, event: object) -> None:
        if isinstance(event, ResponseReceived):
            named = {bytes(name): bytes(value) for name, value in event.headers}
            self._of(event.stream_id).status = int(named[b":status"])
        elif isinstance(event, DataReceived):
            self._of(event.stream_id).body += event.data
        elif isinstance(event, StreamEnded):
            self._of(event.stream_id).ended = True
        elif isinstance(event, StreamReset):
            self._of(event.stream_id).reset = True
        elif isinstance(event, ConnectionTerminated):
            # h2 takes the connection for closed; what is under way is still to come (RFC 9113, 6.8).
            self.ended_at, self.h2.state_machine.state = event.last_stream_id, ConnectionState.CLIENT_OPEN

    def _of(self, stream: int) -> Exchange:
        return self.streams.setdefault(stream, Exchange())

    async def answered(self, *streams: int, seconds: float = 5) -> list[int]:
        """The statuses of these streams, once each has ended."""
        await self.until(lambda: all(self._of(one).ended or self._of(one).reset for one in streams), seconds)
        return [self._of(one).status for one in streams]

    async def until_closed(self, seconds: float) -> bool:
        """Whether the server closes in time."""
        await self.until(lambda: self.closed, seconds)
        return self.closed

    async def until(self, what: object, seconds: float) -> None:
        """Wait until it is so, or the server has closed, or the time is up."""
        end = time.monotonic() + seconds
        while not what() and not self.closed and time.monotonic() < end:  # type: ignore[operator]
            await asyncio.sleep(0.01)


@asynccontextmanager
async def connected(port: int, host: str) -> AsyncIterator[Client]:
    """A connection that has begun with the preface."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    client = Client(reader, writer, host)
    client.h2.initiate_connection()
    reading = asyncio.ensure_future(client.read())
    try:
        await client.flush()
        yield client
    finally:
        reading.cancel()
        writer.transport.abort()
        await asyncio.gather(reading, return_exceptions=True)


def split_head(block: bytes, pieces: Sequence[bytes], *, end: bool = False) -> list[bytes]:
    """A request whose head is not finished, and so many continuations of it."""
    head = HeadersFrame(1, block)
    head.flags.add("END_STREAM")
    more: list[Frame] = [ContinuationFrame(1, piece) for piece in pieces]
    if end and more:
        more[-1].flags.add("END_HEADERS")
    return [frame.serialize() for frame in (head, *more)]
