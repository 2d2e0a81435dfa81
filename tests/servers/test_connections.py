"""How many connections an address may hold, how much one connection may ask, and who is not counted."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
import uvloop

from instance.hot.limits import CONNECTIONS, ConnectionLimit
from instance.serve import GRACE, REQUESTS, SERVERS
from tests.servers.conftest import Door
from tests.servers.raw import request, send
from tests.tools.ports import free_ports

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("servers")]
#: granian accepts connections itself: behind it, as behind any proxy, the limit is the proxy's.
COUNTERS = ("hypercorn", "uvicorn")
COUNTING = pytest.mark.parametrize("server", COUNTERS)
GET = request("GET", "/", "x")
LAST = request("GET", "/", "x", ("Connection: close",))
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
T = TypeVar("T")


#: What asks to go on in another protocol; RFC 6455 wants a key with it, RFC 7540 wanted settings.
WISHES = {
    "a socket": ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="),
    "a socket without a key": ("Connection: Upgrade", "Upgrade: websocket"),
    "HTTP/2": ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
    "HTTP/2 without settings": ("Connection: Upgrade", "Upgrade: h2c"),
}  # fmt: skip


async def page(scope: Any, receive: Any, send: Any) -> None:
    """Two hundred bytes for everybody, or as many as are asked for."""
    size = int(scope["path"][1:] or 200)
    headers = [(b"content-length", b"%d" % size)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"x" * size})


async def reads(scope: Any, receive: Any, send: Any) -> None:
    """The page, once all of the request has come; nothing for whoever has gone before."""
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return
        more = message.get("more_body", False)
    await page({"path": "/"}, receive, send)


@asynccontextmanager
async def served(
    server: str, uncounted: Sequence[str] = (), most: int = CONNECTIONS, app: Any = page
) -> AsyncIterator[int]:
    """The page at a port, with a limit that does not count these networks."""
    (port,) = free_ports(1)
    stop = asyncio.Event()
    serving = asyncio.ensure_future(SERVERS[server](app, f"127.0.0.1:{port}", stop, ConnectionLimit(uncounted, most)))
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


async def at_each(story: Callable[[str], Awaitable[T]]) -> list[T]:
    """Tell a story in which one waits for seconds at all servers at once."""
    return list(await asyncio.gather(*map(story, COUNTERS)))


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


async def test_whoever_reads_no_answer_is_cut_off() -> None:
    """A71: asks for much and takes nothing of it: after ten seconds there is room for the next of this address."""

    async def story(server: str) -> tuple[int, int, float]:
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
        return early.status, later.status, seconds

    for server, (early, later, seconds) in zip(COUNTERS, await at_each(story), strict=True):
        assert (0, 200) == (early, later), server
        assert 9 < seconds < 13, server


async def _next_is_answered(port: int, *, within: float) -> float:
    """Seconds until the next client of this address is answered."""
    began = time.monotonic()
    while time.monotonic() - began < within:
        if (await send(port, LAST, wait=0)).status == 200:
            return time.monotonic() - began
        await asyncio.sleep(0.1)
    raise AssertionError("nobody else was answered")


def in_uvloop(story: Callable[[str], Awaitable[T]]) -> list[T]:
    """Tell it on the event loop that an instance runs on: it says of buffers other things than asyncio's own."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(at_each(story))


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers to whose connections the kernel lends little: most of an answer waits in the server itself."""
    bind = socket.socket.bind

    def bound(one: socket.socket, address: Any) -> None:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        bind(one, address)

    monkeypatch.setattr(socket.socket, "bind", bound)


def deaf(port: int, raw: bytes) -> socket.socket:
    """A client that asks and takes nothing."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
    one.connect(("127.0.0.1", port))
    one.sendall(raw)
    return one


@pytest.mark.usefixtures("narrow")
def test_whoever_takes_no_goodbye_is_let_go() -> None:
    """A71: little enough that nobody waits for room, never read: before a goodbye, and in the middle of a conversation.

    The first is gone after the ten seconds for an answer, the other after the five between requests and those ten.
    """

    async def story(server: str) -> tuple[float, float]:
        async with served(server, most=2) as port:
            held = [deaf(port, request("GET", "/60000", "x", more)) for more in (("Connection: close",), ())]
            await asyncio.sleep(0.5)
            assert 0 == (await send(port, LAST, wait=0)).status
            first = await _next_is_answered(port, within=14)
            taken = await _open(port, 1)
            assert await _is_answered(taken[0])
            second = await _next_is_answered(port, within=8) + first
            await _hang_up(taken[0][1])
            for one in held:
                one.close()
        return first, second

    for server, (first, second) in zip(COUNTERS, in_uvloop(story), strict=True):
        assert 8 < first < 13, server
        assert 13 < second < 19, server


async def test_a_wish_to_speak_otherwise_holds_nothing() -> None:
    """A71: an upgrade is asked for, with and without what belongs to it; answered, and let go like any other."""

    async def story(server: str) -> tuple[list[bytes], float]:
        async with served(server, most=len(WISHES)) as port:
            held = await _open(port, len(WISHES))
            for (_, writer), wish in zip(held, WISHES.values(), strict=True):
                writer.write(request("GET", "/", "x", wish))
            answers = [await reader.readuntil(b"x" * 200) for reader, _ in held]
            seconds = await _next_is_answered(port, within=8)
            for _, writer in held:
                await _hang_up(writer)
        return answers, seconds

    for server, (answers, seconds) in zip(COUNTERS, await at_each(story), strict=True):
        assert [b"200"] * len(WISHES) == [answer[9:12] for answer in answers], server
        assert seconds < 7, server


@COUNTING
@pytest.mark.parametrize("abruptly", [False, True])
async def test_whoever_goes_in_the_middle_of_a_message_leaves_nothing(server: str, abruptly: bool) -> None:
    """A message whose other half never comes, since its sender has gone: no task and no place is kept for it."""
    async with served(server, most=1, app=reads) as port:
        before = len(asyncio.all_tasks())
        for _ in range(5):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request("POST", "/", "x", ("Content-Length: 1000",), b"half"))
            await asyncio.sleep(0.1)
            assert before < len(asyncio.all_tasks())
            if abruptly:
                writer.transport.abort()
            else:
                await _hang_up(writer)
            assert await _next_is_answered(port, within=1) < 1
        await asyncio.sleep(0.1)

        assert before == len(asyncio.all_tasks())


async def test_an_application_that_is_called_off_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """What is cancelled answers nobody, holds no place, and is no fault; the next is answered."""

    async def called_off(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/off":
            raise asyncio.CancelledError
        await page(scope, receive, send)

    async with served("hypercorn", most=1, app=called_off) as port:
        reply = await send(port, request("GET", "/off", "x"), wait=3)

        assert (b"", True) == (reply.raw, reply.closed)
        assert await _next_is_answered(port, within=1) < 1
    assert [] == caplog.records


async def test_a_stop_ends_what_is_idle_at_once() -> None:
    """Whoever has been answered, or has said nothing yet, is not waited for."""
    async with served("hypercorn") as port:
        held = await _open(port, 2)
        assert await _is_answered(held[0])
        began = time.monotonic()
    seconds = time.monotonic() - began
    for _, writer in held:
        await _hang_up(writer)

    assert seconds < 1


async def test_a_stop_waits_no_longer_for_whoever_takes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Seven seconds, then answers that nobody takes are let go at once; hypercorn's listener tells of no fault."""

    async def story(server: str) -> float:
        async with served(server) as port:
            one = await asyncio.to_thread(deaf, port, request("GET", "/20000000", "x"))
            await asyncio.sleep(0.5)
            began = time.monotonic()
        seconds = time.monotonic() - began
        one.close()
        return seconds

    for server, seconds in zip(COUNTERS, await at_each(story), strict=True):
        assert GRACE - 1 < seconds < GRACE + 1, server
    assert [] == [record for record in caplog.records if not record.name.startswith("uvicorn")]
