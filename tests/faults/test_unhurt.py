"""A69: a sibling that says a byte a second, in what it sends and in what it answers; to the others it is as if it were not there.

Marked `slow`: medians of rounds in turn, on a quiet machine.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from statistics import median

import pytest

from federation.signatures import Profile
from federation.uri import Uri
from tests.bench.ground import Ground, make_ground
from tests.bench.letters import creates
from tests.faults.played import played
from tests.faults.test_memory import signed
from tests.instance.served import Served

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.xdist_group("faults")]
ROUNDS, EACH, SLOW = 10, 80, 20


async def test_a_sibling_that_drips_delays_nobody(tmp_path):
    """A69, P4: the median of the others' messages is at most 1.2 times what it is without it (quietest of five rounds)."""
    ground = await make_ground(tmp_path, doctors=1, authors=2)
    found: dict[bool, list[float]] = {True: [], False: []}
    async with played(_answers_slowly, Uri.parse(ground.authors["de"][0].uri).port):
        with Served(ground.file):
            await _others(ground)
            for turn in range(ROUNDS):
                slow = [asyncio.ensure_future(_sends_slowly(ground, at)) for at in range(SLOW * (turn % 2))]
                await asyncio.sleep(0.2)
                found[bool(slow)].append(await _others(ground))
                for one in slow:
                    one.cancel()
                await asyncio.gather(*slow, return_exceptions=True)

    assert min(found[True]) <= 1.2 * min(found[False]), found


async def _others(ground: Ground) -> float:
    """The median of a well-behaved sibling's messages, one after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", ground.port)
    waits = []
    for letter in creates(ground, ground.authors["it"], EACH, Profile.RFC9421).requests:
        began = time.perf_counter()
        writer.write(letter)
        head = await reader.readuntil(b"\r\n\r\n")
        waits.append(time.perf_counter() - began)
        assert b" 202 " in head[:20]
        await asyncio.sleep(0.01)
    writer.close()
    return median(waits)


async def _sends_slowly(ground: Ground, number: int) -> None:
    """Half of these drip their bodies, half name keys for which the sibling drips its answer."""
    author = ground.authors["de"][0]
    _, writer = await asyncio.open_connection("127.0.0.1", ground.port)
    try:
        if number % 2:
            writer.write(signed(ground, author, b"{}", f"{author.uri}/keys/{number}-{time.monotonic_ns()}"))
            await asyncio.sleep(60)
        head, _, body = creates(ground, ground.authors["de"], 1, Profile.RFC9421).requests[0].partition(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        for byte in body:
            writer.write(bytes([byte]))
            await asyncio.sleep(1)
    finally:
        writer.transport.abort()


async def _answers_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/activity+json\r\nContent-Length: 4000\r\n\r\n")
        for _ in range(30):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(1)
    writer.close()
