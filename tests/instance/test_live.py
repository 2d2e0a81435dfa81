"""Pages that are open: what they hear over real sockets under every server, how many there may be, and when they end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from instance.asgi import FederationApp
from instance.frame import cookie_name
from instance.hot import live
from instance.serve import SERVERS
from instance.services import notices
from tests.instance.test_telling import SECRETS, TITLE, WORDS, put
from tests.tools.ports import free_ports
from tests.town import PASSWORD, Network, Pages, Person, Place, rows

pytestmark = pytest.mark.faults


class Page:
    """An open page: what its connection has brought."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer, self.text = reader, writer, ""

    async def until(self, words: str, seconds: float = 6) -> float:
        """Read until this stands there; return the seconds it took."""
        began = time.monotonic()
        async with asyncio.timeout(seconds):
            while words not in self.text:
                part = await self.reader.read(4_096)
                assert part, self.text
                self.text += part.decode()
        return time.monotonic() - began

    async def to_the_end(self, seconds: float = 6) -> float:
        """Read until the stream ends; return the seconds it took."""
        began = time.monotonic()
        async with asyncio.timeout(seconds):
            while not self.text.endswith("0\r\n\r\n"):
                part = await self.reader.read(4_096)
                if not part:
                    break
                self.text += part.decode()
        return time.monotonic() - began

    @property
    def status(self) -> int:
        """Of the answer."""
        return int(self.text.split(" ", 2)[1])

    def said(self, kind: str) -> list[Any]:
        """What was said of this kind, in its order."""
        lines = [line for line in self.text.splitlines() if line.startswith(("event: ", "data: "))]
        pairs = zip(lines[::2], lines[1::2], strict=False)
        return [json.loads(data[6:]) for event, data in pairs if event == f"event: {kind}"]


class Open:
    """The French instance behind one server, with Marie and Anna."""

    def __init__(self, place: Place, port: int, stop: asyncio.Event) -> None:
        self.place, self.port, self.stop = place, port, stop
        self.marie: Person = None  # type: ignore[assignment]
        self.anna: Person = None  # type: ignore[assignment]
        self.pages: list[Page] = []

    async def token(self, login: str = "marie") -> str:
        """A new session."""
        return (await self.place.node.people.sign_in(login, PASSWORD, "")).token

    async def page(self, token: str = "", path: str = "/events") -> Page:
        """Open a page of that session, to the end of the answer's head."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        cookie = f"Cookie: {cookie_name(self.place.node, 'session')}={token}\r\n" if token else ""
        writer.write(f"GET {path} HTTP/1.1\r\nHost: fr.example\r\n{cookie}\r\n".encode())
        page = Page(reader, writer)
        self.pages.append(page)
        await page.until("\r\n\r\n")
        return page

    async def answer(self) -> None:
        """Anna answers a new case of Marie's."""
        slug = await self.marie.posts(TITLE, text=WORDS)
        await self.anna.comments(f"https://fr.example/posts/{slug}", WORDS)


@pytest.fixture(params=sorted(SERVERS))
async def town(request: pytest.FixtureRequest, tmp_path, monkeypatch) -> AsyncIterator[Open]:
    """Served by each server in turn."""
    monkeypatch.setattr(live, "POSTS", 0.2)
    network = await Network.open(tmp_path)
    place = await network.add(tmp_path, "fr", language="en")
    (port,) = free_ports(1)
    stop = asyncio.Event()
    app = FederationApp(place.node, Pages(place.node), server=request.param)
    serving = asyncio.create_task(SERVERS[request.param](app, f"127.0.0.1:{port}", stop))  # type: ignore[arg-type]
    town = Open(place, port, stop)
    town.marie, town.anna = await place.doctor("marie"), await place.doctor("anna")
    await _until_it_listens(port)
    yield town
    for page in town.pages:
        page.writer.close()
    await place.node.live.stop()
    stop.set()
    await asyncio.wait_for(serving, 10)
    await network.close()


async def _until_it_listens(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)


async def test_the_number_rises_and_falls_while_the_page_is_open(town):
    """Within two seconds, in numbers and kinds alone, and kept by nobody on the way."""
    page = await town.page(await town.token())
    await page.until('"unread":0')
    await town.answer()
    seconds = await page.until('"unread":1')
    await notices.read_all(town.place.node.store, town.marie.uri, town.place.network.clock())
    await page.until('event: unread\ndata: {"unread":0,"kinds":{}}\n\n')
    head = page.text.partition("\r\n\r\n")[0].lower()

    assert seconds < 2.5
    assert {"unread": 1, "kinds": {"answers": 1}} in page.said("unread")
    assert 200 == page.status
    assert "content-type: text/event-stream" in head
    assert "cache-control: private, no-store" in head
    assert [] == [word for word in SECRETS if word in page.text]


async def test_a_question_to_a_specialty_is_heard(town):
    """It is no row of the reader's own; whom it does not ask hears nothing of it."""
    await town.place.doctor("skin", specialty="dermatology")
    page, other = await town.page(await town.token()), await town.page(await town.token("skin"))
    await page.until('"unread":0')
    await other.until('"unread":0')
    await town.anna.posts(TITLE, text=WORDS, kind="question")

    assert await page.until('{"unread":1,"kinds":{"requests":1}}') < 3
    assert [{"unread": 0, "kinds": {}}] == other.said("unread")


async def test_what_another_process_wrote_is_heard(town):
    """The rows are looked at, not this process."""
    page = await town.page(await town.token())
    await page.until('"unread":0')
    now = int(town.place.network.clock().timestamp() * 1000)
    await put(
        town.place,
        "insert into notifications (id, doctor, kind, actor, at) values "
        f"('{'0' * 25}1', '{town.marie.uri}', 'followed', '{town.anna.uri}', {now})",
    )
    await put(town.place, f"insert into notice_marks values ('{town.marie.uri}', 1, {now})")

    assert await page.until('"unread":1') < 2.5


async def test_new_posts_are_counted_as_far_as_they_may_be_seen(town):
    """A colleague's case is one; the own, and what is for somebody else, is none."""
    await town.place.doctor("leo")
    page = await town.page(await town.token())
    await page.until('"unread":0')
    town.place.network.clock.move(seconds=2)
    await town.marie.posts(TITLE, text=WORDS)
    await town.anna.posts(TITLE, text=WORDS, audience="named", named=("leo",))
    await asyncio.sleep(2.5)
    before = page.said("posts")
    town.place.network.clock.move(seconds=2)
    await town.anna.posts(TITLE, text=WORDS)
    await page.until("event: posts")
    await page.until("}\n\n")

    assert [] == before
    assert [{"posts": 1}] == page.said("posts")


async def test_who_may_not_read_hears_nothing(town):
    """Nobody, somebody suspended, a third page of one session, and whoever comes when all places are taken."""
    token = await town.token()
    nobody, wrong = await town.page(), await town.page("x" * 43)
    with_query = await town.page(token, "/events?reader=anna")
    first, second = await town.page(token), await town.page(token)
    third, other_session = await town.page(token), await town.page(await town.token())
    town.place.node.live._most = 3
    full = await town.page(await town.token("anna"))
    suspended = await town.token("anna")
    await put(town.place, f"update doctors set standing = 'suspended' where uri = '{town.anna.uri}'")
    out = await town.page(suspended)

    assert (401, 401) == (nobody.status, wrong.status)
    assert with_query.status in (404, 401)
    assert (200, 200, 429, 200) == (first.status, second.status, third.status, other_session.status)
    assert (503, 403) == (full.status, out.status)


@pytest.mark.parametrize("way", ["signed out", "suspended", "disabled"])
async def test_a_page_ends_with_what_it_stands_on(town, way):
    """Within five seconds; somebody else's goes on."""
    token = await town.token()
    page, other = await town.page(token), await town.page(await town.token("anna"))
    await page.until('"unread":0')
    if way == "signed out":
        await town.place.node.people.sign_out(token)
    elif way == "suspended":
        await put(town.place, f"update doctors set standing = 'suspended' where uri = '{town.marie.uri}'")
    else:
        await put(town.place, f"update accounts set disabled_at = 1 where doctor = '{town.marie.uri}'")
    seconds = await page.to_the_end()

    assert seconds < 5
    assert 200 == other.status
    assert 1 == town.place.node.live.open


async def test_a_page_that_stays_open_keeps_no_session_alive(town):
    """It asks by itself, with nobody before it: a session grows idle all the same, and the page ends with it."""
    token = await town.token()
    seen = "select max(last_seen_at) as at from sessions"
    before = (await rows(town.place.node, seen))[0]["at"]
    town.place.network.clock.move(hours=1)
    page = await town.page(token)
    await page.until('"unread":0')

    assert before == (await rows(town.place.node, seen))[0]["at"]


async def test_a_stop_waits_for_no_page(town):
    """Open pages are ended, and none begins any more."""
    page = await town.page(await town.token())
    await page.until('"unread":0')
    began = time.monotonic()
    await town.place.node.workers.stop()
    await page.to_the_end()
    late = await town.page(await town.token())

    assert time.monotonic() - began < 2
    assert 503 == late.status


async def test_who_goes_leaves_a_place(town):
    """A connection that was closed counts no more."""
    page = await town.page(await town.token())
    await page.until('"unread":0')
    page.writer.transport.abort()
    async with asyncio.timeout(20):
        while town.place.node.live.open:
            await asyncio.sleep(0.1)

    assert 0 == town.place.node.live.open


# ── without a server ──


@pytest.fixture
async def fr(tmp_path) -> AsyncIterator[Place]:
    """The French instance."""
    network = await Network.open(tmp_path)
    yield await network.add(tmp_path, "fr", language="en")
    await network.close()


async def hold(place: Place, login: str, send: Callable[[Any], Awaitable[None]]) -> asyncio.Task[None]:
    """An open page whose answer goes here."""
    session = await place.node.people.session((await place.node.people.sign_in(login, PASSWORD, "")).token)
    assert session is not None

    async def receive() -> Any:
        await asyncio.Event().wait()

    return asyncio.create_task(
        place.node.live.serve(session, {"method": "GET"}, receive, send, place.app._answers)  # type: ignore[arg-type]
    )


async def test_whoever_takes_nothing_is_given_up(fr, monkeypatch):
    """After the time for any answer; it keeps no other from hearing."""
    monkeypatch.setattr(live, "UNREAD", 0.2)
    await fr.doctor("marie")

    async def stuck(message: Any) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    page = await hold(fr, "marie", stuck)
    await asyncio.wait_for(page, 3)

    assert 0 == fr.node.live.open


async def test_all_pages_share_one_look(fr, monkeypatch):
    """With ten pages open as much is asked of the rows as with one."""
    monkeypatch.setattr(live, "LOOK", 0.05)
    monkeypatch.setattr(live, "SESSIONS", 0.1)
    asked: Counter[str] = Counter()
    every = fr.node.store.all

    async def counted(query: str, /, **values: Any) -> Any:
        asked[query] += 1
        return await every(query, **values)

    async def take(_: Any) -> None:
        return

    for number in range(10):
        await fr.doctor(f"reader{number}")
    pages = [await hold(fr, f"reader{number}", take) for number in range(10)]
    await asyncio.sleep(0.3)
    monkeypatch.setattr(
        fr.node.live, "_store", type("Counting", (), {"all": staticmethod(counted), "one": fr.node.store.one})()
    )
    await asyncio.sleep(1)
    await fr.node.live.stop()
    await asyncio.gather(*pages)

    assert 5 <= asked["live.marks"] <= 21
    assert 0 == asked["views.unread_kinds"]
