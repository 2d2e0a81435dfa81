"""Bytes to a socket, and what comes back: no client library mends them on the way."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[^\r\n]*\r\n")


@dataclass(frozen=True)
class Reply:
    """Everything the server sent before it closed, or before we had waited long enough."""

    raw: bytes
    closed: bool
    seconds: float

    @property
    def status(self) -> int:
        """The status of the first answer; 0 where there was none."""
        return self.statuses[0] if self.statuses else 0

    @property
    def statuses(self) -> list[int]:
        """The statuses of all answers."""
        return [int(status) for status in _STATUS.findall(self.raw)]

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the first answer."""
        head = self.raw.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in head)}

    @property
    def body(self) -> bytes:
        """What follows the first head."""
        return self.raw.partition(b"\r\n\r\n")[2]


async def send(port: int, *parts: bytes, pause: float = 0.0, wait: float = 2.0) -> Reply:
    """Send the parts, a pause between them; read until the server closes or nothing came for `wait` seconds.

    `wait` 0 does not wait for more once one answer is whole, but for a moment.
    """
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    got, closed = bytearray(), False
    reading = asyncio.ensure_future(_read(reader, got))
    try:
        for part in parts:
            if reading.done():
                break
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        size, since = 0, time.monotonic()
        while not reading.done() and time.monotonic() - since < (wait or (0.1 if _is_whole(got) else 3.0)):
            # Many that wait for seconds at once must not keep this process busy, whose other requests are timed.
            await asyncio.wait({reading}, timeout=0.1 if wait else 0.01)
            if len(got) != size:
                size, since = len(got), time.monotonic()
        closed = reading.done()
    except (ConnectionError, OSError):
        await asyncio.wait({reading}, timeout=wait)
        closed = True
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    return Reply(bytes(got), closed, time.monotonic() - began)


def _is_whole(got: bytes | bytearray) -> bool:
    head, _, body = bytes(got).partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return length is not None and len(body) >= int(length[1])


async def _read(reader: asyncio.StreamReader, got: bytearray) -> None:
    while True:
        try:
            part = await reader.read(65_536)
        except ConnectionError:
            return
        if not part:
            return
        got += part


def request(method: str, target: str, host: str, headers: Sequence[str] = (), body: bytes = b"") -> bytes:
    """One request as it is written; Content-Length only where `headers` name it."""
    lines = [f"{method} {target} HTTP/1.1", *([f"Host: {host}"] if host else []), *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body
