"""The audit log in parts: a month is closed when the next has begun, and destroyed twelve months after its end.

Each part is kept with the head before it and its own, so that the rest can still be recomputed from there on. A part
may also be lost: a restored back-up does not hold it, and a sibling knew its head (restoring.py).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
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
#: Entries read at once: the first, by which the month is known, and then.
_FIRST, _PAGE = 8, 5_000


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
    """Close the months that have ended, and destroy those whose time has come; a chore. Return how many went.

    Months are read before others have to wait: what stands in the log does not change.
    """
    while (found := await next_closed(node.store, node.clock())) is not None:
        await node.store.write(partial(close, found=found))
    number = 0
    while await _next_due(node.store, node.clock()) is not None:
        number += await node.store.write(lambda tx: _destroy_next(tx, node.clock()))
    return number


async def next_closed(rows: Reader, now: datetime) -> Segment | None:
    """Return the first part that is open though its month has ended; of the month that runs little is read."""
    return await _month_after(rows, await _end_of_closed(rows), _month(now))


async def close(tx: Transaction, found: Segment) -> None:
    """Keep a part that was found, unless it was closed meanwhile."""
    await chain.take_turn(tx)
    if await _end_of_closed(tx) == found.before:
        await add(tx, found)


async def close_all(tx: Transaction) -> None:
    """Close what is open, also the month that runs: what follows does not follow from it."""
    while (found := await _month_after(tx, await _end_of_closed(tx))) is not None:
        await add(tx, found)


async def _end_of_closed(rows: Reader) -> Head:
    row = await rows.one("audit.last_segment")
    return START if row is None else of_row(row).head


async def _month_after(rows: Reader, before: Head, until: str = "") -> Segment | None:
    """The entries after this head that are of one month before `until`; an earlier one between belongs to it."""
    month, last = "", before
    while page := await rows.all("audit.page", after=last.sequence, most=_PAGE if month else _FIRST):
        if until:
            month, number = await asyncio.to_thread(_of_one_month, page, month)
        else:  # in a unit of work, which has a thread of its own
            month, number = _of_one_month(page, month)
        if until and month >= until:
            return None
        if number:
            last = Head(int(page[number - 1]["n"]), bytes(page[number - 1]["hash"]))
        if number < len(page):
            break
    return _part(before, last, month) if month else None


def _of_one_month(page: Sequence[Row], month: str) -> tuple[str, int]:
    """The month of these entries, where it is not known yet, and how many of them come before a later one."""
    for number, row in enumerate(page):
        own = _month_of(row)
        if month and own > month:
            return month, number
        month = month or own
    return month, len(page)


def _part(before: Head, last: Head, month: str) -> Segment:
    return Segment(first=before.sequence + 1, last=last.sequence, month=month, before=before, head=last)


async def _next_due(rows: Reader, now: datetime) -> Segment | None:
    """Only ever the oldest that is there: what is kept is one chain."""
    row = await rows.one("audit.oldest_kept_segment")
    return None if row is None or (found := of_row(row)).due > now else found


async def _destroy_next(tx: Transaction, now: datetime) -> bool:
    await chain.take_turn(tx)
    segment = await _next_due(tx, now)
    if segment is None:
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
