"""The newsroom: news and reports of one specialty or of the reader's own, newest first, and what was imported."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final
from urllib.parse import urlencode

from msgspec import Struct
from msgspec.structs import replace

from instance.storage.store import Row, Store
from instance.views.bulletins import KINDS
from instance.views.feed import Card, cards_of, read_cursor
from verification import specialties

PAGE_SIZE: Final = 20
#: What is no post: what a publisher says, imported.
IMPORTED: Final = "imported"
KIND_CHOICES: Final = (*KINDS, IMPORTED)
INTERESTS: Final = ("none", "some")
#: Congress reports by the day of the congress instead of their own.
WHEN: Final = ("upcoming", "past")
_DAY_CURSOR: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})_([0-9A-Za-z]{1,64})\Z")
_MOST_OWN: Final = 3


class Item(Struct, frozen=True, kw_only=True):
    """An imported one as its card shows it."""

    id: str
    link: str
    title: str
    summary: str
    specialty: str
    sort_at: int
    source: str
    language: str


class Asked(Struct, frozen=True, kw_only=True):
    """What a reader narrowed the newsroom to; empty is everything."""

    kind: str = ""
    interests: str = ""
    when: str = ""
    before: str = ""

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Asked:
        """Read the query of an address; what is no choice counts for nothing."""

        def chosen(name: str, choices: Sequence[str]) -> str:
            value = values.get(name, "")
            return value if value in choices else ""

        when = chosen("when", WHEN)
        kind = "congress-report" if when else chosen("kind", KIND_CHOICES)
        return cls(kind=kind, interests=chosen("interests", INTERESTS), when=when, before=values.get("before", ""))

    @property
    def any(self) -> bool:
        """Whether anything is narrowed."""
        return bool(self.kind or self.interests or self.when)

    def query(self, before: str) -> str:
        """The address of the page after a cursor."""
        return urlencode({name: value for name, value in _named(replace(self, before=before)) if value})


class NewsPage(Struct, frozen=True, kw_only=True):
    """A page of cards of both sorts, and the cursor of the next; empty where there is none."""

    entries: list[Card | Item]
    next: str = ""


def known(slug: str) -> bool:
    """Whether there is such a specialty."""
    return any(each.slug == slug for each in specialties.all())


async def page(store: Store, reader: str, filed: Sequence[str], asked: Asked, today: date) -> NewsPage:
    """Return what this reader may see of these specialties; an unknown cursor is the top."""
    places = {f"{name}": slug for name, slug in zip(("first", "second", "third"), (*filed, "", "", ""), strict=False)}
    values: dict[str, Any] = {**places, "count": PAGE_SIZE + 1}
    if asked.when:
        return await _by_congress(store, reader, asked, today, values)
    at, slug = read_cursor(asked.before)
    values |= {"before_at": at, "before_slug": slug}
    posts: Sequence[Row] = ()
    items: Sequence[Row] = ()
    if asked.kind != IMPORTED:
        posts = await store.all("news.bulletins", reader=reader, kind=asked.kind, interests=asked.interests, **values)
    if asked.kind in ("", IMPORTED) and not asked.interests:
        items = await store.all("news.items", **values)
    return await _merged(store, reader, posts, items)


async def _merged(store: Store, reader: str, posts: Sequence[Row], items: Sequence[Row]) -> NewsPage:
    """Both, newest first; each list holds one more than is shown."""
    places = [(row["sort_at"], row["slug"]) for row in posts] + [(row["sort_at"], row["id"]) for row in items]
    places.sort(reverse=True)
    shown = set(places[:PAGE_SIZE])
    cards = await cards_of(store, reader, [row for row in posts if (row["sort_at"], row["slug"]) in shown])
    found: list[Card | Item] = [*cards, *(Item(**row) for row in items if (row["sort_at"], row["id"]) in shown)]
    found.sort(key=_place, reverse=True)
    more = len(places) > PAGE_SIZE
    return NewsPage(entries=found, next="{}-{}".format(*places[PAGE_SIZE - 1]) if more else "")


async def _by_congress(
    store: Store, reader: str, asked: Asked, today: date, values: dict[str, Any]
) -> NewsPage:  # fmt: skip
    found = _DAY_CURSOR.match(asked.before)
    from_the_top = ("", "") if asked.when == "upcoming" else ("9999-99-99", "~")
    day, slug = (found[1], found[2]) if found else from_the_top
    rows = await store.all(
        f"news.{asked.when}", reader=reader, interests=asked.interests, today=today.isoformat(), day=day, slug=slug,
        **values,
    )  # fmt: skip
    shown = rows[:PAGE_SIZE]
    cards = await cards_of(store, reader, [{k: v for k, v in row.items() if k != "event_from"} for row in shown])
    last = shown[-1] if len(rows) > PAGE_SIZE else None
    return NewsPage(entries=[*cards], next=f"{last['event_from']}_{last['slug']}" if last else "")


def own(specialties_of: Sequence[str]) -> tuple[str, ...]:
    """As many of the reader's own specialties as a newsroom shows together."""
    return tuple(specialties_of[:_MOST_OWN])


def _place(entry: Card | Item) -> tuple[int, str]:
    return (entry.sort_at, entry.slug if isinstance(entry, Card) else entry.id)


def _named(asked: Asked) -> list[tuple[str, str]]:
    return [(name, getattr(asked, name)) for name in asked.__struct_fields__]
