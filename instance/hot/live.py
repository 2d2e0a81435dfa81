"""`/events`: pages that are open hear how many notices are unread, and that new posts have come (server-sent events).

Only numbers and kinds travel here, never a word. All streams of a process share one look at the rows a second: who is
told is found out by numbers that rise (`notice_marks`), and by whom questions ask that have just come; only for those
is anything counted. A stream ends when its session does or its doctor may no longer read (within five seconds), when
rows cannot be read for as long, at a stop, when what is sent is not taken, and after ten minutes in any case: the page
asks again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from federation.errors import TooManyRequests
from instance.hot.limits import UNREAD, room
from instance.services import notice_kinds
from instance.services.accounts import Session
from instance.storage.errors import StorageError
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.hot.answers import Answers
    from instance.storage.store import Row
    from instance.wiring import Node

#: Open streams of one session, and of this process (less where it may open few files).
PER_SESSION: Final = 2
IN_ALL: Final = 2_000
#: Seconds: between two looks, between two looks at sessions, without which a stream ends, between two beats.
LOOK, SESSIONS, UNSURE, BEAT = 1.0, 2.0, 4.5, 15.0
#: How long a stream lasts, and seconds between two counts of new posts.
LASTS: Final = 600.0
POSTS: Final = 10.0
#: How far back a look goes: what other processes have written may come a little late.
_BACK: Final = timedelta(seconds=15)
_ACCOUNTS_AT_ONCE: Final = 500
_BEAT: Final = b": \n\n"
_FIRST: Final = (0, "")


class Full(Exception):
    """There are as many streams in this process as there may be."""


@dataclass(slots=True, eq=False)
class _Stream:
    """One open page."""

    session: Session
    reader: str
    #: The newest post when the page opened.
    since: tuple[int, str]
    #: The specialties and the country whose questions ask this reader.
    facets: frozenset[str]
    waiting: dict[str, bytes] = field(default_factory=dict)
    told: dict[str, bytes] = field(default_factory=dict)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False

    def say(self, kind: str, numbers: Mapping[str, object]) -> None:
        """Have this sent, unless it was the last that was said of its kind."""
        said = json.dumps(numbers, separators=(",", ":")).encode()
        if self.told.get(kind) != said:
            self.told[kind] = self.waiting[kind] = said
            self.woken.set()

    def end(self) -> None:
        """Send no more."""
        self.over = True
        self.woken.set()

    def take(self) -> bytes:
        """What waits, as it stands on the wire."""
        parts = [b"event: %s\ndata: %s\n\n" % (kind.encode(), said) for kind, said in self.waiting.items()]
        self.waiting.clear()
        self.woken.clear()
        return b"".join(parts)


class Live:
    """The open pages of one process."""

    def __init__(self, node: Node) -> None:
        self._node, self._store = node, node.store
        self._streams: set[_Stream] = set()
        self._looking: asyncio.Task[None] | None = None
        self._stopped = False
        self._versions: dict[str, int] = {}
        self._asked: set[tuple[str, str]] = set()
        self._newest: tuple[int, str] = _FIRST
        #: Pages for which something is to be counted that concerns many at once, and what.
        self._behind: dict[_Stream, set[str]] = {}
        self._most = min(IN_ALL, room() // 2)

    @property
    def open(self) -> int:
        """How many pages are open."""
        return len(self._streams)

    async def stop(self) -> None:
        """End every stream, and begin none any more."""
        self._stopped = True
        for stream in self._streams:
            stream.end()
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)

    async def serve(
        self, session: Session, scope: Mapping[str, Any], receive: Any, send: Any, answers: Answers
    ) -> None:
        """Keep the page up to date until one of the ends above; raise TooManyRequests or Full before it begins."""
        if session.doctor is None:
            raise TypeError("a stream is a doctor's")
        if sum(stream.session.key == session.key for stream in self._streams) >= PER_SESSION:
            refusal = TooManyRequests("streams")
            refusal.retry_after = 60
            raise refusal
        if self._stopped or len(self._streams) >= self._most:
            raise Full
        stream = _Stream(session, session.doctor["uri"], _FIRST, _facets(session.doctor))
        self._streams.add(stream)
        try:
            stream.since = await self._read_newest()
            await self._count(stream.reader, [stream])
            await answers.stream(send)
            if scope.get("method") != "HEAD":
                self._look_from_now_on()
                await self._run(stream, receive, send)
            with suppress(TimeoutError):
                await _sent(send, b"", more=False)
        finally:
            self._streams.discard(stream)

    async def _run(self, stream: _Stream, receive: Any, send: Any) -> None:
        loop = asyncio.get_running_loop()
        until, gone = loop.time() + LASTS, asyncio.create_task(_gone(receive))
        try:
            while not stream.over and not gone.done() and loop.time() < until:
                await _sent(send, stream.take() or _BEAT, more=True)
                woken = asyncio.create_task(stream.woken.wait())
                try:
                    await asyncio.wait({woken, gone}, timeout=BEAT, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    woken.cancel()
        except TimeoutError:  # nobody takes what is sent
            return
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)

    # ── one look for all ──

    def _look_from_now_on(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._keep_looking(), name="open pages")

    async def _keep_looking(self) -> None:
        clock = asyncio.get_running_loop().time
        sure, sessions_at, posts_at = clock(), 0.0, 0.0
        while self._streams:
            try:
                await self._look_at_notices()
                if clock() >= sessions_at:
                    await self._look_at_sessions()
                    sessions_at, sure = clock() + SESSIONS, clock()
                await self._look_at_questions()
                if clock() >= posts_at and await self._look_at_posts():
                    posts_at = clock() + POSTS
                await self._catch_up(clock() + LOOK)
            except StorageError as fault:
                self._node.log.warning("open_pages", error=type(fault).__name__)
            if clock() - sure > UNSURE:
                for stream in self._streams:
                    stream.end()
            await asyncio.sleep(LOOK)
        self._versions.clear()
        self._behind.clear()

    async def _look_at_notices(self) -> None:
        rows = await self._store.all("live.marks", since=to_ms(self._node.clock() - _BACK))
        changed = {row["doctor"] for row in rows if self._versions.get(row["doctor"]) != row["version"]}
        self._versions = {row["doctor"]: row["version"] for row in rows}
        for doctor in changed:
            streams = [stream for stream in self._streams if stream.reader == doctor]
            if streams:
                await self._count(doctor, streams)

    async def _count(self, doctor: str, streams: list[_Stream]) -> None:
        rows = await self._store.all("views.unread_kinds", reader=doctor)
        kinds = {group.value: number for group, number in notice_kinds.counted(rows).items()}
        for stream in streams:
            stream.say("unread", {"unread": sum(kinds.values()), "kinds": kinds})

    async def _look_at_sessions(self) -> None:
        accounts = sorted({stream.session.account_id for stream in self._streams})
        living: set[bytes] = set()
        for at in range(0, len(accounts), _ACCOUNTS_AT_ONCE):
            living |= await self._node.people.reading(accounts[at : at + _ACCOUNTS_AT_ONCE])
        for stream in self._streams:
            if stream.session.key not in living:
                stream.end()

    async def _look_at_questions(self) -> None:
        """Have the unread of those counted whom a question asks that has just come: it is no row of their own."""
        rows = await self._store.all("live.asked", since=to_ms(self._node.clock() - _BACK))
        asked = {(row["id"], row["whom"]) for row in rows}
        whom, self._asked = {facet for _, facet in asked - self._asked}, asked
        for stream in self._streams:
            if whom & stream.facets:
                self._behind.setdefault(stream, set()).add("unread")

    async def _look_at_posts(self) -> bool:
        """Have counted for every page what has come since it was opened; False where nothing has."""
        newest = await self._read_newest()
        if newest == self._newest:
            return False
        self._newest = newest
        for stream in self._streams:
            if newest > stream.since:
                self._behind.setdefault(stream, set()).add("posts")
        return True

    async def _catch_up(self, until: float) -> None:
        """Count what is to be counted, until then: with many pages open the rest waits for the next look."""
        clock = asyncio.get_running_loop().time
        while self._behind and clock() < until:
            stream = next(iter(self._behind))
            kinds = self._behind.pop(stream)
            if stream not in self._streams:
                continue
            if "unread" in kinds:
                await self._count(stream.reader, [stream])
            if "posts" in kinds:
                await self._count_posts(stream)

    async def _count_posts(self, stream: _Stream) -> None:
        at, slug = stream.since
        row = await self._store.one("live.new_posts", reader=stream.reader, at=at, slug=slug)
        number = int(row["number"]) if row else 0
        if number:
            stream.say("posts", {"posts": number})

    async def _read_newest(self) -> tuple[int, str]:
        row = await self._store.one("live.newest")
        return (row["sort_at"], row["slug"]) if row else _FIRST


def _facets(doctor: Row) -> frozenset[str]:
    """What a question may ask of which this doctor is."""
    return frozenset(
        (f"country:{doctor['country']}", *(f"specialty:{each}" for each in json.loads(doctor["specialties"])))
    )


async def _sent(send: Any, body: bytes, *, more: bool) -> None:
    """Send; raise TimeoutError where it is not taken in the time for any answer."""
    async with asyncio.timeout(UNREAD):
        await send({"type": "http.response.body", "body": body, "more_body": more})


async def _gone(receive: Any) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        continue
