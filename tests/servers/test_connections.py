"""How many connections an address may hold, how much one connection may ask, and who is not counted."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from instance.hot.limits import CONNECTIONS, ConnectionLimit
from instance.serve import GRACE, REQUESTS, SERVERS
from tests.servers.conftest import Door
from tests.servers.http2 import connected
from tests.servers.raw import request, send
from tests.tools.ports import free_ports

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("servers")]
#: granian accepts connections itself: behind it, as behind any proxy, the limit is the proxy's.
COUNTING = pytest.mark.parametrize("server", ["hypercorn", "uvicorn"])
GET = request("GET", "/", "x")
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def page(scope: Any, receive: Any, send: Any) -> None:
    """Two hundred bytes for everybody, or as many as are asked for."""
    size = int(scope["path"][1:] or 200)
    headers = [(b"content-length", b"%d" % size)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"x" * size})


@asynccontextmanager
async def served(server: str, uncounted: Sequence[str] = (), most: int = CONNECTIONS) -> AsyncIterator[int]:
    """The page at a port, with a limit that does not count these networks."""
    (port,) = free_ports(1)
    stop = asyncio.Event()
    serving = asyncio.ensure_future(SERVERS[server](page, f"127.0.0.1:{port}", stop, ConnectionLimit(uncounted, most)))
    for _ in range(500):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            await _hang_up(writer)
            break
    await asyncio.sleep(0.1)
    try:
        yield port
    finally:
        stop.set()
        await serving


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def _open(port: int, number: int) -> list[Streams]:
    return [await asyncio.open_connection("127.0.0.1", port) for _ in range(number)]


async def _is_answered(streams: Streams) -> bool:
    """Whether a request on this connection gets its answer."""
    reader, writer = streams
    try:
        writer.write(GET)
        await writer.drain()
        async with asyncio.timeout(3):
            return b" 200 " in await reader.readuntil(b"x" * 200)
    except (ConnectionError, asyncio.IncompleteReadError):
        return False


@COUNTING
async def test_an_address_holds_so_many_connections_and_no_more(server: str) -> None:
    """Limits: 64 for an address: those are served, one more is closed at once; whoever leaves makes room."""
    async with served(server) as port:
        held = await _open(port, CONNECTIONS)
        first = [await _is_answered(one) for one in held]
        (surplus,) = await _open(port, 1)
        refused = await _is_answered(surplus)
        await _hang_up(held.pop()[1])
        await asyncio.sleep(0.1)
        held += await _open(port, 1)
        again = await _is_answered(held[-1])
        for _, writer in (*held, surplus):
            await _hang_up(writer)

    assert [True] * CONNECTIONS == first
    assert not refused
    assert again


@COUNTING
async def test_whoever_was_turned_away_leaves_nothing_behind(server: str) -> None:
    """A thousand that were turned away count for nothing once those who hold connections have left."""
    async with served(server) as port:
        held = await _open(port, CONNECTIONS)
        assert await _is_answered(held[0])
        for _ in range(20):
            for one in await _open(port, 50):
                await _hang_up(one[1])
        for _, writer in held:
            await _hang_up(writer)
        await asyncio.sleep(0.2)
        held = await _open(port, CONNECTIONS)
        answered = [await _is_answered(one) for one in held]
        for _, writer in held:
            await _hang_up(writer)

    assert [True] * CONNECTIONS == answered


@COUNTING
async def test_a_proxy_of_ours_is_not_counted(server: str) -> None:
    """The twin: a configured proxy carries everybody, and holds as many connections as it needs."""
    async with served(server, ["127.0.0.1/32"]) as port:
        held = await _open(port, 3 * CONNECTIONS)
        answered = [await _is_answered(one) for one in held]
        for _, writer in held:
            await _hang_up(writer)

    assert [True] * 3 * CONNECTIONS == answered


async def test_a_proxy_on_this_machine_needs_no_setting(door: Door) -> None:
    """Loopback is not counted, whatever is configured: an instance is reached by everybody through it."""
    held = await _open(door.port, 2 * CONNECTIONS)
    ask = request("GET", "/nowhere", door.host)
    statuses = []
    for reader, writer in held:
        writer.write(ask)
        statuses.append((await reader.readuntil(b"\r\n"))[9:12])
    for _, writer in held:
        await _hang_up(writer)

    assert [b"404"] * 2 * CONNECTIONS == statuses


@COUNTING
async def test_a_connection_ends_after_so_many_requests(server: str) -> None:
    """Limits: a thousand requests each; the last is answered, and said to be the last."""
    async with served(server) as port:
        replies = await send(port, GET * (REQUESTS + 5), wait=2)

    assert [200] * REQUESTS == replies.statuses
    assert replies.closed
    assert b"connection: close" in replies.raw[-500:].lower()


@COUNTING
async def test_whoever_reads_no_answer_is_cut_off(server: str) -> None:
    """A71: asks for much and takes nothing of it: after ten seconds there is room for the next of this address."""
    async with served(server, most=1) as port:
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        await asyncio.to_thread(deaf.connect, ("127.0.0.1", port))
        deaf.sendall(request("GET", "/20000000", "x") * 3)
        began = time.monotonic()
        await asyncio.sleep(0.5)
        early = await send(port, request("GET", "/", "x", ("Connection: close",)), wait=0)
        while time.monotonic() - began < 15:
            later = await send(port, request("GET", "/", "x", ("Connection: close",)), wait=0)
            if later.status:
                break
            await asyncio.sleep(0.5)
        seconds = time.monotonic() - began
        deaf.close()

    assert (0, 200) == (early.status, later.status)
    assert 9 < seconds < 13


async def test_a_stop_waits_no_longer_for_whoever_takes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Seven seconds, then answers that nobody takes are let go at once, over HTTP/2 too, and nothing is a fault."""
    async with AsyncExitStack() as held:
        async with served("hypercorn") as port:
            client = await held.enter_async_context(connected(port, "x"))
            client.ask("GET", "/200000")
            await client.flush()
            deaf = held.enter_context(socket.socket())
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            await asyncio.to_thread(deaf.connect, ("127.0.0.1", port))
            deaf.sendall(request("GET", "/20000000", "x"))
            await asyncio.sleep(0.5)
            began = time.monotonic()
        seconds = time.monotonic() - began

    assert GRACE - 1 < seconds < GRACE + 1
    assert [] == caplog.records
