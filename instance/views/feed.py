"""Lists of posts: the four feeds and one author's posts, by cursor, under the one visibility rule.

Three feeds go by time. `questions` holds first what nobody but its author has answered, of the reader's specialties and
then of the others, and after these the questions that were answered; each of the three parts goes by time. The longest
waiting do not come first: a question of this morning may still help its patient, one that was left alone for a month
would stand on top for ever. How long each has waited is on its card.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

import orjson
from msgspec import Struct, structs

from federation.vocabulary import PostKind
from instance.storage.store import Row, Store
from instance.views.bulletins import Shown, shown
from instance.views.marks import Mark, Moment, mark

TABS: Final = ("specialty", "colleagues", "questions", "all")
#: The feed that does not go by time, and the parts it has.
QUESTIONS: Final = "questions"
_PARTS: Final = ("first", "second", "third")
#: Kinds that wait for an answer, as `feeds_questions` says it.
ASKING: Final = frozenset({PostKind.CASE.value, PostKind.OBSERVATION.value, PostKind.QUESTION.value})
PAGE_SIZE: Final = 20
#: So many new posts are counted; one more says that there are more.
MOST_NEW: Final = 20
_DAY: Final = 86_400_000
_FROM_THE_TOP: Final = (2**62, "~")
_NOTHING_OLDER: Final = (-1, "")
_KEPT: Final = 2_048
#: Cards by what a list says of them (the version of post and author): of a list of twenty only those are read that
#: are not among them. Who may see them was decided by the list's query.
_cards: OrderedDict[tuple[Any, ...], Card] = OrderedDict()
#: What a list says of a post, in its order (`feeds.listed`).
_LISTED: Final = (
    "uri", "slug", "sort_at", "updated_at", "answers", "standing", "valid_until", "gone_at", "author_updated_at",
    "first_answer_at", "solved_at",
)  # fmt: skip
_CURSOR: Final = re.compile(r"(?:([1-3])\.)?([0-9]{1,15})-([0-9A-Za-z]{1,64})\Z")


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
    first_answer_at: int | None = None
    solved_at: int | None = None
    asked_country: str = ""
    #: Of news and reports; empty for every other kind.
    facts: str = ""

    @property
    def waits(self) -> bool:
        """Whether an answer by somebody else than the author is still to come."""
        return self.kind in ASKING and self.first_answer_at is None and self.solved_at is None

    @property
    def answered_after(self) -> int | None:
        """How long a question waited for its first answer, in milliseconds; the clocks of two instances may differ."""
        if self.kind != PostKind.QUESTION or self.first_answer_at is None:
            return None
        return max(0, self.first_answer_at - self.published_at)

    @property
    def bulletin(self) -> Shown | None:
        """What it says of itself, where it is news or a report."""
        return shown(self.kind, self.facts) if self.facts else None

    def mark(self, at: Moment) -> Mark:
        """Return the author's mark at this moment."""
        return mark(self.standing, self.valid_until, self.address, at)

    @property
    def version(self) -> tuple[object, ...]:
        """What is new whenever the card is to be rendered anew; the mark apart, which lapses by the clock.

        It holds the address here, since a copy that was dropped and read again has another.
        """
        return (
            self.uri, self.slug, self.updated_at, self.author_updated_at, self.gone_at, self.answers,
            self.first_answer_at, self.solved_at,
        )  # fmt: skip


class Filters(Struct, frozen=True, kw_only=True):
    """What the reader narrowed a feed to; empty is everything."""

    kind: str = ""
    specialty: str = ""
    country: str = ""
    language: str = ""
    #: `yes`, `no`, or either.
    solved: str = ""

    @property
    def any(self) -> bool:
        """Whether anything is narrowed."""
        return bool(self.kind or self.specialty or self.country or self.language or self.solved)


class FeedPage(Struct, frozen=True, kw_only=True):
    """A page of cards, and the cursors of the pages after and before it; empty where there is none."""

    cards: list[Card]
    next: str = ""
    newer: str = ""
    #: Where its first card stands.
    top: str = ""


async def home(
    store: Store,
    reader: str,
    *,
    tab: str = "specialty",
    before: str = "",
    after: str = "",
    filters: Filters = Filters(),  # noqa: B008 (immutable)
    count: int = PAGE_SIZE,
) -> FeedPage:
    """Return a page of the reader's feed; an unknown tab or cursor is the first of them.

    With `after`, the page above that cursor; where not a whole one is left there, the first page.
    """
    tab = tab if tab in TABS else TABS[0]
    if is_cursor(after) and not before:
        values = _values(reader, tab, after, filters, count, newer=True)
        rows = await _rows(store, f"{_query(tab)}_newer", filters, values)
        if len(rows) > count:
            shown = rows[count - 1 :: -1]
            return FeedPage(
                cards=await cards_of(store, reader, shown), next=_cursor(shown[-1]), newer=_cursor(shown[0]),
                top=_cursor(shown[0]),
            )  # fmt: skip
    rows = await _rows(store, _query(tab), filters, _values(reader, tab, before, filters, count))
    page = await _page(store, reader, rows, count)
    return structs.replace(page, newer=page.top or before) if is_cursor(before) else page


async def of_author(store: Store, reader: str, author: str, *, before: str = "", count: int = PAGE_SIZE) -> FeedPage:
    """Return a page of what this author wrote and this reader may see."""
    at, slug = read_cursor(before)
    rows = await store.few(
        "feeds.of_author", author=author, reader=reader, before_at=at, before_slug=slug, count=count + 1
    )
    return await _page(store, reader, rows, count)


async def of_list(store: Store, reader: str, list_id: str, *, before: str = "", count: int = PAGE_SIZE) -> FeedPage:
    """Return a page of what the members of a list wrote and this reader may see; whose list it is was asked before."""
    rows = await store.few("lists.posts", id=list_id, **_values(reader, "", before, Filters(), count))
    return await _page(store, reader, rows, count)


async def how_many_new(store: Store, reader: str, tab: str, since: str, filters: Filters, now: int) -> int:
    """Return how many posts stand above this place by time, MOST_NEW + 1 at most; of the last day, and no older."""
    at, slug = read_cursor(since)
    if not is_cursor(since):
        return 0
    if at < now - _DAY:
        at, slug = now - _DAY, ""
    values = {"reader": reader, "after_at": at, "after_slug": slug, "count": MOST_NEW + 1, **structs.asdict(filters)}
    query = "feeds_questions.since" if tab == QUESTIONS else f"{_query(tab)}_newer"
    return len(await _rows(store, query, filters, values))


async def _rows(store: Store, query: str, filters: Filters, values: dict[str, Any]) -> list[Row]:
    # What is narrowed may be rare, and then many posts are walked for a few.
    return await (store.all(query, **values) if filters.any else store.few(query, **values))


def _query(tab: str) -> str:
    return "feeds_questions.page" if tab == QUESTIONS else f"feeds.{tab}"


def _values(reader: str, tab: str, cursor: str, filters: Filters, count: int, *, newer: bool = False) -> dict[str, Any]:
    part, (at, slug) = _part(cursor), read_cursor(cursor)
    values: dict[str, Any] = {"reader": reader, "count": count + 1, **structs.asdict(filters)}
    if tab != QUESTIONS:
        side = "after" if newer else "before"
        return {**values, f"{side}_at": at, f"{side}_slug": slug}
    for number, name in enumerate(_PARTS, 1):
        # Of the part the cursor stands in what is beyond it, of the parts beyond that one all, of the others nothing.
        whole = number < part if newer else number > part
        all_of_it, nothing = (_NOTHING_OLDER, _FROM_THE_TOP) if newer else (_FROM_THE_TOP, _NOTHING_OLDER)
        place = (at, slug) if number == part else all_of_it if whole else nothing
        values[f"{name}_at"], values[f"{name}_slug"] = place
    return values


def is_cursor(text: str) -> bool:
    """Whether a text names a place in a list."""
    return _CURSOR.match(text) is not None


def read_cursor(text: str) -> tuple[int, str]:
    """Return the place a cursor names; the top for anything that is none."""
    found = _CURSOR.match(text)
    return (int(found[2]), found[3]) if found else _FROM_THE_TOP


def _part(text: str) -> int:
    found = _CURSOR.match(text)
    return int(found[1] or 1) if found else 1


def _cursor(row: Row) -> str:
    place = f"{row['sort_at']}-{row['slug']}"
    return f"{row['part']}.{place}" if "part" in row else place


async def _page(store: Store, reader: str, rows: Sequence[Row], count: int) -> FeedPage:
    shown = rows[:count]
    return FeedPage(
        cards=await cards_of(store, reader, shown), next=_cursor(shown[-1]) if len(rows) > count else "",
        top=_cursor(shown[0]) if shown else "",
    )  # fmt: skip


async def cards_of(store: Store, reader: str, shown: Sequence[Row]) -> list[Card]:
    """Return the cards of posts that a list has found visible to this reader (`feeds.listed`)."""
    keys = [tuple(row.values())[: len(_LISTED)] for row in shown]
    found = [_cards.get(key) for key in keys]
    missing = [row["uri"] for row, card in zip(shown, found, strict=True) if card is None]
    if missing:
        read = await _read(store, reader, missing)
        found = [card or read.get(row["uri"]) for row, card in zip(shown, found, strict=True)]
    return [card for card in found if card is not None]


async def _read(store: Store, reader: str, uris: Sequence[str]) -> dict[str, Card]:
    """Read the cards of these posts, and remember them under what a list says of them."""
    cards: dict[str, Card] = {}
    for row in await store.few("feeds.cards", reader=reader, uris=orjson.dumps(uris).decode()):
        card = cards[row["uri"]] = Card(**row)
        _cards[tuple(row[name] for name in _LISTED)] = card
    while len(_cards) > _KEPT:
        _cards.popitem(last=False)
    return cards
