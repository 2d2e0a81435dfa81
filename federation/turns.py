"""Whose message is worked on next: siblings take turns, and one that sends much leaves room between its own.

Messages are worked on by one event loop. What it has begun it finishes, so that whoever sends thirty at once would be
thirty steps ahead of everybody else, doctors at their pages included.
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf
from typing import Final

#: Seconds after which somebody else is no longer waited for.
LULL: Final = 1.0
#: Messages of one sibling that may follow each other without a gap, though others are there.
IN_A_ROW: Final = 4


class Turns:
    """While others are served too: one message in each round of the event loop, at most `rate` a second of a sibling.

    First comes the sibling whose last turn is longest ago. One that has the server to itself takes no turns: what is
    worked on together is committed together, and costs a quarter less.
    """

    def __init__(self, rate: float, *, lull: float = LULL) -> None:
        self._gap, self._lull = 1 / rate, lull
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        #: For each origin: the number of its last turn, and when its next is due if others are there.
        self._last: dict[str, int] = {}
        self._due: dict[str, float] = {}
        self._number = 0
        self._taken = False
        self._alarm: asyncio.TimerHandle | None = None
        #: Who came last, who came last of all others, and when.
        self._latest, self._other = ("", -inf), ("", -inf)

    async def take(self, origin: str) -> None:
        """Wait for a turn; it lasts until its holder waits for something else."""
        self.came(origin)
        if self._is_alone(origin):
            return
        if not self._taken and not self._waiting and self._wait(origin) <= 0:
            self._give(origin)
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(origin, deque()).append(turn)
        if not self._taken:
            self._next()
        await turn

    def came(self, origin: str) -> None:
        """Note that somebody is served now: a sibling, or (with an empty name) whoever reads a page."""
        if origin != self._latest[0]:
            self._other = self._latest
        self._latest = (origin, asyncio.get_running_loop().time())

    def _wait(self, origin: str) -> float:
        """Seconds until this sibling's next turn."""
        now = asyncio.get_running_loop().time()
        return 0.0 if self._is_alone(origin) else self._due.get(origin, now) - now

    def _is_alone(self, origin: str) -> bool:
        """Whether nobody else was served of late."""
        other = self._other if self._latest[0] == origin else self._latest
        return asyncio.get_running_loop().time() - other[1] >= self._lull

    def _give(self, origin: str) -> None:
        loop = asyncio.get_running_loop()
        self._taken = True
        self._number += 1
        self._last[origin] = self._number
        earliest = loop.time() - (IN_A_ROW - 1) * self._gap
        self._due[origin] = max(self._due.get(origin, earliest), earliest) + self._gap
        loop.call_soon(self._next)

    def _next(self) -> None:
        """Give the next turn, or see to it that this is asked again when one is due."""
        self._taken = False
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        while self._waiting and not self._taken:
            waits = {origin: self._wait(origin) for origin in self._waiting}
            ready = [origin for origin, seconds in waits.items() if seconds <= 0]
            if not ready:
                self._alarm = asyncio.get_running_loop().call_later(min(waits.values()), self._next)
                return
            self._hand(min(ready, key=lambda origin: self._last.get(origin, 0)))

    def _hand(self, origin: str) -> None:
        lane = self._waiting[origin]
        turn = lane.popleft()
        if not lane:
            del self._waiting[origin]
        if not turn.done():  # whoever waited may have gone away
            turn.set_result(None)
            self._give(origin)
