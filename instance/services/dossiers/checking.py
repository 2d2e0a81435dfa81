"""Recomputing the audit log: the whole of it once a day and by command, and in between what is new.

How far it was found to hold is remembered with the head there; a page recomputes from that head on. Whoever can write
rows can write that too, which is why the whole is done again every day, and why siblings keep heads.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from federation.integrity import read_instant
from instance.services.dossiers import chain, segments
from instance.services.dossiers.segments import Segment
from instance.storage.store import Row, Store, Transaction
from instance.times import from_ms, to_ms
from verification import audit
from verification.audit import START, Break, Fault, Head

if TYPE_CHECKING:
    from instance.wiring import Node

#: How often the whole is recomputed without being asked to.
EVERY: Final = timedelta(days=1)
#: Entries read at once.
PAGE: Final = 1_000
_REMEMBERED: Final = "audit checked"
_TELLING: Final = frozenset({segments.DESTRUCTION, segments.RESUMED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What recomputing came to: entries hold up to `holds`, the first place that does not, since when all was seen."""

    holds: int
    broken: Break | None
    whole_at: datetime
    new: int


@dataclass(frozen=True, slots=True)
class _Remembered:
    head: Head
    whole_at: datetime


class Checking:
    """What is known of this instance's log."""

    def __init__(self, node: Node) -> None:
        self._node = node
        #: Whether every entry was what it was when this process last looked.
        self.holds = True

    async def whole(self, foreign: Iterable[Head] = ()) -> Report:
        """Recompute everything that is kept, and remember how far it holds."""
        last, broken = await recompute(self._node.store, foreign)
        await self._remember(last, self._node.clock())
        self._found(broken)
        return Report(holds=last.sequence, broken=broken, whole_at=self._node.clock(), new=last.sequence)

    async def newest(self) -> Report:
        """Recompute what was added since; the whole where nothing is remembered, or that is not there any more."""
        known = await self._known()
        if known is None:
            return self._said(await self.whole())
        last, broken = await recompute(self._node.store, after=known.head)
        if last != known.head:
            await self._remember(last, known.whole_at)
        new = last.sequence - known.head.sequence
        return self._said(Report(holds=last.sequence, broken=broken, whole_at=known.whole_at, new=new))

    async def daily(self) -> None:
        """Recompute the whole where that was not done within a day; a chore."""
        known = await self._known()
        if known is None or self._node.clock() - known.whole_at >= EVERY:
            self._said(await self.whole())

    def _said(self, report: Report) -> Report:
        """Say loudly what nobody has asked for at a keyboard."""
        self._found(report.broken)
        if report.broken is not None:
            self._node.log.error("audit_broken", id=report.broken.at, code=report.broken.fault.value)
        return report

    def _found(self, broken: Break | None) -> None:
        self.holds = broken is None
        self._node.metrics.audit_holds.set(self.holds)

    async def _known(self) -> _Remembered | None:
        row = await self._node.store.one("settings.get", name=_REMEMBERED)
        try:
            said = json.loads(row["value"]) if row is not None else {}
            head, at = Head(int(said["n"]), bytes.fromhex(said["hash"])), from_ms(int(said["at"]))
        except (ValueError, KeyError, TypeError):
            return None
        there = START if head.sequence == 0 else await chain.at(self._node.store, head.sequence)
        return _Remembered(head, at) if there == head else None

    async def _remember(self, head: Head, at: datetime) -> None:
        value = json.dumps({"n": head.sequence, "hash": head.hash.hex(), "at": to_ms(at)})

        async def work(tx: Transaction) -> None:
            await tx.run("settings.set", name=_REMEMBERED, value=value)

        await self._node.store.write(work)


async def recompute(store: Store, foreign: Iterable[Head] = (), after: Head = START) -> tuple[Head, Break | None]:
    """Recompute the log after a head, a page at a time; return how far it holds, and the first place that does not.

    `foreign` are heads of this log that others hold: a cut tail shows against them alone. From the start, what is gone
    has to have an entry that says so.
    """
    walk = _Walk(after, [each for each in foreign if each.sequence > after.sequence])
    parts = await segments.all_of(store)
    gone = [each for each in parts if each.gone and each.first > after.sequence]
    broken = await walk.go(store, gone)
    if broken is None and after == START:
        broken = next((Break(each.first, Fault.GONE) for each in segments.unjustified(parts, walk.told)), None)
    return walk.last, broken


@dataclass(slots=True)
class _Walk:
    """On the way through the log: how far it holds, and what tells of parts that are gone."""

    last: Head
    held: list[Head]
    told: dict[int, tuple[str, str | None, datetime]] = field(default_factory=dict)

    async def go(self, store: Store, gone: list[Segment]) -> Break | None:
        for part in gone:
            broken = await self._entries(store, part.first - 1) or self._over(part)
            if broken is not None:
                return broken
        broken = await self._entries(store, None)
        if broken is None and any(each.sequence > self.last.sequence for each in self.held):
            broken = Break(self.last.sequence + 1, Fault.CUT)
        return broken

    def _over(self, part: Segment) -> Break | None:
        """Over a part that is gone: it begins where the log is, and a head that others hold of its end is its own."""
        if self.last.sequence < part.first - 1:
            return Break(self.last.sequence + 1, Fault.MISSING)
        if part.before != self.last:
            return Break(part.first, Fault.CHANGED)
        if any(each.sequence == part.last and each != part.head for each in self.held):
            return Break(part.last, Fault.FORKED)
        self.last = part.head
        return None

    async def _entries(self, store: Store, until: int | None) -> Break | None:
        """Over entries that are there, up to this number or to the end."""
        while until is None or self.last.sequence < until:
            most = PAGE if until is None else min(PAGE, until - self.last.sequence)
            rows = await store.all("audit.page", after=self.last.sequence, most=most)
            if not rows:
                break
            broken = await asyncio.to_thread(self._page, rows)
            if broken is not None:
                return broken
        return None

    def _page(self, rows: list[Row]) -> Break | None:
        here = [each for each in self.held if self.last.sequence < each.sequence <= int(rows[-1]["n"])]
        read = [_row(row) for row in rows]
        broken = audit.verify(read, self.last, here)
        holding = read if broken is None else read[: max(0, broken.at - 1 - self.last.sequence)]
        for row in holding:
            self._listen(row.entry)
        if holding:
            self.last = Head(self.last.sequence + len(holding), holding[-1].hash)
        return broken

    def _listen(self, entry: Any) -> None:
        if entry["act"] in _TELLING:
            self.told[entry["n"]] = (entry["act"], entry.get("thing"), read_instant(entry["at"]))


def _row(row: Row) -> audit.Row:
    try:
        entry = json.loads(row["entry"])
    except ValueError:
        entry = None
    # A number in the row that is not the entry's own would let rows be exchanged.
    same = isinstance(entry, dict) and entry.get("n") == row["n"]
    return audit.Row(entry if same else None, bytes(row["hash"]))
