"""HTTP/2 at hypercorn, the one server that speaks it: served to the honest, ended for whoever only keeps it busy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

import pytest
from hyperframe.frame import (
    DataFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from federation.signatures import Profile
from tests.bench.letters import creates
from tests.servers.conftest import Door
from tests.servers.http2 import Client, connected, split_head
from tests.servers.raw import request, send

pytestmark = [
    pytest.mark.faults,
    pytest.mark.xdist_group("servers"),
    pytest.mark.parametrize("door", ["hypercorn"], indirect=True),
]
ACTIVITY = ("content-type", "application/activity+json")
FORM = ("content-type", "application/x-www-form-urlencoded")


#: A page that is not there: open documents are counted by address, and flood and others share one here.
NOWHERE = "/nowhere"


async def _others_wait(door: Door) -> float:
    """The longest of twenty others."""
    slowest = 0.0
    for _ in range(20):
        began = time.monotonic()
        assert 404 == (await door.asks("GET", NOWHERE, "Connection: close")).status
        slowest = max(slowest, time.monotonic() - began)
    return slowest


async def _nothing(client: Client) -> None:
    """Begin with the flood."""


async def _ends(
    door: Door, parts: Callable[[Client], Iterable[bytes]], *, first: Callable[[Client], Awaitable[None]] = _nothing
) -> Client:
    """Send the flood; the connection ends in time, others are served meanwhile and afterwards, nothing is kept."""
    before = door.kept()
    async with connected(door.port, door.host) as client:
        await first(client)
        sending = asyncio.ensure_future(client.send(*parts(client)))
        slowest = await _others_wait(door)
        closed = await client.until_closed(5)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

        assert closed
        assert slowest < 1
        assert before == door.kept()
        return client


async def test_an_honest_client_is_served(door: Door) -> None:
    """The twin: documents, a refusal and a signed message on one connection, side by side."""
    letter = creates(door.ground, door.ground.authors["de"], 1, Profile.CAVAGE).requests[0]
    head, _, body = letter.partition(b"\r\n\r\n")
    named = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
    fields = [(n.decode().lower(), v.decode()) for n, _, v in named if n.lower() not in (b"host", b"connection")]
    before = door.kept()
    async with connected(door.port, door.host) as client:
        asked = [client.ask("GET", "/actor"), client.ask("GET", NOWHERE), client.ask("TRACE", "/actor")]
        asked.append(client.ask("POST", "/inbox", *fields, body=body))
        await client.flush()
        statuses = await client.answered(*asked)

    assert [200, 404, 405, 202] == statuses
    assert b"publicKey" in client.streams[asked[0]].body
    assert before + 1 == door.kept()


async def test_a_long_conversation_is_served(door: Door) -> None:
    """The twin: nine hundred requests one after the other, some taken back, are no flood."""
    async with connected(door.port, door.host) as client:
        for turn in range(90):
            asked = [client.ask("GET", NOWHERE) for _ in range(10)]
            if turn % 2:
                client.h2.reset_stream(asked.pop())
            client.h2.ping(b"12345678")
            await client.flush()

            assert [404] * len(asked) == await client.answered(*asked)


async def test_requests_taken_back_at_once_end_the_connection(door: Door) -> None:
    """A84: rapid resets: a request and its reset, over and over; no more than a few hundred are ever begun."""

    def parts(client: Client) -> Iterable[bytes]:
        for number in range(20_000):
            client.h2.reset_stream(client.ask("GET", "/actor"), 8)
            if number % 20 == 19:
                yield client.h2.data_to_send()

    client = await _ends(door, parts)

    assert client.seconds < 5


async def test_a_head_that_goes_on_and_on_ends_the_connection(door: Door) -> None:
    """A84: a continuation flood: small pieces without end, empty ones, and few that are as large as may be."""
    for pieces in ([b"\x00\x01a\x01b" * 10] * 20_000, [b""] * 20_000, [b"\x00\x01a\x01b" * 3_000] * 100):
        await _ends(door, lambda client, pieces=pieces: split_head(client.encoded(client.fields("GET", "/")), pieces))


async def test_a_head_that_grows_when_it_is_unpacked_ends_the_connection(door: Door) -> None:
    """A84: a few bytes that stand for a megabyte of headers (a table entry named again and again)."""

    def parts(client: Client) -> Iterable[bytes]:
        first = client.encoded([*client.fields("GET", "/actor"), ("x", "a" * 4_000)])
        again = client.encoded([("x", "a" * 4_000)])
        return split_head(first + again * 300, [b""], end=True)

    await _ends(door, parts)


FLOODS = {
    "pings": PingFrame(0, b"12345678").serialize(),
    "settings": SettingsFrame(0, {3: 100}).serialize(),
    "priorities": PriorityFrame(1, 0, 16).serialize(),
    "windows": WindowUpdateFrame(0, 1).serialize(),
    "a kind that nobody knows": bytes([0, 0, 0, 0xEE, 0, 0, 0, 0, 0]),
}


@pytest.mark.parametrize("flood", FLOODS)
async def test_frames_that_bring_no_request_end_the_connection(door: Door, flood: str) -> None:
    """A84: a hundred thousand frames that cost an answer or a thought each."""
    await _ends(door, lambda client: [FLOODS[flood] * 200] * 500)


async def test_empty_pieces_of_a_body_end_the_connection(door: Door) -> None:
    """A84: a message whose body comes in a hundred thousand pieces of nothing."""

    def parts(client: Client) -> Iterable[bytes]:
        client.ask("POST", "/inbox", ACTIVITY, end=False)
        yield client.h2.data_to_send()
        for _ in range(500):
            yield DataFrame(1).serialize() * 200

    await _ends(door, parts)


LATE = {
    "empty pieces": DataFrame(1).serialize(),
    "pieces of one byte": DataFrame(1, b"x").serialize(),
    "windows": WindowUpdateFrame(1, 1).serialize(),
    "resets": RstStreamFrame(1, 8).serialize(),
}


@pytest.mark.parametrize("flood", LATE)
async def test_frames_for_an_exchange_that_is_over_end_the_connection(door: Door, flood: str) -> None:
    """A84: a hundred thousand frames for a message that was refused and whose stream we have reset.

    The library says nothing of such frames, and answers many of them.
    """

    async def refused(client: Client) -> None:
        client.ask("POST", "/inbox", ACTIVITY, end=False)
        client.h2.send_data(1, b"x")
        await client.flush()
        assert [401] == await client.answered(1)
        await client.send(DataFrame(1, b"x").serialize())
        await client.until(lambda: client.streams[1].reset, 5)
        assert client.streams[1].reset

    client = await _ends(door, lambda client: [LATE[flood] * 200] * 500, first=refused)

    assert client.seconds < 4  # not by the clock for those who say nothing


async def test_a_body_of_crumbs_ends_the_connection(door: Door) -> None:
    """A84: a page's form that comes in twenty thousand pieces of a byte: it is counted by what it brings."""

    def parts(client: Client) -> Iterable[bytes]:
        client.ask("POST", "/sign-in", FORM, ("origin", f"http://{client.host}"), end=False)
        yield client.h2.data_to_send()
        for _ in range(100):
            yield DataFrame(1, b"x").serialize() * 200

    client = await _ends(door, parts)

    assert client.seconds < 4


async def test_whoever_says_nothing_more_is_cut(door: Door) -> None:
    """A71, A84: after the preface, in the middle of a head, between pings: closed at five seconds."""
    whole: list[Callable[[Client], list[bytes]]] = [
        lambda client: [],
        lambda client: split_head(client.encoded(client.fields("GET", "/actor")), []),
    ]
    slow = [_quiet(door, parts) for parts in whole]
    seconds = await asyncio.gather(*slow, _pinging(door))

    assert [True] * 3 == [4 < one < 8 for one in seconds], seconds


async def _quiet(door: Door, parts: Callable[[Client], list[bytes]]) -> float:
    async with connected(door.port, door.host) as client:
        await client.send(*parts(client))
        await client.until_closed(9)
        return client.seconds


async def _pinging(door: Door) -> float:
    async with connected(door.port, door.host) as client:
        while not client.closed and time.monotonic() - client.began < 9:
            client.h2.ping(b"12345678")
            await client.flush()
            await asyncio.sleep(0.3)
        return client.seconds


async def test_an_answer_that_nobody_takes_is_given_up(door: Door) -> None:
    """A84: a client that asks and lets no byte through (a window of 0): closed after ten seconds."""
    async with connected(door.port, door.host) as client:
        client.h2.update_settings({4: 0})
        for _ in range(60):
            client.ask("GET", NOWHERE)
        await client.flush()
        slowest = await _others_wait(door)

        assert await client.until_closed(14)
        assert slowest < 1


async def test_a_body_that_comes_after_the_refusal_hurts_nobody(door: Door) -> None:
    """A message is refused unread; its body still comes, and what else runs on the connection is answered."""
    async with connected(door.port, door.host) as client:
        refused = client.ask("POST", "/inbox", ACTIVITY, end=False)
        await client.flush()
        assert [401] == await client.answered(refused)
        for _ in range(30):
            client.h2.send_data(refused, b"x" * 1_000)
        await client.flush()
        after = client.ask("GET", NOWHERE)
        await client.flush()

        assert [404] == await client.answered(after)


ODD: dict[str, list[tuple[str | bytes, str | bytes]]] = {
    "a tunnel": [(":method", "CONNECT"), (":authority", "fr.localhost")],
    "a tunnel for a socket": [
        (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/"), (":authority", "x"),
    ],
    "a method of no letters": [
        (b":method", b"G\xff"), (":scheme", "http"), (":path", "/actor"), (":authority", "x"),
    ],
    "a path of no letters": [
        (":method", "GET"), (":scheme", "http"), (b":path", b"/\xff"), (":authority", "x"),
    ],
    "no path": [(":method", "GET"), (":scheme", "http"), (":authority", "x")],
    "no method": [(":path", "/actor"), (":scheme", "http"), (":authority", "x")],
    "two paths": [(":method", "GET"), (":path", "/actor"), (":path", "/"), (":scheme", "http"), (":authority", "x")],
    "another host": [
        (":method", "GET"), (":path", "/actor"), (":scheme", "http"), (":authority", "fr.localhost"), ("host", "evil.example"),
    ],
    "a coding of transfer": [
        (":method", "POST"), (":path", "/inbox"), (":scheme", "http"), (":authority", "x"), ("transfer-encoding", "chunked"),
    ],
    "a capital letter": [
        (":method", "GET"), (":path", "/actor"), (":scheme", "http"), (":authority", "x"), ("X-A", "b"),
    ],
    "a line in a value": [
        (":method", "GET"), (":path", "/actor"), (":scheme", "http"), (":authority", "x"), (b"x", b"a\r\nb: c"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
async def test_a_head_that_means_nothing_is_refused(door: Door, odd: str) -> None:
    """A83 in HTTP/2: refused, taken back or closed; never answered as if it were well-formed, never a fault."""
    logged = _library_events(door)
    async with connected(door.port, door.host) as client:
        frame = HeadersFrame(1, client.encoded(ODD[odd]))
        frame.flags |= {"END_HEADERS", "END_STREAM"}
        await client.send(frame.serialize())
        (status,) = await client.answered(1)

    assert status in (0, 400, 405, 421)
    assert await _others_wait(door) < 1
    assert logged == _library_events(door)


def _library_events(door: Door) -> int:
    """How often something was told by a library: an exception that nobody expected."""
    return (door.ground.folder / "server.log").read_text("utf-8").count('"library"')


async def test_no_upgrade_is_made(door: Door) -> None:
    """A wish to go on in HTTP/2 is not heard: a proxy that passes it on opens no tunnel through itself."""
    headers = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
    # A page: how often the open documents are read is limited, and the floods above have read them.
    reply = await send(door.port, request("GET", "/", door.host, headers), wait=0)

    assert [200] == reply.statuses
