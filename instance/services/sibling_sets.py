"""Whom siblings speak with, and what we pass on by it: nothing of an instance to anybody outside its own set (N3).

    own      ours: `own_set`
    theirs   read once an hour and when told; kept, and held in memory: what is served and sent asks no row

A sibling that says its set has changed has none until it has been read again. One that cannot be reached keeps the last
good one until that runs out; whoever answers with anything but a set that holds has none from that moment.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import orjson

from federation import sibling_sets
from federation.allowlist import Direction, Sibling
from federation.delivery import GIVE_UP_AFTER
from federation.errors import (
    KeyAway,
    KeyNotOwned,
    Malformed,
    PinMismatch,
    Refused,
    TooManyRequests,
    UnknownKey,
)
from federation.sibling_sets import MAX_SET, OUTSIDE, PATH, WAITS, NotBelieved, Passage, SiblingSet
from federation.uri import Uri
from instance.services.fetching import Budget, Fetcher, NotListed, NotThere
from instance.services.own_set import OwnSet
from instance.storage.store import Reader as Rows
from instance.storage.store import Row, Transaction
from instance.times import from_ms, to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

#: Why a set does not count that was never believed at all.
UNREAD: Final = "set_unread"
#: Its instance says that there is another.
ANNOUNCED: Final = "set_announced"
#: Its instance answers, and shows us none.
NOT_SHOWN: Final = "set_not_shown"
REASONS: Final = (*sibling_sets.CODES, UNREAD, ANNOUNCED, NOT_SHOWN)

EVERY: Final = timedelta(hours=1)
#: After a failure: doubled each time, to a quarter of an hour.
SOON: Final = timedelta(minutes=1)
_SELDOM: Final = timedelta(minutes=15)
#: How often a sibling is taken at its word a minute; beyond that it is read a little later.
_AT_ITS_WORD: Final = 6
_LATER: Final = timedelta(seconds=10)
AT_ONCE: Final = 8
POLL: Final = 0.25
#: Answers by which it shows us none. 401 is none of them: a clock or a key is off, theirs or ours, for a while.
_SHUT: Final = frozenset({"status 403", "status 404", "status 410", "status 200"})


@dataclass(slots=True)
class Known:
    """What is known of one sibling's set."""

    #: The last one that was believed.
    last: SiblingSet | None = None
    #: Why it does not count; empty: it does.
    code: str = UNREAD
    since: datetime | None = None
    announced: int = 0
    read_at: datetime | None = None
    failures: int = 0
    not_before: datetime | None = None


@dataclass(slots=True)
class Shown:
    """How a set stands, for an administrator: how many are in it; why it does not count, if so; since when."""

    siblings: int
    code: str
    since: datetime | None
    #: Whether anything is passed on by it: with a single sibling there is nobody to whom.
    needed: bool


class SiblingSets:
    """Ours as siblings read it, theirs as they count here."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._fetcher = Fetcher(node)
        #: Ours, as siblings read it.
        self.own = OwnSet(node)
        self._known: dict[str, Known] = {}
        self._counting: Mapping[str, SiblingSet] = {}
        self._version: int | None = None
        self._word = Budget(_AT_ITS_WORD)
        self._reads: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._polling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read what is kept; where other processes share the rows, look four times a second what they have read."""
        await self.own.open()
        await self.load()
        if self._node.store.engine != "sqlite":
            self._polling = asyncio.create_task(self._poll(), name="sibling sets")

    async def stop(self) -> None:
        """Let go of what is being read."""
        tasks = [*self._reads.values(), *([self._polling] if self._polling is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def load(self) -> None:
        """Take over what the rows have, unless something newer was taken over meanwhile."""
        version, rows = await self._node.store.read(_look)
        if self._version is not None and version < self._version:
            return
        for row in rows:
            known = self._known.setdefault(row["origin"], Known())
            known.last, known.code, known.announced = _set_of(row), row["code"], int(row["announced"])
            known.since = from_ms(row["since"])
            known.read_at = from_ms(row["read_at"]) if row["read_at"] is not None else None
        self._version = version
        self._count()

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            try:
                row = await self._node.store.known("sibling_sets.version")
                if row is None or row["value"] != self._version:
                    await self.load()
            except Exception as fault:  # closed until it can be read again
                self._counting, self._version = {}, None
                self._node.log.warning("worker_fault", where="sibling sets", error=type(fault).__name__)

    def _count(self) -> None:
        self._counting = {
            origin: known.last
            for origin, known in self._known.items()
            if known.last is not None and not known.code and not known.announced
        }

    # ── asked: no row is read ──

    def passage(self, homes: Collection[str], receiver: str) -> Passage:
        """Whether something that concerns these homes may go on to the receiver."""
        return sibling_sets.passage(homes, receiver, self._node.origin, self._counting, self._node.clock())

    def __call__(self, homes: Collection[str], receiver: str) -> str:
        """Return why something is not sent to the receiver now, WAITS or OUTSIDE; empty where it is."""
        match self.passage(homes, receiver):
            case Passage.OPEN:
                return ""
            case Passage.UNKNOWN:
                return WAITS
            case Passage.CLOSED:
                return OUTSIDE

    def lets(self, homes: Collection[str], receiver: str) -> bool:
        """Whether the receiver may be shown it: what is not known is not open."""
        return self.passage(homes, receiver) is Passage.OPEN

    @property
    def _needed(self) -> bool:
        """Whether there is anybody from whom something would have to be kept: with one sibling there is nobody."""
        return len(self._node.allowlist()) > 1

    def shown(self, origin: str) -> Shown:
        """Return how a sibling's set stands here."""
        known = self._known.get(origin, Known())
        last, code, since = known.last, known.code or (ANNOUNCED if known.announced else ""), known.since
        if last is not None and not code and not last.counts(self._node.clock()):
            code, since = "set_expired", last.until
        return Shown(len(last.siblings) if last is not None and not code else 0, code, since, self._needed)

    # ── theirs ──

    def is_address(self, uri: Uri, sibling: Sibling) -> bool:
        """Whether this is where the sibling shows its set."""
        return uri == sibling.origin + PATH

    async def announced(self, sibling: Sibling) -> None:
        """A sibling says that its set has changed: it has none until it was read again."""
        origin, now = sibling.origin, self._node.clock()

        async def work(tx: Transaction) -> None:
            await tx.run("sibling_sets.announce", origin=origin, now=to_ms(now))
            await tx.run("sibling_sets.raise_version")

        await self._node.store.write(work)
        await self.load()
        known = self._known[origin]
        try:
            self._word.spend(origin, now)
            known.not_before = None
        except TooManyRequests:
            known.not_before = now + _LATER
        self._node.wake.sets.set()

    async def begin_due(self) -> int:
        """Tell of ours if it has changed, let go what waits no more, begin to read what is due; return how many."""
        await self.own.tell()
        await self._release()
        begun = 0
        if not self._needed:
            return 0
        for sibling in self._node.allowlist().open_to(Direction.FETCH):
            if sibling.origin not in self._reads and self._is_due(sibling.origin):
                self._reads[sibling.origin] = asyncio.create_task(
                    self._read_safely(sibling), name=f"set of {sibling.origin}"
                )
                begun += 1
        return begun

    async def poll_due(self) -> int:
        """The same, and wait for it."""
        begun = await self.begin_due()
        while self._reads:
            await asyncio.wait(self._reads.values())
        return begun

    async def sweep(self) -> None:
        """Give up what has waited for a set as long as anything waits."""
        now = self._node.clock()

        async def work(tx: Transaction) -> None:
            await tx.run("sibling_sets.give_up", code=WAITS, now=to_ms(now), before=to_ms(now - GIVE_UP_AFTER))

        await self._node.store.write(work)

    def _is_due(self, origin: str) -> bool:
        known, now = self._known.setdefault(origin, Known()), self._node.clock()
        if known.not_before is not None and timedelta(0) < known.not_before - now <= _SELDOM:
            return False
        if known.announced or known.code or known.read_at is None or known.failures:
            return True
        return not timedelta(0) <= now - known.read_at < EVERY

    async def _read_safely(self, sibling: Sibling) -> None:
        """Read one, whatever comes; one that hangs or lies keeps no other waiting."""
        origin, seen = sibling.origin, self._known[sibling.origin].announced
        code = ""
        try:
            async with self._places:
                await self._read(sibling, seen)
        except NotBelieved as fault:
            code = fault.code
            await self._close(origin, code, seen)
        except Refused as refusal:  # not reached, or busy: what is known counts until it runs out
            code = "not_reached" if isinstance(refusal, KeyAway | NotThere) else refusal.answer_code
        except Exception as fault:
            code = "fault"
            self._node.log.error("sibling_set", sibling=origin, code=code, exc_info=fault)
        finally:
            self._reads.pop(origin, None)
            self._settle(origin, code)

    def _settle(self, origin: str, code: str) -> None:
        known = self._known[origin]
        if not code:
            known.failures, known.not_before = 0, None
            return
        said = self._node.log.info if known.failures else self._node.log.warning
        said("sibling_set", sibling=origin, code=code)
        known.failures += 1
        known.not_before = self._node.clock() + min(SOON * 2 ** min(known.failures - 1, 4), _SELDOM)

    async def _read(self, sibling: Sibling, seen: int) -> None:
        """Read a sibling's set and keep it; raise NotBelieved, or Refused where it could not be read now."""
        document = await self._fetched(sibling)
        found, method = sibling_sets.read(document, sibling.origin, self._node.clock())
        try:
            key = await self._node.directory.pinned(method, sibling)
        except KeyAway:
            raise
        except (UnknownKey, KeyNotOwned, PinMismatch):
            raise NotBelieved("set_key_not_pinned") from None
        sibling_sets.prove(document, key)
        await self._keep(found, seen)

    async def _fetched(self, sibling: Sibling) -> Mapping[str, object]:
        url = Uri.parse(sibling.origin + PATH)
        try:
            return await self._fetcher.json(url, sibling, "application/json", limit=MAX_SET)
        except NotListed:
            raise NotBelieved(NOT_SHOWN) from None
        except NotThere as missing:
            if missing.reason not in _SHUT:
                raise
            raise NotBelieved(NOT_SHOWN, missing.reason) from None
        except Malformed as fault:
            raise NotBelieved("set_malformed", fault.reason) from None

    async def _keep(self, found: SiblingSet, seen: int) -> None:
        at = self._node.clock()
        now = to_ms(at)

        async def work(tx: Transaction) -> None:
            await tx.take_turn(f"sibling set of {found.origin}")
            row = await tx.one("sibling_sets.get", origin=found.origin)
            sibling_sets.follows(found, _set_of(row) if row is not None else None, at)
            await tx.run(
                "sibling_sets.keep", origin=found.origin, siblings=json.dumps(sorted(found.siblings)),
                sequence=found.sequence, issued=to_ms(found.issued), until=to_ms(found.until), now=now, seen=seen,
            )  # fmt: skip
            await tx.run("sibling_sets.raise_version")

        await self._node.store.write(work)
        await self.load()
        await self._release()

    async def _release(self) -> None:
        """Let go what waits for sets that are known by now, whether or not they were when that was written down.

        Looked for at every tick: whoever asked before a set was there may put its delivery aside after it was.
        """
        waiting = await self._node.store.all("sibling_sets.waiting", code=WAITS)
        known = [
            row for row in waiting if self.passage(row["homes"].split(), row["origin"]) is not Passage.UNKNOWN
        ]  # fmt: skip
        if not known:
            return

        async def work(tx: Transaction) -> None:
            now = to_ms(self._node.clock())
            for row in known:
                await tx.run("sibling_sets.release", origin=row["origin"], homes=row["homes"], code=WAITS, now=now)

        await self._node.store.write(work)
        self._node.wake.deliveries.set()

    async def _close(self, origin: str, code: str, seen: int) -> None:
        """Nobody is in this set from now on."""
        known = self._known[origin]
        known.code = code
        self._count()

        async def work(tx: Transaction) -> None:
            await tx.run("sibling_sets.close", origin=origin, code=code, now=to_ms(self._node.clock()), seen=seen)
            await tx.run("sibling_sets.raise_version")

        await self._node.store.write(work)
        await self.load()


async def _look(rows: Rows) -> tuple[int, list[Row]]:
    version = await rows.one("sibling_sets.version")
    if version is None:
        raise ValueError("the version of siblings' sets is missing")
    return int(version["value"]), await rows.all("sibling_sets.all")


def _set_of(row: Row) -> SiblingSet | None:
    """The set last believed; None where there was none."""
    if not row["issued"]:
        return None
    siblings = frozenset(orjson.loads(row["siblings"]))
    return SiblingSet(
        row["origin"], siblings, int(row["sequence"]), from_ms(row["issued"]), from_ms(row["until"])
    )  # fmt: skip
