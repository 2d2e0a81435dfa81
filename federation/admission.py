"""Each sibling's share of this server, and the memory of signatures already accepted. Both live in one process."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from federation.errors import TooManyRequests
from federation.ports import Clock

#: Messages a second, averaged over `SPAN` seconds, for each sibling.
RATE: Final = 600
SPAN: Final = 10
IN_WORK: Final = 32
WAITING: Final = 128

#: A signature is remembered for between one and two of these: 15 minutes at least, since two halves are kept.
_HALF: Final = 900.0
_MOST: Final = 65_536


@dataclass(slots=True)
class _Lane:
    """One sibling: what is left in its bucket, who is inside, who waits."""

    tokens: float
    filled_at: float
    inside: int = 0
    waiting: deque[asyncio.Future[None]] = field(default_factory=deque)


class SiblingAdmission:
    """A bucket of `rate * span` messages that refills evenly, `in_work` places, and a bounded queue before them."""

    def __init__(
        self, clock: Clock, *, rate: int = RATE, span: int = SPAN, in_work: int = IN_WORK, waiting: int = WAITING
    ) -> None:
        self._clock, self._rate, self._full = clock, rate, float(rate * span)
        self._in_work, self._waiting = in_work, waiting
        self._lanes: dict[str, _Lane] = {}

    async def enter(self, origin: str) -> None:
        """Count one message and wait for a place; raise TooManyRequests beyond the share."""
        lane = self._count(origin)
        if lane.inside < self._in_work:
            lane.inside += 1
            return
        if len(lane.waiting) >= self._waiting:
            raise TooManyRequests("too many in work and waiting")
        place = asyncio.get_running_loop().create_future()
        lane.waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.leave(origin)  # the place was handed over just before the caller went away
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

    def _count(self, origin: str) -> _Lane:
        now = self._clock().timestamp()
        lane = self._lanes.get(origin)
        if lane is None:
            # Only allowlisted origins come here, so that the number of lanes is that of siblings.
            lane = self._lanes[origin] = _Lane(self._full, now)
        passed = now - lane.filled_at
        if passed > 0:
            lane.tokens = min(self._full, lane.tokens + passed * self._rate)
        lane.filled_at = now  # a clock set back refills nothing and locks nobody out
        if lane.tokens < 1:
            raise TooManyRequests("over its rate")
        lane.tokens -= 1
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
