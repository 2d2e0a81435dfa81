"""Slow but honest: whoever takes an answer a little at a time gets all of it."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from tests.servers.raw import request
from tests.servers.test_connections import at_each, deaf, in_uvloop, narrow, served

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("servers")]
LARGE = 20_000_000

__all__ = ["narrow"]


async def test_whoever_reads_slowly_gets_all_of_the_answer() -> None:
    """The twin of A71: a slow line that takes some of a large answer each second is not cut, however long it lasts."""

    async def story(server: str) -> tuple[int, float]:
        async with served(server) as port:
            slow = socket.socket()
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            await asyncio.to_thread(slow.connect, ("127.0.0.1", port))
            slow.sendall(request("GET", f"/{LARGE}", "x", ("Connection: close",)))
            began = time.monotonic()
            return await asyncio.to_thread(_take_slowly, slow, LARGE // 70), time.monotonic() - began

    for taken, seconds in await at_each(story):
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


def test_whoever_takes_what_the_kernel_holds_is_not_given_up() -> None:
    """The twin: beside the megabytes that the kernel holds for a client, what it takes shows nowhere in the server."""

    async def story(server: str) -> int:
        async with served(server) as port:
            return await asyncio.to_thread(_slowly_at_first, port, 8_000_000)

    for taken in in_uvloop(story):
        assert taken > 8_000_000


def _slowly_at_first(port: int, size: int) -> int:
    """Take ten bytes a millisecond for fifteen seconds, then the rest; return how much came."""
    with deaf(port, request("GET", f"/{size}", "x", ("Connection: close",))) as slow:
        taken = 0
        for _ in range(75):
            taken += sum(len(part) for part in _piece(slow, 2_000))
            time.sleep(0.2)
        return taken + sum(len(part) for part in _piece(slow, 2 * size))


@pytest.mark.usefixtures("narrow")
def test_a_slow_line_gets_all_of_a_small_answer() -> None:
    """The twin: what takes longer to come than a connection may be idle still comes whole, before a goodbye too."""

    async def story(server: str) -> list[tuple[bytes, float]]:
        async with served(server) as port:
            return await asyncio.gather(
                *(asyncio.to_thread(_slowly, port, more) for more in (("Connection: close",), ()))
            )

    for body, seconds in [each for took in in_uvloop(story) for each in took]:
        assert b"x" * 60_000 == body
        assert seconds > 13


def _slowly(port: int, more: tuple[str, ...]) -> tuple[bytes, float]:
    """Take sixty thousand bytes at four a millisecond, then all until the end; return the body and the seconds."""
    began, taken = time.monotonic(), bytearray()
    with deaf(port, request("GET", "/60000", "x", more)) as slow:
        while came := b"".join(_piece(slow, 1_000)):
            taken += came
            time.sleep(0.25)
    return taken.partition(b"\r\n\r\n")[2], time.monotonic() - began
