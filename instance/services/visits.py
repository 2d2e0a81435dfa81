"""How far a reader has come in each list, and where they were last: kept beside reading, never in its way.

A visit of a list ends when it has not been looked at for half an hour. What the visit before this one had shown is
marked as read on the page. It is kept in memory, and written down at most once a minute for each reader and list, by a
task of its own that takes together what has gathered; what a crash loses of it, nobody misses.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from instance.storage.errors import StorageUnavailable
from instance.storage.store import Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.wiring import Node

#: After so long without a look, in milliseconds, the next one is another visit.
VISIT: Final = 30 * 60_000
#: So often a place is written down, and read anew: another process may know better.
MINUTE: Final = 60_000
_REMEMBERED: Final = 20_000


@dataclass(slots=True)
class _Place:
    #: When the visit before this one ended; 0 where there was none.
    mark_at: int
    seen_at: int
    read_at: int
    written_at: int


class Visits:
    """The places of this instance's readers."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._places: OrderedDict[tuple[str, str], _Place] = OrderedDict()
        self._left: OrderedDict[str, str] = OrderedDict()
        self._due: dict[tuple[str, str], tuple[int, int]] = {}
        self._writing: asyncio.Task[None] | None = None

    async def mark(self, reader: str, place: str, *, arrives: bool) -> int:
        """Return up to when the reader had read this list at the end of the last visit, in milliseconds (0: never).

        `arrives` says that the top of the whole list is being looked at now.
        """
        now, key = to_ms(self._node.clock()), (reader, place)
        found = self._places.get(key)
        if found is None or not 0 <= now - found.read_at < MINUTE:
            found = self._places[key] = await self._read(key, found, now)
            self._places.move_to_end(key)
            if len(self._places) > _REMEMBERED:
                self._places.popitem(last=False)
        if arrives:
            self._arrive(key, found, now)
        return found.mark_at

    def leave(self, reader: str, address: str) -> None:
        """Remember the page of a list that the reader was shown last, for the way back to it."""
        self._left[reader] = address
        self._left.move_to_end(reader)
        if len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)

    def left(self, reader: str) -> str:
        """The page of a list that the reader was shown last; the feed where that is not known."""
        return self._left.get(reader, "/feed")

    async def stop(self) -> None:
        """Write down what is still to be written."""
        if self._writing is not None:
            await self._writing

    # ── parts ──

    async def _read(self, key: tuple[str, str], known: _Place | None, now: int) -> _Place:
        row = await self._node.store.one("visits.place", doctor=key[0], place=key[1])
        if row is None or (known is not None and known.seen_at > row["seen_at"]):
            known = known or _Place(0, 0, now, 0)
            known.read_at = now
            return known
        return _Place(row["mark_at"], row["seen_at"], now, row["seen_at"])

    def _arrive(self, key: tuple[str, str], place: _Place, now: int) -> None:
        another = not 0 <= now - place.seen_at < VISIT
        if another:
            place.mark_at = place.seen_at
        place.seen_at = now
        if another or now - place.written_at >= MINUTE:
            place.written_at = now
            self._due[key] = (place.mark_at, now)
            if self._writing is None or self._writing.done():
                self._writing = asyncio.create_task(self._write(), name="reading places")

    async def _write(self) -> None:
        while self._due:
            due, self._due = self._due, {}
            rows = [
                {"doctor": doctor, "place": place, "mark_at": mark, "seen_at": seen}
                for (doctor, place), (mark, seen) in due.items()
            ]

            async def work(tx: Transaction, rows: list[dict[str, object]] = rows) -> None:
                await tx.many("visits.put", rows)

            try:
                await self._node.store.write(work)
            except StorageUnavailable as fault:  # reading goes on where nothing can be written
                self._node.log.info("places_not_kept", code=fault.code)
