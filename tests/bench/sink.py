"""The inboxes of played siblings, all in a process of their own: `python -m tests.bench.sink PORT MILLISECONDS`.

A host whose name begins with `hang` accepts and never answers. `GET /times` tells when each message came, by host, and
`GET /ids` which.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


class Sink:
    """The process, seen from the one that measures."""

    def __init__(self, port: int, milliseconds: int) -> None:
        self.port = port
        self._process = subprocess.Popen([sys.executable, "-m", "tests.bench.sink", str(port), str(milliseconds)])
        self._until_ready()

    def times(self) -> dict[str, list[float]]:
        """When each message came (time.time), by host."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/times", timeout=10) as answer:
            return dict(json.load(answer))

    def ids(self) -> dict[str, list[str]]:
        """The ids of what came, by host, as it came."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ids", timeout=10) as answer:
            return dict(json.load(answer))

    def count(self) -> int:
        """How many came."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/count", timeout=10) as answer:
            return int(answer.read())

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def _until_ready(self) -> None:
        for _ in range(1_000):
            try:
                self.count()
            except OSError:
                time.sleep(0.01)
            else:
                return
        raise RuntimeError("the sink did not start")


async def serve(port: int, delay: float) -> None:
    """Take messages until killed."""
    came: dict[str, list[float]] = defaultdict(list)
    ids: dict[str, list[str]] = defaultdict(list)
    never = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                writer.write(await take(head, reader))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def take(head: str, reader: asyncio.StreamReader) -> bytes:
        if head.startswith("GET /times"):
            return _answer(json.dumps(came).encode())
        if head.startswith("GET /ids"):
            return _answer(json.dumps(ids).encode())
        if head.startswith("GET "):
            return _answer(str(sum(map(len, came.values()))).encode())
        fields = dict(line.split(": ", 1) for line in head.lower().split("\r\n")[1:] if ": " in line)
        body = await reader.readexactly(int(fields["content-length"]))
        if fields["host"].startswith("hang"):
            await never.wait()
        if delay:
            await asyncio.sleep(delay)
        came[fields["host"]].append(time.time())
        ids[fields["host"]].append(json.loads(body)["id"])
        return ACCEPTED

    server = await asyncio.start_server(connected, "127.0.0.1", port, backlog=4_096)
    await server.serve_forever()


def _answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]) / 1000))
