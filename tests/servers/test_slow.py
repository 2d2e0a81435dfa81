"""Slow and oversized requests, at every server: cut off in time while others are served."""

from __future__ import annotations

import asyncio
import time

import pytest

from federation.signatures import Profile
from tests.bench.letters import creates
from tests.servers.conftest import Door
from tests.servers.raw import Reply, request, send

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("servers")]
TYPE = "Content-Type: application/activity+json"


async def test_whoever_is_slow_is_cut_while_others_are_served(doors: list[Door]) -> None:
    """A71: headers within 5 s, a body within 10 s, idle no longer than 5 s; thirty that dawdle delay nobody."""
    for door, (slowest, replies) in zip(doors, await asyncio.gather(*map(_dawdle, doors)), strict=True):
        assert slowest < 1.0, door.server
        for name in ("silent", "stopped", "dripping headers"):
            for reply in replies[name]:
                assert reply.closed, (door.server, name)
                assert reply.seconds < 8, (door.server, name)
                assert reply.status in (0, 400, 408), (door.server, name)
        for name in ("second request", "idle"):
            (reply,) = replies[name]
            assert (200, True) == (reply.status, reply.closed), (door.server, name)
            assert reply.seconds < 8, (door.server, name)
        for reply in (*replies["body"], *replies["form"]):
            assert (408, True) == (reply.status, reply.closed), (door.server, reply)
            assert 9 < reply.seconds < 13, door.server


async def _dawdle(door: Door) -> tuple[float, dict[str, list[Reply]]]:
    """The longest anybody else waited, and what those who dawdle were told."""
    slow = {
        "silent": [_silent(door)],
        "stopped": [_stopped(door) for _ in range(10)],
        "dripping headers": [_dripping(door) for _ in range(10)],
        "second request": [_second(door)],
        "idle": [send(door.port, request("GET", "/actor", door.host), wait=9)],
        "form": [_form(door)],
        "body": [_body(door) for _ in range(5)],
    }
    tasks = {name: [asyncio.ensure_future(one) for one in many] for name, many in slow.items()}
    slowest = await _served_meanwhile(door, seconds=4)
    return slowest, {name: await asyncio.gather(*many) for name, many in tasks.items()}


async def _silent(door: Door) -> Reply:
    return await send(door.port, b"", wait=9)


async def _stopped(door: Door) -> Reply:
    return await send(door.port, b"GET /actor HTTP/1.1\r\nHost: x\r\n", wait=9)


async def _dripping(door: Door) -> Reply:
    return await send(door.port, b"GET /actor HTTP/1.1\r\n", *[b"X: a\r\n"] * 15, pause=0.7, wait=1)


async def _second(door: Door) -> Reply:
    """A second request on the same connection that never ends."""
    return await send(door.port, request("GET", "/actor", door.host), b"GET /actor HTTP/1.1\r\n", pause=0.3, wait=9)


async def _body(door: Door) -> Reply:
    """A signed message whose body drips."""
    letter = creates(door.ground, door.ground.authors["de"], 1, Profile.CAVAGE).requests[0]
    head, _, body = letter.partition(b"\r\n\r\n")
    return await send(door.port, head + b"\r\n\r\n", *(bytes([byte]) for byte in body[:40]), pause=0.5, wait=3)


async def _form(door: Door) -> Reply:
    """A page's form of which nothing more comes."""
    headers = ("Content-Type: application/x-www-form-urlencoded", "Content-Length: 5000", "Sec-Fetch-Site: same-origin")
    return await send(door.port, request("POST", "/sign-in", door.host, headers, b"login="), wait=13)


async def _served_meanwhile(door: Door, *, seconds: float) -> float:
    """The longest anybody else waited."""
    slowest, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        assert await door.answers()
        slowest = max(slowest, time.monotonic() - began)
        await asyncio.sleep(0.1)
    return slowest


async def test_a_body_that_is_too_large_is_refused(door: Door) -> None:
    """A70: declared or in chunks, 413 and closed before it is all read."""
    letter = creates(door.ground, door.ground.authors["de"], 1, Profile.CAVAGE).requests[0]
    head = letter.partition(b"\r\n\r\n")[0].split(b"\r\n")
    lines = [line for line in head if not line.lower().startswith(b"content-length")]
    before = door.kept()
    declared = await send(
        door.port, b"\r\n".join([*lines, b"Content-Length: 12582912", b"", b""]), *[b"a" * 65_536] * 20, wait=1
    )
    chunk = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    chunked = await send(
        door.port, b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", b""]), *[chunk] * 20, wait=1
    )

    # Where we answer while much is still on its way the connection may be reset before the answer is read.
    assert declared.status in (0, 413)
    assert declared.closed
    assert chunked.status in (0, 400 if door.server == "granian" else 413)
    assert chunked.closed
    assert before == door.kept()
    assert await door.answers()


async def test_a_strangers_body_is_not_read(door: Door) -> None:
    """A22, A70: who is not a sibling is refused before the body comes."""
    headers = (TYPE, "Content-Length: 200000")
    reply = await send(door.port, request("POST", "/inbox", door.host, headers), wait=2)

    assert 401 == reply.status
    assert reply.closed
    assert reply.seconds < 2


async def test_a_refused_body_in_many_pieces_holds_no_connection(door: Door) -> None:
    """A22, A71: refused before the body comes, which then comes in pieces all the same: closed, at once."""
    head = request("POST", "/inbox", door.host, (TYPE, "Transfer-Encoding: chunked"))
    for size, number in ((10, 200), (1, 3_000), (65_536, 30)):
        piece = b"%x\r\n%s\r\n" % (size, b"x" * size)
        reply = await send(door.port, head + piece * number, wait=4)

        assert reply.closed
        assert reply.seconds < 3
    assert await door.answers()


async def test_a_form_that_is_too_large_is_refused(door: Door) -> None:
    """Limits: a form holds at most one mebibyte."""
    headers = ("Content-Type: application/x-www-form-urlencoded", "Content-Length: 2000000", "Sec-Fetch-Site: none")
    reply = await send(door.port, request("POST", "/sign-in", door.host, headers), *[b"a" * 65_536] * 32, wait=2)

    assert reply.status in (0, 413)
    assert await door.answers()


async def test_many_who_hang_up_hurt_nobody(door: Door) -> None:
    """A connection that ends in the middle of a request or an answer is nobody's fault but its own."""
    letter = creates(door.ground, door.ground.authors["de"], 1, Profile.CAVAGE).requests[0]
    for cut in (10, 200, len(letter) - 5):
        for _ in range(10):
            _, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(letter[:cut])
            await writer.drain()
            writer.transport.abort()

    assert await door.answers()
