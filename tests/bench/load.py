"""A small HTTP/1.1 client that costs little itself: prepared bytes out, status and body in, connections kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

#: A connection is closed after so many requests, before the server does it.
PER_CONNECTION = 900


@dataclass(slots=True)
class Result:
    """What one run of load saw."""

    statuses: dict[int, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    #: By the number of the request: when its answer had come (time.time).
    answered: dict[int, float] = field(default_factory=dict)
    seconds: float = 0.0
    size: int = 0

    def percentile(self, part: float) -> float:
        """Return a latency in milliseconds."""
        return percentile(self.latencies, part)


def percentile(values: Sequence[float], part: float) -> float:
    """Return a percentile of seconds, in milliseconds; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000 if ordered else 0.0


async def play(host: str, port: int, requests: Sequence[bytes], connections: int) -> Result:
    """Send all requests over so many connections, each waiting for its answer before the next."""
    result = Result()
    waiting = iter(enumerate(requests))
    began = time.perf_counter()
    await asyncio.gather(*(play_until(host, port, waiting, result) for _ in range(connections)))
    result.seconds = time.perf_counter() - began
    return result


async def play_until(
    host: str, port: int, waiting: Iterator[tuple[int, bytes]], result: Result, *, each: float = 0.0,
    stop: Callable[[], bool] = bool,
) -> None:  # fmt: skip
    """Send over one connection until nothing waits or `stop` says so; one every `each` seconds at most."""
    writer: asyncio.StreamWriter | None = None
    used = 0
    try:
        for number, request in waiting:
            if stop():
                break
            if writer is None or used >= PER_CONNECTION:
                if writer is not None:
                    writer.close()
                reader, writer = await asyncio.open_connection(host, port, limit=2**20)
                used = 0
            used += 1
            began = time.perf_counter()
            writer.write(request)
            status, keep, result.size = await _answer(reader)
            took = time.perf_counter() - began
            result.latencies.append(took)
            result.answered[number] = time.time()
            result.statuses[status] = result.statuses.get(status, 0) + 1
            if not keep:
                writer.close()
                writer = None
            if each > took:
                await asyncio.sleep(each - took)
    finally:
        if writer is not None:
            writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool, int]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status, size = int(head[9:12]), 0
    if b"transfer-encoding: chunked" in head:
        while (part := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)) > 0:
            await reader.readexactly(part + 2)
            size += part
        await reader.readexactly(2)
    else:
        at = head.find(b"content-length:")
        if at >= 0:
            size = int(head[at + 15 : head.index(b"\r", at)])
            await reader.readexactly(size)
    return status, b"connection: close" not in head, size
