"""Each sibling's share of this server, and the memory of signatures already accepted. Both live in one process."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from federation.errors import TooManyRequests
from federation.ports import Clock
from federation.turns import Turns

#: Messages a second, averaged over `SPAN` seconds, for each sibling.
RATE: Final = 600
SPAN: Final = 10
#: Messages a second of one sibling while others are served as well: a third of what the server can do stays free.
SHARED_RATE: Final = 300
IN_WORK: Final = 32
WAITING: Final = 128
#: Seconds until a sibling over its share is told so: whoever repeats at once would be answered all day.
PENANCE: Final = 1.0

#: A signature is remembered for between one and two of these: 15 minutes at least, since two halves are kept.
_HALF: Final = 900.0
_MOST: Final = 65_536


@dataclass(slots=True)
class _Lane:
    """One sibling: what is left in its bucket, who is inside, who waits for a place, who for a refusal."""

    tokens: float
    filled_at: float
    inside: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    held_back: int = 0

    def takes(self, rate: int, full: float, now: float) -> bool:
        """Take one from the bucket, if there is one."""
        passed = now - self.filled_at
        if passed > 0:
            self.tokens = min(full, self.tokens + passed * rate)
        self.filled_at = now  # a clock set back refills nothing and locks nobody out
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class SiblingAdmission:
    """A bucket of `rate * span` messages that refills evenly; `in_work` places, a bounded queue before them; turns."""

    def __init__(
        self, clock: Clock, *, rate: int = RATE, span: int = SPAN, in_work: int = IN_WORK, waiting: int = WAITING,
        penance: float = PENANCE,
    ) -> None:  # fmt: skip
        self._clock, self._rate, self._full = clock, rate, float(rate * span)
        self._in_work, self._waiting, self._penance = in_work, waiting, penance
        self._lanes: dict[str, _Lane] = {}
        self._turns = Turns(SHARED_RATE)

    async def enter(self, origin: str) -> None:
        """Count one message and wait for a place and a turn; raise TooManyRequests beyond the share.

        Whoever goes away while it waits (CancelledError) has entered nothing.
        """
        lane = self._lane(origin)
        over = self._over(lane)
        if over:
            await self._hold_back(lane)
            raise TooManyRequests(over)
        await self._place(origin, lane)
        try:
            await self._turns.take(origin)
        except asyncio.CancelledError:
            self.leave(origin)
            raise

    def leave(self, origin: str) -> None:
        """Give the place to whoever waits longest."""
        lane = self._lanes[origin]
        while lane.waiting:
            place = lane.waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        lane.inside -= 1

    def reader_came(self) -> None:
        """Note that somebody with a living session reads: siblings that send much leave room. No stranger counts."""
        self._turns.came("")

    def _over(self, lane: _Lane) -> str:
        """Count one message; say what it is over, or nothing."""
        if not lane.takes(self._rate, self._full, self._clock().timestamp()):
            return "over its rate"
        if lane.inside >= self._in_work and len(lane.waiting) >= self._waiting:
            return "too many in work and waiting"
        return ""

    async def _place(self, origin: str, lane: _Lane) -> None:
        if lane.inside < self._in_work:
            lane.inside += 1
            return
        place = asyncio.get_running_loop().create_future()
        lane.waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave(origin)  # the place was handed over just before the caller went away
            raise

    async def _hold_back(self, lane: _Lane) -> None:
        """Let the sibling wait for its refusal; so many of its messages as may wait for a place."""
        if lane.held_back >= self._waiting:
            return
        lane.held_back += 1
        try:
            await asyncio.sleep(self._penance)
        finally:
            lane.held_back -= 1

    def _lane(self, origin: str) -> _Lane:
        lane = self._lanes.get(origin)
        if lane is None:
            # Only allowlisted origins come here, so that the number of lanes is that of siblings.
            lane = self._lanes[origin] = _Lane(self._full, self._clock().timestamp())
        return lane


class ReplayMemory:
    """Bounded, in two halves: when the young one is full or old, the other is forgotten.

    What it forgets is still harmless: the signature has gone stale by then, and (actor, id) is unique in the rows.
    """

    def __init__(self, clock: Clock, *, most: int = _MOST) -> None:
        self._clock, self._most = clock, most
        self._young: set[bytes] = set()
        self._old: set[bytes] = set()
        self._since = clock().timestamp()

    def seen(self, replay_key: bytes) -> bool:
        """Whether this signature was accepted in the last fifteen minutes."""
        short = replay_key[:16]
        return short in self._young or short in self._old

    def remember(self, replay_key: bytes) -> None:
        """Note an accepted signature; call it after the commit, or a lost message would look like a kept one."""
        now = self._clock().timestamp()
        if len(self._young) >= self._most or not 0 <= now - self._since < _HALF:
            self._old, self._young, self._since = self._young, set(), now
        self._young.add(replay_key[:16])
