"""A small HTTP/1.1 client that costs little itself: prepared bytes out, status and body in, connections kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Result:
    """What one run of load saw."""

    statuses: dict[int, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def percentile(self, part: float) -> float:
        """Return a latency in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000


async def play(host: str, port: int, requests: Sequence[bytes], connections: int) -> Result:
    """Send all requests over so many connections, each waiting for its answer before the next."""
    result = Result()
    waiting = iter(requests)
    began = time.perf_counter()
    await asyncio.gather(*(_one(host, port, waiting, result) for _ in range(connections)))
    result.seconds = time.perf_counter() - began
    return result


async def _one(host: str, port: int, waiting, result: Result) -> None:
    reader = writer = None
    for request in waiting:
        if writer is None or writer.is_closing():
            reader, writer = await asyncio.open_connection(host, port)
        began = time.perf_counter()
        writer.write(request)
        status, keep = await _answer(reader)
        result.latencies.append(time.perf_counter() - began)
        result.statuses[status] = result.statuses.get(status, 0) + 1
        if not keep:
            writer.close()
            writer = None
    if writer is not None:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head[9:12])
    if b"transfer-encoding: chunked" in head:
        while (size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)) > 0:
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
    else:
        at = head.find(b"content-length:")
        if at >= 0:
            await reader.readexactly(int(head[at + 15 : head.index(b"\r", at)]))
    return status, b"connection: close" not in head
