"""HTTP/2 is spoken to nobody, at any server: who begins with it or asks for it is refused or let go, at once."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from tests.servers.conftest import Door
from tests.servers.raw import request, send
from tests.servers.test_connections import WISHES

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("servers")]
HEAD = b"PRI * HTTP/2.0\r\n\r\n"
#: RFC 9113, 3.4.
PREFACE = HEAD + b"SM\r\n\r\n"
#: GET, http, / and a name, without a table (RFC 7541).
ASKED = b"\x82\x84\x86\x41\x0cfr.localhost"
POSTED = b"\x83\x86\x04\x06/inbox\x41\x0cfr.localhost"
END_STREAM, END_HEADERS = 0x1, 0x4
#: A page that is not there: open documents are counted by address, and flood and others share one here.
NOWHERE = "/nowhere"


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """One frame (RFC 9113, 4.1)."""
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


SETTINGS = frame(0x4)
#: What a client of HTTP/2 or of a socket would go on with.
NO_REQUESTS = (PREFACE + SETTINGS, b"\x81\x85\0\0\0\0hello")
#: A hundred thousand frames each, or as many as make four megabytes.
FLOODS = {
    "requests taken back at once": b"".join(
        frame(0x1, END_HEADERS | END_STREAM, stream, ASKED) + frame(0x3, 0, stream, b"\0\0\0\x08")
        for stream in range(1, 40_001, 2)
    ),
    "a head that goes on": frame(0x1, END_STREAM, 1, ASKED) + frame(0x9, 0, 1, b"\x00\x01a\x01b" * 10) * 60_000,
    "a head that goes on with nothing": frame(0x1, END_STREAM, 1, ASKED) + frame(0x9, 0, 1) * 100_000,
    "a head of large pieces": frame(0x1, END_STREAM, 1, ASKED) + frame(0x9, 0, 1, b"\x00\x01a\x01b" * 3_000) * 250,
    "pings": frame(0x6, 0, 0, b"12345678") * 100_000,
    "settings": frame(0x4, 0, 0, b"\x00\x03\x00\x00\x00\x64") * 100_000,
    "priorities": frame(0x2, 0, 1, b"\0\0\0\0\x10") * 100_000,
    "windows": frame(0x8, 0, 0, b"\0\0\0\x01") * 100_000,
    "empty pieces of a body": frame(0x1, END_HEADERS, 1, POSTED) + frame(0x0, 0, 1) * 100_000,
    "goodbyes": frame(0x7, 0, 0, bytes(8)) * 100_000,
    "a kind that nobody knows": frame(0xEE) * 100_000,
}


async def _others_wait(door: Door) -> float:
    """The longest of twenty others."""
    slowest = 0.0
    for _ in range(20):
        began = time.monotonic()
        assert 404 == (await door.asks("GET", NOWHERE, "Connection: close")).status
        slowest = max(slowest, time.monotonic() - began)
    return slowest


def _faults(door: Door) -> list[str]:
    """What the log tells beyond refusals, and beyond the wait for siblings that are not there."""
    lines = (door.ground.folder / "server.log").read_text("utf-8").splitlines()
    passing = ('"level":"info"', '"event":"signing_waits"', '"event":"lane_waits"')
    return [line for line in lines if not any(each in line for each in passing)]


@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_of_frames_is_over_at_once(door: Door, flood: str) -> None:
    """A84: the connection ends within a second, others are served meanwhile, nothing is kept, nothing is a fault."""
    before, faults = door.kept(), _faults(door)
    raw = PREFACE + SETTINGS + FLOODS[flood]
    parts = [raw[at : at + 65_536] for at in range(0, len(raw), 65_536)]
    flooding = asyncio.ensure_future(send(door.port, *parts, wait=3))
    slowest = await _others_wait(door)
    reply = await flooding

    assert reply.closed
    assert reply.seconds < 1
    assert {400, 405} >= set(reply.statuses)
    assert slowest < 1
    assert (before, faults) == (door.kept(), _faults(door))


async def test_ten_floods_on_end_leave_nothing(door: Door) -> None:
    """A84: as before, from ten connections at once, a frame at a time: what ends a connection holds for each."""
    before, faults = door.kept(), _faults(door)
    parts = [PREFACE, *[frame(0x6, 0, 0, b"12345678")] * 300]
    floods = [asyncio.ensure_future(send(door.port, *parts, wait=3)) for _ in range(10)]
    slowest = await _others_wait(door)

    for reply in await asyncio.gather(*floods):
        assert reply.closed
        assert reply.seconds < 1
    assert slowest < 1
    assert (before, faults) == (door.kept(), _faults(door))


async def test_who_begins_and_says_nothing_more_is_cut(doors: list[Door]) -> None:
    """A71, A84: the preface, in full or in part, is no reason to wait: closed, at five seconds at the latest."""
    faults = [_faults(door) for door in doors]
    begun = list(itertools.product(doors, (HEAD, HEAD[:10], PREFACE, PREFACE + SETTINGS, PREFACE[:-1])))
    replies = await asyncio.gather(*(send(door.port, raw, wait=9) for door, raw in begun))

    for (door, raw), reply in zip(begun, replies, strict=True):
        assert reply.closed, (door.server, raw)
        assert reply.seconds < 7, (door.server, raw)
        assert {400, 405, 408} >= set(reply.statuses), (door.server, raw)
    assert faults == [_faults(door) for door in doors]


async def test_no_upgrade_is_made(doors: list[Door]) -> None:
    """A proxy that passes on a wish for another protocol opens no tunnel through itself: answered in HTTP/1.1.

    What follows on the connection is a request like any other, or is not heard.
    """
    faults = [_faults(door) for door in doors]
    after = (b"", *NO_REQUESTS, request("GET", NOWHERE, doors[0].host))
    asked = list(itertools.product(doors, WISHES, after))
    replies = await asyncio.gather(
        *(
            send(door.port, request("GET", "/", door.host, WISHES[wish]), more, pause=0.2, wait=9)
            for door, wish, more in asked
        )
    )

    for (door, *what), reply in zip(asked, replies, strict=True):
        # What follows and is no request may be read together with what came before: then both are refused in one answer.
        refused = [[400]] if what[1] in NO_REQUESTS else []
        assert reply.statuses in ([200], [200, 400], [200, 404], [200, 405], *refused), (door.server, what)
        assert reply.closed, (door.server, what)
        assert reply.seconds < 7, (door.server, what)
    assert [True] * len(doors) == [await door.answers() for door in doors]
    assert faults == [_faults(door) for door in doors]
