"""What publishers say, brought in by an editor: sources, what is read of them, and what is taken away again.

Nothing is read without a source that an editor has added and an administrator, who is somebody else, has approved. What
was imported is nobody's word here: it has no author, is shown in the newsroom alone, and has no way out of this
instance, since no activity is ever made of it. Codes raised here: CODES.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from federation.errors import Refused
from federation.uri import BadUri, Uri
from instance import feeds
from instance.ids import new_ulid
from instance.services.doctors import check_specialties
from instance.services.drafts import check_language
from instance.services.errors import Missing, Rejected
from instance.services.staff_acts import record
from instance.storage.store import Row, Transaction
from instance.text import one_line
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node
    from verification.people import Actor

CODES: Final = (
    "source_unnamed", "field_too_long", "bad_specialties", "bad_language", "bad_feed_address", "feed_of_federation",
    "source_known", "too_many_sources", "source_not_approved", "source_approved", "same_person", "not_found",
    "feed_too_large", "feed_encoding", "feed_doctype", "feed_malformed", "no_feed",
)  # fmt: skip

MAX_NAME: Final = 100
MAX_SOURCES: Final = 100
#: How often a feed is read, at most; and how many in one go.
EVERY: Final = timedelta(hours=1)
AT_ONCE: Final = 10
#: How much of one source is shown.
MOST_SHOWN: Final = 300
#: What a feed may say to be.
_TYPES: Final = ("application/rss+xml", "application/atom+xml", "application/rdf+xml", "application/xml", "text/xml")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDraft:
    """A source as typed; without an address its feeds are brought as files."""

    name: str = ""
    specialty: str = ""
    language: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Brought:
    """What came of one feed: new items, and entries that could not be shown."""

    new: int
    left_out: int


class Newsroom:
    """Sources and what was imported from them."""

    def __init__(self, node: Node) -> None:
        self._node, self._store = node, node.store

    # ── sources ──

    async def add(self, draft: SourceDraft, actor: Actor) -> str:
        """Keep a source that waits for an administrator; return its id. Nothing is read of it."""
        name = one_line(draft.name)
        if not name:
            raise Rejected("source_unnamed", "name")
        if len(name) > MAX_NAME:
            raise Rejected("field_too_long", "name")
        check_specialties((draft.specialty,))
        values = {"name": name, "specialty": draft.specialty, "language": check_language(draft.language)}
        address, id = self._address(draft.address), new_ulid(self._node.clock())

        async def work(tx: Transaction) -> str:
            await tx.take_turn("news sources")
            known = await tx.all("news.sources")
            if address and any(row["address"] == address for row in known):
                raise Rejected("source_known", "address", status=409)
            if len(known) >= MAX_SOURCES:
                raise Rejected("too_many_sources", status=409)
            now = self._node.clock()
            await tx.run("news.add_source", id=id, address=address, added_by=actor.id, now=to_ms(now), **values)
            await record(tx, "news_source_added", actor.id, id, now, whom=_called(id))
            return id

        return await self._store.write(work)

    def _address(self, text: str) -> str:
        """An address that may be asked: https, and of nobody in the federation; plain http where all is on loopback."""
        typed = text.strip()
        if not typed:
            return ""
        try:
            found = Uri.parse(typed)
        except BadUri:
            raise Rejected("bad_feed_address", "address") from None
        if found.is_loopback and not self._node.config.development:
            raise Rejected("bad_feed_address", "address")
        if found.origin == self._node.origin or self._node.allowlist().find(found.origin) is not None:
            raise Rejected("feed_of_federation", "address")
        return str(found.without_fragment())

    async def approve(self, id: str, actor: Actor) -> None:
        """Let a source be read from now on; raise Rejected: same_person, source_approved; Missing."""

        async def work(tx: Transaction) -> None:
            row, now = await self._source(tx, id), self._node.clock()
            if row["added_by"] == actor.id:
                raise Rejected("same_person", status=403)
            if not await tx.run("news.approve_source", id=id, by=actor.id, now=to_ms(now)):
                raise Rejected("source_approved", status=409)
            await record(tx, "news_source_approved", actor.id, id, now, whom=_called(id))

        await self._store.write(work)
        self._node.wake.news.set()

    async def end(self, id: str, actor: Actor) -> None:
        """Read a source no more, and take away everything that came from it; raise Missing."""

        async def work(tx: Transaction) -> None:
            if not await tx.run("news.end_source", id=id):
                raise Missing()
            await record(tx, "news_source_ended", actor.id, id, self._node.clock(), whom=_called(id))

        await self._store.write(work)

    async def withdraw(self, item: str, actor: Actor) -> None:
        """Take one item away for good; raise Missing where none is shown."""

        async def work(tx: Transaction) -> None:
            now = self._node.clock()
            if not await tx.run("news.withdraw_item", id=item, now=to_ms(now)):
                raise Missing()
            await record(tx, "news_item_withdrawn", actor.id, item, now, whom=_called(item))

        await self._store.write(work)

    # ── what they say ──

    async def bring(self, id: str, data: bytes) -> Brought:
        """Take a feed in that an editor brings as a file; raise Rejected: source_not_approved, and what feeds are."""
        row = await self._store.one("news.source", id=id)
        if row is None:
            raise Missing()
        if row["approved_at"] is None:
            raise Rejected("source_not_approved", status=409)
        try:
            feed = await asyncio.to_thread(feeds.read, data)
        except feeds.BadFeed as bad:
            raise Rejected(bad.code, "file") from None
        return await self._keep(id, feed)

    async def fetch_due(self) -> int:
        """Read every feed whose hour has come; return how many were asked. One that fails is asked an hour later."""
        due = await self._store.all("news.due", now=to_ms(self._node.clock()), most=AT_ONCE)
        return sum([await self._fetch(row) for row in due])

    async def sweep(self) -> None:
        """Take away what is older than it is kept, and forget what its feed holds no more."""
        now = self._node.clock()
        before = to_ms(now - self._kept())

        async def work(tx: Transaction) -> None:
            await tx.run("news.withdraw_old", now=to_ms(now), before=before)
            await tx.run("news.forget_items", before=before)

        await self._store.write(work)

    async def _fetch(self, row: Row) -> int:
        if not await self._claim(row):
            return 0
        code = await self._read(row)
        if code:
            self._node.log.warning("feed", code=code, id=row["id"])

        async def settle(tx: Transaction) -> None:
            await tx.run("news.settled", id=row["id"], now=to_ms(self._node.clock()), code=code)

        await self._store.write(settle)
        return 1

    async def _claim(self, row: Row) -> int:
        """Put its next hour down before it is asked: a process that dies asks nobody twice."""
        next_at = to_ms(self._node.clock() + EVERY)

        async def work(tx: Transaction) -> int:
            return await tx.run("news.claim", id=row["id"], seen=row["next_at"], next_at=next_at)

        return await self._store.write(work)

    async def _read(self, row: Row) -> str:
        """Ask for a feed and keep what is new; return why that could not be, or nothing."""
        from federation.wire import NotApproved, NotReached

        approved = {each["address"] for each in await self._store.all("news.approved")}
        try:
            answer = await self._node.wire.get_feed(Uri.parse(row["address"]), approved, limit=feeds.MAX_FEED)
            if answer.status != 200:
                return "redirected" if 300 <= answer.status < 400 else f"http_{answer.status}"
            kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind not in _TYPES:
                return "feed_type"
            await self._keep(row["id"], await asyncio.to_thread(feeds.read, answer.body))
        except NotApproved:
            return "not_approved"
        except (NotReached, feeds.BadFeed, Refused) as fault:
            return fault.code
        except Missing:
            return ""  # ended meanwhile
        return ""

    async def _keep(self, id: str, feed: feeds.Feed) -> Brought:
        now = self._node.clock()
        oldest = now - self._kept()

        async def work(tx: Transaction) -> int:
            source, new = await self._source(tx, id), 0
            for entry in feed.entries:
                at = min(entry.published or now, now)
                if at < oldest:
                    continue
                new += await self._keep_one(tx, source, entry, at, now)
            await tx.run("news.withdraw_beyond", source=id, most=MOST_SHOWN, now=to_ms(now))
            return new

        return Brought(await self._store.write(work), feed.left_out)

    async def _keep_one(
        self, tx: Transaction, source: Row, entry: feeds.Entry, at: datetime, now: datetime
    ) -> int:  # fmt: skip
        key = {"source": source["id"], "guid": hashlib.sha256(entry.guid.encode()).hexdigest(), "link": entry.link}
        await tx.run("news.seen_item", now=to_ms(now), **key)
        return await tx.run(
            "news.add_item", id=new_ulid(now), specialty=source["specialty"], title=entry.title, summary=entry.summary,
            sort_at=to_ms(at), now=to_ms(now), **key,
        )  # fmt: skip

    async def _source(self, tx: Transaction, id: str) -> Row:
        row = await tx.one("news.source", id=id)
        if row is None:
            raise Missing()
        return row

    def _kept(self) -> timedelta:
        return timedelta(days=self._node.config.imported_days)


def _called(id: str) -> str:
    """What the audit log calls a source or an item."""
    return f"n-{id.lower()}"
