"""What happened that concerns the reader; never the clinical text itself.

Of one day, what is of the same kind and about the same post stands together. Days come newest first; within a day what
is unread comes first. A page ends where a day ends, so that nothing is torn apart (but a day of more than WALKED).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from itertools import groupby
from typing import Any, Final

from msgspec import Struct

from instance.services import notice_kinds
from instance.services.notice_kinds import Filter
from instance.storage.store import Reader, Row
from instance.times import from_ms

#: How many rows are looked at for one page, and how often again where nothing of them is to be shown.
WALKED: Final = 200
_AGAIN: Final = 4
_LAST: Final = "~"

#: On which day of the reader a moment (milliseconds) is.
DayOf = Callable[[int], date]


def _utc_day(at: int) -> date:
    return from_ms(at).date()


class Notice(Struct, frozen=True, kw_only=True):
    """What one or several did about the same thing on one day; the newest of them is shown."""

    kind: str
    post: str
    #: The newest, and where the number of others is more than none, how many doctors besides.
    at: int
    name: str | None
    address: str | None
    role: str | None
    country: str | None
    others: int
    title: str
    title_language: str
    #: Where it leads: to the first answer that is unread, else to the newest; empty where it leads to the post.
    comment: str
    #: How many are unread.
    unread: int
    #: From the oldest to the newest of them.
    first: str
    last: str


class Day(Struct, frozen=True, kw_only=True):
    """One day's notices."""

    at: int
    notices: list[Notice]


class NoticePage(Struct, frozen=True, kw_only=True):
    """A page of notices by day, newest first, and the cursor of the next."""

    days: list[Day]
    next: str = ""

    @property
    def notices(self) -> list[Notice]:
        """All of them, in their order."""
        return [notice for day in self.days for notice in day.notices]


async def notices(
    store: Reader, reader: str, before: str = "", filter: Filter = Filter.EVERYTHING, day_of: DayOf = _utc_day
) -> NoticePage:
    """Return the reader's notices; those of posts no longer visible to them are left out."""
    place, page = before or _LAST, NoticePage(days=[])
    for _ in range(_AGAIN):
        page = await _page(store, reader, day_of, place, filter)
        if page.days or not page.next:
            break
        place = page.next
    return page


async def _page(store: Reader, reader: str, day_of: DayOf, before: str, filter: Filter) -> NoticePage:
    walk = {"reader": reader, "before": before, "walked": WALKED}
    rows = await store.all("views.notices", kinds=notice_kinds.named_by(filter), **walk)
    end = await store.one("views.notices_end", **walk)
    more = end is not None and end["number"] == WALKED
    days = [(day, list(found)) for day, found in groupby(rows, key=lambda row: day_of(row["at"]))]
    if more and len(days) > 1:
        # The last day may go on beyond the walk: it begins the next page.
        _, cut = days.pop()
        return NoticePage(days=[_day(found) for _, found in days], next=_after(cut[0]["id"]))
    return NoticePage(days=[_day(found) for _, found in days], next=end["last"] if more and end is not None else "")


def _after(id: str) -> str:
    """A cursor that lets this id through: ids are of capital letters and digits, and `~` comes after both."""
    return id + _LAST


def _day(rows: list[Row]) -> Day:
    gathered: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        own = "" if notice_kinds.of(row["kind"]).gathers else row["id"]
        gathered.setdefault((row["kind"], row["post"], own), []).append(row)
    shown = [_notice(found) for found in gathered.values()]
    # Each group stands at its newest; the sort is stable, so the unread keep their order, and so do the others.
    return Day(at=rows[0]["at"], notices=sorted(shown, key=lambda notice: notice.unread == 0))


def _notice(rows: list[Row]) -> Notice:
    newest, unread = rows[0], [row for row in rows if row["read_at"] is None]
    begin: dict[str, Any] = dict(unread[-1] if unread else newest)
    names = {row["address"] for row in rows if row["name"]}
    return Notice(
        kind=newest["kind"], post=newest["post"], at=newest["at"], name=newest["name"], address=newest["address"],
        role=newest["role"], country=newest["country"], others=max(0, len(names) - 1), title=newest["title"],
        title_language=newest["title_language"], comment=begin["comment"], unread=len(unread),
        first=rows[-1]["id"], last=newest["id"],
    )  # fmt: skip


async def unread(store: Reader, reader: str) -> int:
    """Return how many are new, fifty at most."""
    row = await store.one("views.unread", reader=reader)
    return int(row["unread"]) if row else 0
