"""Slow but honest: whoever takes an answer a little at a time gets all of it, and hurts nobody who shares the line."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from instance.serve import REQUESTS
from tests.servers.http2 import Client, connected
from tests.servers.raw import request
from tests.servers.test_connections import COUNTING, served

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("servers")]
LARGE = 20_000_000


@COUNTING
async def test_whoever_reads_slowly_gets_all_of_the_answer(server: str) -> None:
    """The twin of A71: a slow line that takes some of a large answer each second is not cut, however long it lasts."""
    async with served(server) as port:
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        await asyncio.to_thread(slow.connect, ("127.0.0.1", port))
        slow.sendall(request("GET", f"/{LARGE}", "x", ("Connection: close",)))
        began = time.monotonic()
        taken = await asyncio.to_thread(_take_slowly, slow, LARGE // 70)
        seconds = time.monotonic() - began

    assert taken > LARGE
    assert seconds > 13


def _take_slowly(slow: socket.socket, piece: int) -> int:
    """Read a piece every fifth of a second until the end; return how much came."""
    taken = 0
    with slow:
        while True:
            came = sum(len(part) for part in _piece(slow, piece))
            if not came:
                return taken
            taken += came
            time.sleep(0.2)


def _piece(slow: socket.socket, size: int) -> list[bytes]:
    parts: list[bytes] = []
    try:
        while size > 0 and (part := slow.recv(size)):
            parts.append(part)
            size -= len(part)
    except ConnectionError:
        pass
    return parts


async def test_a_slow_stream_gets_all_of_its_answer() -> None:
    """HTTP/2: a window that opens a little every two seconds is open enough."""
    async with served("hypercorn") as port, connected(port, "x") as client:
        client.h2.increment_flow_control_window(10_000_000)
        stream = client.ask("GET", "/200000")
        await client.flush()
        for _ in range(7):
            await asyncio.sleep(2)
            client.h2.increment_flow_control_window(20_000, stream)
            await client.flush()
        (status,) = await client.answered(stream)

    assert 200 == status
    assert 200_000 == len(client.streams[stream].body)


async def test_whoever_takes_nothing_costs_the_others_nothing() -> None:
    """A proxy carries many: the stream of which nothing is taken for ten seconds is reset, all others are answered."""
    async with served("hypercorn") as port, connected(port, "x") as client:
        client.h2.increment_flow_control_window(10_000_000)
        stuck = client.ask("GET", "/200000")
        statuses = []
        for _ in range(13):
            waiting, short = client.ask("GET", "/100000"), client.ask("GET", "/")
            await client.flush()
            statuses += await client.answered(short)
            await asyncio.sleep(1)
            client.h2.increment_flow_control_window(100_000, waiting)
            await client.flush()
            statuses += await client.answered(waiting)

        assert [200] * 26 == statuses
        assert client.streams[stuck].reset
        assert not client.closed


async def test_the_last_requests_of_a_connection_are_answered() -> None:
    """Limits: a thousand requests each; those begun are answered, those beyond are given back untouched, and said so."""
    async with served("hypercorn") as port, connected(port, "x") as client:
        client.h2.increment_flow_control_window(10_000_000)
        for _ in range(REQUESTS // 10 - 1):
            await _ask(client, 10)
        asked = [client.ask("GET", "/") for _ in range(30)]
        await client.flush()
        statuses = await client.answered(*asked)
        await client.until_closed(8)

    assert [200] * 10 + [0] * 20 == statuses
    assert client.ended_at == asked[9]
    assert client.closed


async def _ask(client: Client, number: int) -> None:
    asked = [client.ask("GET", "/") for _ in range(number)]
    await client.flush()
    assert [200] * number == await client.answered(*asked)


async def test_windows_that_open_for_what_was_sent_are_no_flood() -> None:
    """The twin of A84: a proxy that opens two windows for each four kilobytes it took asks for nothing odd."""
    async with served("hypercorn") as port, connected(port, "x") as client:
        for _ in range(30):
            stream = client.ask("GET", "/100000")
            for _ in range(25):
                client.h2.increment_flow_control_window(4_000, stream)
                await client.flush()
                client.h2.increment_flow_control_window(4_000)
                await client.flush()

            assert [200] == await client.answered(stream)


async def test_answers_that_are_broken_off_are_no_flood() -> None:
    """The twin of A84: people leave pages that are still coming; the proxy resets their streams and goes on."""
    async with served("hypercorn") as port, connected(port, "x") as client:
        client.h2.increment_flow_control_window(100_000_000)
        for _ in range(150):
            left = client.ask("GET", "/200000")
            await client.flush()
            await client.until(lambda left=left: left in client.streams, 5)
            client.h2.reset_stream(left, 8)
            await _ask(client, 1)
