"""What siblings said and we did not hear: a gap in the numbers is seen, and what is missing is read in their log.

    look   move the mark over the numbers that have come without a gap; what lies beyond one is a gap
    pull   read GET /siblings/{host}/log/{after} page by page, each entry through the door's own checks

A pull is due at the start, when a gap has stood for a minute, when a sibling counts in an epoch that is not known here,
and an hour after the last. Each sibling is read for itself, one pull at a time: one that hangs delays nobody.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from federation import catch_up
from federation.allowlist import Direction, Sibling
from federation.catch_up import Entry, LogNumber, Page
from federation.delivery import is_final
from federation.errors import Malformed, Refused
from federation.uri import Uri
from instance.services.fetching import Fetcher, NotThere
from instance.services.taking_back import TakingBack
from instance.storage.store import Transaction

if TYPE_CHECKING:
    from instance.wiring import Node

#: After this long without one a log is read all the same: the last message may be the one that was lost.
SELDOM: Final = timedelta(hours=1)
#: Between two pulls that found nothing to mend, or nobody to answer: doubled each time, to an hour.
SOONEST: Final = timedelta(minutes=1)
#: Pages of one pull; what is left follows at the next look, after everybody else had theirs.
PAGES: Final = 20
#: Logs that are read at the same moment.
AT_ONCE: Final = 8
#: Numbers looked at in one step.
STEP: Final = 1_000


def _rest(failures: int) -> timedelta:
    """How long to rest after one more failure than these."""
    rest: timedelta = SOONEST * 2 ** min(failures, 8)
    return min(rest, SELDOM)


@dataclass(slots=True)
class _Log:
    """What this process knows of a sibling's log."""

    epoch: str = ""
    mark: int = 0
    #: The epoch of a message that came in another one than is known.
    other: str = ""
    gap_since: datetime | None = None
    looked_at: datetime | None = None
    not_before: datetime | None = None
    failures: int = 0
    more: bool = False
    #: When it is asked again what it holds of ours, and how often in a row it could not be.
    ask_at: datetime | None = None
    not_asked: int = 0


@dataclass(slots=True)
class _Reading:
    """How far one pull has come: the mark, and the numbers that are here beyond it."""

    mark: int
    here: set[int] = field(default_factory=set)
    #: Who could not be heard: what they said later does not overtake what they said first.
    put_off: set[str] = field(default_factory=set)

    def has(self, number: int) -> bool:
        """Whether this number came before."""
        return number <= self.mark or number in self.here

    def came(self, number: int, last: int) -> None:
        """These numbers are settled; the mark moves as far as nothing is missing."""
        if number <= self.mark + 1:
            self.mark = max(self.mark, last)
        elif number == last:
            self.here.add(number)
        while self.mark + 1 in self.here:
            self.mark += 1


class CatchingUp:
    """The logs of all siblings, as far as they are known here."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._fetcher = Fetcher(node)
        self.back = TakingBack(node)
        self._logs: dict[str, _Log] = {}
        self._pulls: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(AT_ONCE)

    async def open(self) -> None:
        """Remember how far our own logs went when this process began: more than that is news to these rows."""
        await self.back.open()

    async def stop(self) -> None:
        """Let go of what is being read; it is read again."""
        pulls, self._pulls = self._pulls, {}
        for pull in pulls.values():
            pull.cancel()
        await asyncio.gather(*pulls.values(), return_exceptions=True)

    @property
    def gaps(self) -> int:
        """In how many siblings' logs something is missing here, as this process last saw it."""
        return sum(log.gap_since is not None for log in self._logs.values())

    def heard(self, origin: str, place: LogNumber) -> None:
        """A numbered message was kept: remember where it counts in an epoch that is not known here."""
        log = self._logs.get(origin)
        if log is not None and log.epoch != place.epoch:
            log.other = place.epoch

    async def begin_due(self) -> int:
        """Look at every sibling's numbers, and begin to read where that is due; return how many were begun."""
        siblings = self._siblings()
        for sibling in siblings:
            await self._look(sibling.origin)
        self._node.metrics.log_gaps.set(self.gaps)
        due = [each for each in siblings if each.origin not in self._pulls and self._is_due(each.origin)]
        for sibling in due:
            task = asyncio.create_task(self._pull_safely(sibling), name=f"log of {sibling.origin}")
            self._pulls[sibling.origin] = task
        return len(due)

    async def poll_due(self) -> int:
        """The same, and wait until nobody is being read; return how many were."""
        begun = await self.begin_due()
        while self._pulls:
            await asyncio.wait(self._pulls.values())
        return begun

    # ── looking ──

    def _siblings(self) -> list[Sibling]:
        allowlist = self._node.allowlist()
        return [each for each in allowlist.open_to(Direction.FETCH) if each.refusal(Direction.IN) is None]

    async def _look(self, origin: str) -> _Log:
        """Move the mark as far as nothing is missing, and note since when something is."""
        log = self._logs.setdefault(origin, _Log())
        known = await self._node.store.one("logs.known", origin=origin)
        if known is None:
            return log
        if log.epoch != known["epoch"]:
            log.epoch, log.other = known["epoch"], "" if log.other == known["epoch"] else log.other
        log.mark = int(known["mark"])
        reading, rest = await self._read_on(origin, log)
        if reading.mark > log.mark:
            log.mark = reading.mark
            await self._run("logs.advance", origin=origin, epoch=log.epoch, mark=log.mark)
        if not rest:
            log.gap_since = None
        elif log.gap_since is None:
            log.gap_since = self._node.clock()
        return log

    async def _read_on(self, origin: str, log: _Log) -> tuple[_Reading, bool]:
        """Walk over what came in order; return how far that goes, and whether more lies beyond a gap."""
        reading = _Reading(log.mark)
        while True:
            rows = await self._node.store.all(
                "logs.above", origin=origin, epoch=log.epoch, mark=reading.mark, count=STEP
            )
            before = reading.mark
            for row in rows:
                reading.came(int(row["number"]), int(row["number"]))
            if reading.mark - before < STEP:
                return reading, any(not row["number"] <= reading.mark for row in rows)

    def _is_due(self, origin: str) -> bool:
        log, now = self._logs[origin], self._node.clock()
        if log.not_before is not None and timedelta(0) < log.not_before - now <= SELDOM:
            return False
        if log.looked_at is None or log.more or log.other:
            return True
        if log.ask_at is not None and not timedelta(0) < log.ask_at - now <= SELDOM:
            return True
        if not timedelta(0) <= now - log.looked_at < SELDOM:
            return True
        wait = self._node.config.catch_up_after
        return log.gap_since is not None and not timedelta(0) <= now - log.gap_since < wait

    # ── reading ──

    async def _pull_safely(self, sibling: Sibling) -> None:
        """A pull whose faults are counted, and put the next one off."""
        log, now = self._logs[sibling.origin], self._node.clock()
        try:
            async with self._places:
                moved = await self._read_both(sibling, log)
            outcome = "moved" if moved else "nothing"
        except NotThere:
            moved, outcome = False, "none"  # a sibling that keeps no log, or none for us
        except Refused as refusal:
            moved, outcome = False, refusal.answer_code
        except Exception as fault:  # a defect, or the database is away; the others are read on
            moved, outcome = False, "fault"
            self._node.log.error("log_not_read", sibling=sibling.origin, exc_info=fault)
        finally:
            self._pulls.pop(sibling.origin, None)
        self._settle(log, now, moved, outcome)

    async def _read_both(self, sibling: Sibling, log: _Log) -> bool:
        """What it has of ours, then what it said itself, which may answer that; whether anything came of it."""
        back = await self._ask(sibling, log)
        moved = await self._pull(sibling, log) or back > 0
        log.more = log.more or self.back.has_more(sibling.origin)
        return moved

    async def _ask(self, sibling: Sibling, log: _Log) -> int:
        """Ask what it holds of ours; where it cannot be asked it is again soon, and what it says itself is read now."""
        log.ask_at, now = None, self._node.clock()
        try:
            back = await self.back.ask(sibling)
        except Refused as refusal:
            log.ask_at, log.not_asked = now + _rest(log.not_asked), log.not_asked + 1
            self._node.log.info("received_not_read", sibling=sibling.origin, code=refusal.answer_code)
            return 0
        log.not_asked = 0
        return back

    def _settle(self, log: _Log, now: datetime, moved: bool, outcome: str) -> None:
        self._node.metrics.log_pulls.labels(outcome).inc()
        read = outcome in ("moved", "nothing", "none")
        if read:
            log.looked_at, log.other = now, ""
        if read and (moved or log.gap_since is None):
            log.failures, log.not_before = 0, None
        else:
            log.not_before, log.failures = now + _rest(log.failures), log.failures + 1

    async def _pull(self, sibling: Sibling, log: _Log) -> bool:
        """Read pages until the end of the log; return whether anything came of it: the mark rose, or words came."""
        moved, log.more, begun = False, False, False
        reading, _ = await self._read_on(sibling.origin, log)
        after = reading.mark
        for _ in range(PAGES):
            page = await self._page(sibling, after)
            if page.epoch != log.epoch:
                if begun:
                    raise Malformed("a log that does not stand still")
                after, begun = await self._begin(sibling.origin, log, page), True
                reading = _Reading(after)
                continue
            moved = await self._take(sibling, page, after, reading) or moved
            if reading.mark > log.mark:
                log.mark, moved = reading.mark, True
                await self._run("logs.advance", origin=sibling.origin, epoch=log.epoch, mark=log.mark)
            if not page.entries or page.entries[-1].last >= page.last:
                return moved
            after = page.entries[-1].last
        log.more = True
        return moved

    async def _page(self, sibling: Sibling, after: int) -> Page:
        url = catch_up.page_url(sibling.origin, self._node.authority, after)
        return catch_up.read_page(await self._fetcher.log_page(url, sibling), after)

    async def _begin(self, origin: str, log: _Log, page: Page) -> int:
        """Count in another epoch: from where it parted from the one known, else from the beginning."""
        mark = min(log.mark, page.begins) if log.epoch and page.before == log.epoch else 0
        await self._run("logs.begin", origin=origin, epoch=page.epoch, mark=mark)
        log.epoch, log.mark, log.other = page.epoch, mark, ""
        self._node.log.info("log_epoch", sibling=origin, sequence=mark)
        return mark

    async def _take(self, sibling: Sibling, page: Page, after: int, reading: _Reading) -> bool:
        """Take in one page; return whether an entry of it was settled that had not come before."""
        rows = await self._node.store.all("logs.above", origin=sibling.origin, epoch=page.epoch, mark=after, count=STEP)
        for row in rows:
            reading.came(int(row["number"]), int(row["number"]))
        new, url = False, catch_up.page_url(sibling.origin, self._node.authority, after)
        for entry in page.entries:
            if entry.gone is not None:
                reading.came(entry.number, entry.gone)
            elif entry.body is not None and not reading.has(entry.number):
                author = catch_up.in_turn(entry)
                if author in reading.put_off:
                    continue
                settled = await self._enter(sibling, entry, page, url)
                if settled:
                    reading.came(entry.number, entry.number)
                elif author:
                    reading.put_off.add(author)
                new = new or settled
        return new

    async def _enter(self, sibling: Sibling, entry: Entry, page: Page, url: Uri) -> bool:
        """Give one entry to the door; return whether it is settled, kept or refused for good."""
        try:
            receipt = await self._node.inbox.take(catch_up.logged(entry, page, sibling.actor, url))
        except Refused as refusal:
            final = is_final(refusal.http_status, refusal.answer_code)
            self._node.metrics.log_entries.labels("refused" if final else "later").inc()
            return final
        self._node.metrics.log_entries.labels("new" if receipt.new else "repeated").inc()
        return True

    async def _run(self, query: str, **values: object) -> None:
        async def work(tx: Transaction) -> None:
            await tx.run(query, **values)

        await self._node.store.write(work)
