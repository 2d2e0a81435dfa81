"""Doctors: one profile, and the lists on which colleagues are found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from instance.services.errors import Missing
from instance.storage.store import Reader
from instance.views.marks import Mark, Moment, mark

PAGE_SIZE: Final = 30
_LAST: Final = "\U0010ffff"
_CURSOR: Final = re.compile(r"([^\x00-\x1f]{0,400})\|(https?://[!-~]{1,500})\Z")


class Profile(Struct, frozen=True, kw_only=True):
    """A doctor as their page shows them, with how reader and doctor stand to each other."""

    uri: str
    origin: str
    local: int
    address: str
    handle: str
    name: str
    role: str
    country: str
    specialties: str
    assurance: str
    valid_from: int | None
    valid_until: int | None
    standing: str
    summary: str
    languages: str
    created_at: int
    gone_at: int | None
    own: int
    following: str
    follower: str
    blocked: int
    #: 1 where they have blocked the reader, who is offered nothing that would be refused and told nothing of it.
    closed: int
    home: str | None
    #: Where the doctor goes on, and since when; empty for whoever has not moved.
    moved_address: str = ""
    moved_name: str = ""
    moved_at: int | None = None

    def mark(self, at: Moment) -> Mark:
        """Return the mark at this moment."""
        return mark(self.standing, self.valid_until, self.address, at)


class Colleague(Struct, frozen=True, kw_only=True):
    """A doctor on a list: `state` is the reader's follow, `follower` theirs of the reader, `blocked` the reader's."""

    uri: str
    address: str
    name: str
    role: str
    country: str
    specialties: str
    standing: str
    valid_until: int | None
    gone_at: int | None
    state: str
    follower: str
    blocked: int = 0
    folded: str = ""

    def mark(self, at: Moment) -> Mark:
        """Return the mark at this moment."""
        return mark(self.standing, self.valid_until, self.address, at)


class Wanted(Struct, frozen=True, kw_only=True):
    """Whom the reader looks for; `words` are folded as the index is."""

    words: tuple[str, ...] = ()
    country: str = ""
    specialty: str = ""


class Found(Struct, frozen=True, kw_only=True):
    """A page of doctors, and the cursor of the next; empty where there is none."""

    doctors: list[Colleague]
    next: str = ""


async def profile(store: Reader, reader: str, address: str) -> Profile:
    """Return the doctor with this address; raise Missing where we know none."""
    row = await store.one("views.doctor", reader=reader, address=address)
    if row is None:
        raise Missing
    return Profile(**row)


async def find(
    store: Reader,
    reader: str,
    wanted: Wanted,
    now: int,
    *,
    after: str = "",
    count: int = PAGE_SIZE,
    suggested: bool = False,
) -> Found:
    """Return verified colleagues here and at siblings, by name; nobody where nothing is asked.

    `suggested` leaves out those the reader follows, has asked, or has blocked.
    """
    query = _query(wanted)
    if query is None:
        return Found(doctors=[])
    values = _values(reader, wanted, after, count)
    rows = await store.all(query, now=now, suggested=int(suggested), **values)
    return _page(rows, count)


def _page(rows: Sequence[Any], count: int) -> Found:
    doctors = [Colleague(**row) for row in rows[:count]]
    last = doctors[-1] if len(rows) > count else None
    return Found(doctors=doctors, next=f"{last.folded}|{last.uri}" if last else "")


def _query(wanted: Wanted) -> str | None:
    if wanted.words:
        return "views.doctors_by_word"
    if wanted.specialty:
        return "views.doctors_by_specialty"
    return "views.doctors_by_country" if wanted.country else None


def _values(reader: str, wanted: Wanted, after: str, count: int) -> dict[str, Any]:
    values = {"reader": reader, "country": wanted.country, "specialty": wanted.specialty, **_place(after, count)}
    return values | (_words(wanted.words) if wanted.words else {})


def _place(after: str, count: int) -> dict[str, Any]:
    """Where a page begins: behind the doctor a cursor names, at the top for anything that is none."""
    cursor = _CURSOR.match(after)
    return {
        "after_name": cursor[1] if cursor else "",
        "after_uri": cursor[2] if cursor else "",
        "count": count + 1,
    }


def _words(words: Sequence[str]) -> dict[str, str]:
    first, second, *_ = [*sorted(words, key=len, reverse=True), ""]
    return {"word": first, "word_end": first + _LAST, "word2": second, "word2_end": second + _LAST}


async def followers(store: Reader, reader: str, *, after: str = "", count: int = PAGE_SIZE) -> Found:
    """Return a page of those who follow the reader, by name."""
    rows = await store.all("views.followers", reader=reader, **_place(after, count))
    return _page(rows, count)


async def following(store: Reader, reader: str, *, after: str = "", count: int = PAGE_SIZE) -> Found:
    """Return a page of those the reader follows or asked to follow, by name."""
    rows = await store.all("views.following", reader=reader, **_place(after, count))
    return _page(rows, count)


async def blocked(store: Reader, reader: str, *, after: str = "", count: int = PAGE_SIZE) -> Found:
    """Return a page of those the reader has blocked, by name."""
    rows = await store.all("own.blocked", reader=reader, **_place(after, count))
    return _page(rows, count)


async def requests(store: Reader, reader: str) -> list[Colleague]:
    """Return those who wait for the reader's answer."""
    return [Colleague(**row) for row in await store.all("views.requests", reader=reader)]
