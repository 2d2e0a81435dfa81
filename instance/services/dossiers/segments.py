"""The audit log in parts: a month is closed when the next has begun, and destroyed twelve months after its end.

Each part is kept with the head before it and its own, so that the rest can still be recomputed from there on. A part
may also be lost: a restored back-up does not hold it, and a sibling knew its head (restoring.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from federation.integrity import read_instant
from instance.services.dossiers import chain
from instance.storage.store import Reader, Row, Transaction
from verification.audit import START, Head
from verification.people import SYSTEM
from verification.retention import segment_destroyed_on

if TYPE_CHECKING:
    from instance.wiring import Node

KEPT, DESTROYED, LOST = "", "destroyed", "lost"
DESTRUCTION: Final = "audit.segment_destroyed"
RESUMED: Final = "audit.resumed"
_PAGE: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of the log, from entry `first` to `last`; `told` is the entry that says that it is gone."""

    first: int
    last: int
    month: str
    before: Head
    head: Head
    gone: str = KEPT
    told: int | None = None

    @property
    def thing(self) -> str:
        """What an entry calls it."""
        return f"m-{self.month.replace('-', '')}"

    @property
    def due(self) -> datetime:
        """From when on it must be gone."""
        year, _, month = self.month.partition("-")
        return segment_destroyed_on(int(year), int(month))


def of_row(row: Row) -> Segment:
    """A part, of its row."""
    first, last = int(row["first"]), int(row["last"])
    return Segment(
        first=first, last=last, month=row["month"], before=Head(first - 1, bytes(row["before"])),
        head=Head(last, bytes(row["head"])), gone=row["gone"], told=row["told"],
    )  # fmt: skip


async def all_of(rows: Reader) -> list[Segment]:
    """Every part that was closed or is gone, in order."""
    return [of_row(row) for row in await rows.all("audit.segments")]


async def add(tx: Transaction, segment: Segment) -> None:
    """Keep a part."""
    await tx.run(
        "audit.add_segment", first=segment.first, last=segment.last, month=segment.month, before=segment.before.hash,
        head=segment.head.hash, gone=segment.gone,
    )  # fmt: skip


async def tidy(node: Node) -> int:
    """Close the months that have ended, and destroy those whose time has come; a chore. Return how many went."""
    while await node.store.write(lambda tx: _close_next(tx, node.clock())):
        pass
    number = 0
    while await node.store.write(lambda tx: _destroy_next(tx, node.clock())):
        number += 1
    return number


async def close_all(tx: Transaction) -> None:
    """Close what is open, also the month that runs: what follows does not follow from it."""
    while True:
        row = await tx.one("audit.last_segment")
        found = await _month_after(tx, START if row is None else of_row(row).head)
        if found is None:
            return
        await add(tx, found)


async def _close_next(tx: Transaction, now: datetime) -> bool:
    await chain.take_turn(tx)
    row = await tx.one("audit.last_segment")
    before = START if row is None else of_row(row).head
    found = await _month_after(tx, before)
    if found is None or found.month >= _month(now):
        return False
    await add(tx, found)
    return True


async def _month_after(tx: Transaction, before: Head) -> Segment | None:
    """The entries after this head that are of one month; those of an earlier one between them belong to it."""
    month, last = "", before
    while page := await tx.all("audit.page", after=last.sequence, most=_PAGE):
        for row in page:
            own = _month_of(row)
            if month and own > month:
                return _part(before, last, month)
            month, last = month or own, Head(int(row["n"]), bytes(row["hash"]))
    return _part(before, last, month) if month else None


def _part(before: Head, last: Head, month: str) -> Segment:
    return Segment(first=before.sequence + 1, last=last.sequence, month=month, before=before, head=last)


async def _destroy_next(tx: Transaction, now: datetime) -> bool:
    """Only ever the oldest that is there: what is kept is one chain."""
    await chain.take_turn(tx)
    row = await tx.one("audit.oldest_kept_segment")
    if row is None or (segment := of_row(row)).due > now:
        return False
    await tx.run("audit.destroy", first=segment.first, last=segment.last)
    await tx.run("audit.segment_gone", first=segment.first, told=0)
    told = await chain.append(tx, DESTRUCTION, now, SYSTEM.id, thing=segment.thing, reason="retention")
    await tx.run("audit.told_of_segment", first=segment.first, told=told.sequence)
    return True


def _month_of(row: Row) -> str:
    """The month of an entry; one that cannot be read is of no month, and stays with the one it follows."""
    try:
        return _month(read_instant(json.loads(row["entry"])["at"]))
    except (ValueError, KeyError, TypeError):
        return ""


def _month(at: datetime) -> str:
    return f"{at.year:04}-{at.month:02}"


def unjustified(segments: Iterable[Segment], told: dict[int, tuple[str, str | None, datetime]]) -> Iterator[Segment]:
    """Parts that are gone without an entry that says so, or before their day.

    `told` are the entries that are there of such acts, by number: act, thing, time. What tells of an old part may be
    gone with a later one.
    """
    gone = [each for each in segments if each.gone]
    end = gone[-1].last if gone else 0
    for each in gone:
        if each.told is not None and each.last < each.told <= end and any(_holds(each.told, one) for one in gone):
            continue
        act, thing, at = told.get(each.told or 0, ("", None, None))
        if each.gone == LOST and act == RESUMED:
            continue
        if act != DESTRUCTION or thing != each.thing or at is None or at < each.due:
            yield each


def _holds(number: int, segment: Segment) -> bool:
    return segment.first <= number <= segment.last
