"""Lanes: one per sibling, each emptied on its own, so that a sibling that hangs delays nobody else.

Within a lane the most urgent goes first and then the oldest; one message per signer is in flight, which keeps every
author's messages in order. After trouble a lane sends one probe; when that is answered, 2, 4, 8 … 32 may be in flight
again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from federation.courier import Courier, Dropped, Held, Verdict
from federation.delivery import BACK_OFF, DeadRow, Done, LaneLater, RowLater
from federation.ports import Answer, Clock, Delivery, DeliveryQueue, Lane
from federation.uri import Uri

FULL_WIDTH: Final = 32
#: Rows looked at ahead.
WINDOW: Final = 128
#: In flight at once: so many in every lane, and beyond them so many more in all lanes together. A few siblings that
#: hang can use up the common share, and never what belongs to the others.
OWN_SLOTS: Final = 4
COMMON_SLOTS: Final = 256

Fault = Callable[[str, BaseException], None]


class Lanes:
    """All lanes of this process."""

    def __init__(
        self, courier: Courier, queue: DeliveryQueue, clock: Clock, *, fault: Fault, wake: Callable[[], None]
    ) -> None:
        self._courier, self._queue, self._clock = courier, queue, clock
        self._fault, self._wake = fault, wake
        self._slots = _Slots(COMMON_SLOTS)
        self._running: dict[str, tuple[_Run, asyncio.Task[None]]] = {}
        self._stopped = False

    async def start_due(self, limit: int = 1_000) -> int:
        """Begin to empty every lane that has something due; look again into those at work. Return how many began."""
        for run, _ in self._running.values():
            run.look_again()
        if self._stopped:
            return 0
        # What is claimed may have been read before a lane at work closed, and knows nothing of how it closed.
        at_work = frozenset(self._running)
        claimed = await self._queue.claim(self._clock(), limit)
        begun = [lane for lane in claimed if lane.origin not in at_work | self._running.keys()]
        for lane in begun:
            run = _Run(lane, self._courier, self._queue, self._clock, self._fault, self._slots)
            task = asyncio.create_task(self._empty(run), name=f"lane {lane.origin}")
            self._running[lane.origin] = run, task
        return len(begun)

    @property
    def at_work(self) -> bool:
        """Whether any lane is being emptied."""
        return bool(self._running)

    @property
    def in_flight(self) -> Mapping[str, int]:
        """How many messages are under way, by sibling."""
        return {origin: run.in_flight for origin, (run, _) in self._running.items()}

    async def quiet(self) -> None:
        """Return when no lane is at work."""
        while self._running:
            await asyncio.wait([task for _, task in self._running.values()])

    async def stop(self, grace: float) -> None:
        """Send nothing new; give what is in flight so many seconds, then let go of it (it will be sent again)."""
        self._stopped = True
        for run, _ in self._running.values():
            run.shut()
        tasks = [task for _, task in self._running.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._courier.close()

    async def _empty(self, run: _Run) -> None:
        origin = run.lane.origin
        try:
            await run.empty()
            await self._queue.release(origin)
        except Exception as fault:  # the database is away: nothing was lost, and the lane is tried again
            self._fault(origin, fault)
        finally:
            await run.abandon()
            self._running.pop(origin, None)
            if run.stale:  # something came while it was closing
                self._wake()


class _Slots:
    """Who may have how many in flight."""

    def __init__(self, common: int) -> None:
        self._free = common

    def take(self, in_flight: int) -> bool:
        """Take one more for a lane that has so many; False where there is none now."""
        if in_flight < OWN_SLOTS:
            return True
        if self._free == 0:
            return False
        self._free -= 1
        return True

    def give_back(self, in_flight: int) -> None:
        """Give one back, so that the lane has so many left."""
        if in_flight >= OWN_SLOTS:
            self._free += 1


class _Run:
    """One lane being emptied, until nothing is left or it has to wait."""

    def __init__(
        self, lane: Lane, courier: Courier, queue: DeliveryQueue, clock: Clock, fault: Fault, slots: _Slots
    ) -> None:
        self.lane = lane
        self._courier, self._queue, self._clock, self._fault, self._slots = courier, queue, clock, fault, slots
        self._flying: dict[str, asyncio.Task[None]] = {}
        self._busy: set[Uri] = set()
        self.stale, self._open, self._more = True, True, True
        self._proved = 0
        self._changed = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """How many messages are under way."""
        return len(self._flying)

    def look_again(self) -> None:
        """Something new may be more urgent than what is known here."""
        self.stale = True
        self._changed.set()

    def shut(self) -> None:
        """Send nothing new."""
        self._open = False
        self._changed.set()

    async def empty(self) -> None:
        """Send until nothing is left, or the lane has to wait, and what was in flight has come back."""
        window: Sequence[Delivery] = ()
        while True:
            while self._open and (self.stale or (self._more and not window)):
                window = await self._look()
            window = self._send(window) if self._open else ()
            if self._flying:
                await self._changed.wait()
                self._changed.clear()
            elif not self._open or not (window or self.stale or self._more):
                break
        await self._queue.flush()

    async def abandon(self) -> None:
        """Let go of what is still in flight; it was not settled, and is sent again."""
        tasks = list(self._flying.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        while self._flying:  # cancelled before they began
            self._flying.popitem()
            self._slots.give_back(len(self._flying))

    async def _look(self) -> list[Delivery]:
        self.stale = False
        # What comes back while we look is not settled in the rows we see, and must not be sent again.
        flying = set(self._flying)
        await self._queue.flush()
        rows = await self._queue.next(self.lane.origin, self._clock(), WINDOW)
        self._more = len(rows) == WINDOW
        return [row for row in rows if row.id not in flying]

    def _send(self, window: Sequence[Delivery]) -> list[Delivery]:
        """Let everything fly that may; return the rest, in order."""
        left: list[Delivery] = []
        for place, row in enumerate(window):
            if len(self._flying) >= self.lane.width:
                return left + list(window[place:])
            if row.signer in self._busy:
                left.append(row)
            elif self._slots.take(len(self._flying)):
                self._busy.add(row.signer)
                self._flying[row.id] = asyncio.create_task(self._fly(row))
            else:
                return left + list(window[place:])
        return left

    async def _fly(self, row: Delivery) -> None:
        try:
            verdict, answer = await self._courier.deliver(row, self.lane.failures)
            self._settle(row, verdict, answer)
        except Exception as fault:  # a defect or a database that is away; the row yields its place to others
            self._fault(row.id, fault)
            wait = BACK_OFF[min(row.attempts, len(BACK_OFF) - 1)]
            self._queue.rest(row, self._clock() + wait, Answer(0, "internal"), self._clock())
            self.stale = True
        finally:
            del self._flying[row.id]
            self._busy.discard(row.signer)
            self._slots.give_back(len(self._flying))
            self._changed.set()

    def _settle(self, row: Delivery, verdict: Verdict, answer: Answer) -> None:
        queue, now = self._queue, self._clock()
        match verdict:
            case Done():
                queue.done(row, answer, now)
            case DeadRow(code):
                queue.dead(row, code, answer, now)
            case RowLater(at):
                queue.rest(row, at, answer, now)
                self.stale = True  # what its signer wrote after it must not overtake it
            case LaneLater():
                self._settle_beside(row, verdict, answer)
                self._wait(verdict)
            case Held(code):
                queue.hold(row, code, now)
            case Dropped(code):
                queue.drop(row, code, now)
            case _:
                raise AssertionError(f"no verdict to settle: {verdict}")
        if answer.status and not isinstance(verdict, LaneLater):
            self._reached()

    def _settle_beside(self, row: Delivery, verdict: LaneLater, answer: Answer) -> None:
        now = self._clock()
        match verdict.row:
            case None:
                self._queue.tried(row, answer, now)
            case RowLater(at):
                self._queue.rest(row, at, answer, now)
            case DeadRow(code):
                self._queue.dead(row, code, answer, now)

    def _reached(self) -> None:
        """The sibling answers: a lane that waited opens step by step (1, 2, 4 … 32)."""
        if not self._open or (self.lane.width >= FULL_WIDTH and not self.lane.failures):
            return
        self._proved += 1
        if self._proved >= self.lane.width or self.lane.failures:
            self._proved = 0
            width = min(self.lane.width * 2, FULL_WIDTH)
            self.lane = Lane(self.lane.origin, width=width)
            self._queue.lane(self.lane, self._clock())

    def _wait(self, verdict: LaneLater) -> None:
        """The first trouble of a round closes the lane; what was in flight beside it adds nothing."""
        if not self._open:
            return
        self._open = False
        now = self._clock()
        self.lane = replace(
            self.lane, failures=self.lane.failures + 1, width=1, next_at=verdict.at,
            failing_since=self.lane.failing_since or now, alarm=verdict.code if verdict.alarm else "",
        )  # fmt: skip
        self._queue.lane(self.lane, now)
