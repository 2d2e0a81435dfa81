"""Lists of posts: the three feeds and one author's posts, by cursor, under the one visibility rule."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

import orjson
from msgspec import Struct

from instance.storage.store import Row, Store
from instance.views.marks import Mark, Moment, mark

TABS: Final = ("specialty", "colleagues", "all")
PAGE_SIZE: Final = 20
_FROM_THE_TOP: Final = (2**62, "~")
_KEPT: Final = 2_048
#: Cards by what a list says of them (the version of post and author): of a list of twenty only those are read that
#: are not among them. Who may see them was decided by the list's query.
_cards: OrderedDict[tuple[Any, ...], Card] = OrderedDict()
#: What a list says of a post, in its order (`feeds.listed`).
_LISTED: Final = (
    "uri", "slug", "sort_at", "updated_at", "answers", "standing", "valid_until", "gone_at", "author_updated_at",
    "solved_at",
)  # fmt: skip
_CURSOR: Final = re.compile(r"([0-9]{1,15})-([0-9A-Za-z]{1,64})\Z")


class Card(Struct, frozen=True, kw_only=True):
    """A post as a list shows it."""

    uri: str
    slug: str
    kind: str
    title: str
    opening: str
    language: str
    specialties: str
    audience: str
    role_then: str
    published_at: int
    updated_at: int | None
    sort_at: int
    answers: int
    address: str
    name: str
    country: str
    author_specialties: str
    standing: str
    valid_until: int | None
    gone_at: int | None
    author_updated_at: int
    solved_at: int | None

    def mark(self, at: Moment) -> Mark:
        """Return the author's mark at this moment."""
        return mark(self.standing, self.valid_until, self.address, at)

    @property
    def version(self) -> tuple[object, ...]:
        """What is new whenever the card is to be rendered anew; the mark apart, which lapses by the clock.

        It holds the address here, since a copy that was dropped and read again has another.
        """
        return (
            self.uri,
            self.slug,
            self.updated_at,
            self.author_updated_at,
            self.gone_at,
            self.answers,
            self.solved_at,
        )


class Filters(Struct, frozen=True, kw_only=True):
    """What the reader narrowed a feed to; empty is everything."""

    kind: str = ""
    country: str = ""
    language: str = ""

    @property
    def any(self) -> bool:
        """Whether anything is narrowed."""
        return bool(self.kind or self.country or self.language)


class FeedPage(Struct, frozen=True, kw_only=True):
    """A page of cards, and the cursor of the next; empty where there is none."""

    cards: list[Card]
    next: str = ""


async def home(
    store: Store,
    reader: str,
    *,
    tab: str = "specialty",
    before: str = "",
    filters: Filters = Filters(),  # noqa: B008 (immutable)
    count: int = PAGE_SIZE,
) -> FeedPage:
    """Return a page of the reader's feed; an unknown tab or cursor is the first of them."""
    query = f"feeds.{tab if tab in TABS else TABS[0]}"
    values = _values(reader, before, filters, count)
    # What is narrowed may be rare, and then many posts are walked for a few.
    rows = await (store.all(query, **values) if filters.any else store.few(query, **values))
    return await _page(store, reader, rows, count)


async def of_author(store: Store, reader: str, author: str, *, before: str = "", count: int = PAGE_SIZE) -> FeedPage:
    """Return a page of what this author wrote and this reader may see."""
    rows = await store.few("feeds.of_author", author=author, **_values(reader, before, Filters(), count))
    return await _page(store, reader, rows, count)


def _values(reader: str, before: str, filters: Filters, count: int) -> dict[str, Any]:
    at, slug = read_cursor(before)
    return {
        "reader": reader,
        "before_at": at,
        "before_slug": slug,
        "kind": filters.kind,
        "country": filters.country,
        "language": filters.language,
        "count": count + 1,
    }


def read_cursor(text: str) -> tuple[int, str]:
    """Return the place a cursor names; the top for anything that is none."""
    found = _CURSOR.match(text)
    return (int(found[1]), found[2]) if found else _FROM_THE_TOP


async def _page(store: Store, reader: str, rows: Sequence[Row], count: int) -> FeedPage:
    shown = rows[:count]
    found = [_cards.get(tuple(row.values())) for row in shown]
    missing = [row["uri"] for row, card in zip(shown, found, strict=True) if card is None]
    if missing:
        read = await _read(store, reader, missing)
        found = [card or read.get(row["uri"]) for row, card in zip(shown, found, strict=True)]
    last = shown[-1] if len(rows) > count else None
    return FeedPage(
        cards=[card for card in found if card is not None], next=f"{last['sort_at']}-{last['slug']}" if last else ""
    )


async def _read(store: Store, reader: str, uris: Sequence[str]) -> dict[str, Card]:
    """Read the cards of these posts, and remember them under what a list says of them."""
    cards: dict[str, Card] = {}
    for row in await store.few("feeds.cards", reader=reader, uris=orjson.dumps(uris).decode()):
        card = cards[row["uri"]] = Card(**row)
        _cards[tuple(row[name] for name in _LISTED)] = card
    while len(_cards) > _KEPT:
        _cards.popitem(last=False)
    return cards
