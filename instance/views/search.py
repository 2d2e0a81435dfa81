"""What a search finds: posts, answers and colleagues, the newest first, under the one visibility rule.

Nothing is ranked: of what matches the newest come first, so that a word in every post costs no more than a rare one.
A page looks through a window of matches; where that holds fewer than a page, the next begins behind it. Numbers are of
what the reader may see, and stop at `MOST`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import orjson
from msgspec import Struct

from instance import searching
from instance.storage.errors import StorageUnavailable
from instance.storage.store import Reader, Row, Store
from instance.views import doctors
from instance.views.feed import Card
from instance.views.marks import Mark, Moment, mark
from verification import specialties

#: What is searched: everything at once, or a page of one of them.
THINGS: Final = ("posts", "comments", "people")
SOLVED: Final = ("yes", "no")
PAGE_SIZE: Final = 20
#: How many of each stand on the page of everything.
FEW: Final = 5
#: Numbers stop here: "more than".
MOST: Final = 100
#: So many of the newest matches are looked through at once.
WINDOW: Final = 1_000
_FROM_THE_TOP: Final = 2**63 - 1
_NEAR, _LIKE = 3, 0.78


class Asked(Struct, frozen=True, kw_only=True, array_like=True):
    """A search, as an address carries it, sealed."""

    text: str = ""
    thing: str = ""
    kind: str = ""
    specialty: str = ""
    country: str = ""
    language: str = ""
    solved: str = ""
    #: Where a page begins: a number of the index, or a place among names.
    after: str = ""

    @property
    def words(self) -> list[str]:
        """The words that are looked for."""
        return searching.asked_words(self.text)

    @property
    def narrowed(self) -> bool:
        """Whether anything is chosen beside the words."""
        return bool(self.kind or self.specialty or self.country or self.language or self.solved)

    @property
    def discussions_only(self) -> bool:
        """Whether something is chosen that only posts and answers have."""
        return bool(self.kind or self.language or self.solved)

    @property
    def anything(self) -> bool:
        """Whether there is something to look for."""
        return bool(self.words or self.narrowed)


class FoundComment(Struct, frozen=True, kw_only=True):
    """An answer that was found, with the discussion it stands in."""

    place: int
    uri: str
    slug: str
    content: str
    language: str
    role_then: str
    published_at: int
    updated_at: int | None
    post: str
    post_title: str
    post_language: str
    post_kind: str
    address: str
    name: str
    country: str
    author_specialties: str
    standing: str
    valid_until: int | None
    gone_at: int | None

    def mark(self, at: Moment) -> Mark:
        """Return the author's mark at this moment."""
        return mark(self.standing, self.valid_until, self.address, at)


class Found(Struct, frozen=True, kw_only=True):
    """What was found of one thing: a page of it, how many there are (up to MOST and one more), and where to go on."""

    posts: list[Card] = []
    comments: list[FoundComment] = []
    people: list[doctors.Colleague] = []
    number: int = 0
    next: str = ""
    #: Whether what matched was not looked through to its end, so that the number is of the newest alone.
    more_behind: bool = False


async def search(store: Store, reader: str, asked: Asked, now: int, thing: str, count: int) -> Found | None:
    """Return what this reader is shown of one thing; None where looking for it took too long."""
    if not asked.anything:
        return Found()
    if thing == "people":
        return await _people(store, reader, asked, now, count)
    values = _values(store, reader, asked, thing)

    async def look(rows: Reader) -> tuple[list[Row], list[Row], Row | None]:
        await rows.one("search.bound")
        found = await rows.all(f"search.{thing}", **values)
        window = None
        if len(found) <= MOST:
            window = await rows.one(
                "search.window", match=values["match"], before=values["before"], window=values["window"]
            )
        return found, await _cards(rows, reader, found[:count]) if thing == "posts" else [], window

    try:
        found, cards, window = await store.read(look)
    except StorageUnavailable as fault:
        if fault.code != "storage_busy":
            raise
        return None
    return _page(thing, found, cards, window, count)


def _page(thing: str, found: list[Row], cards: list[Row], window: Row | None, count: int) -> Found:
    shown = found[:count]
    behind = window is not None and window["number"] >= WINDOW
    following = shown[-1]["place"] if len(found) > count else window["last"] if window and behind else ""
    by_uri = {row["uri"]: Card(**row) for row in cards}
    return Found(
        posts=[by_uri[row["uri"]] for row in shown if row["uri"] in by_uri] if thing == "posts" else [],
        comments=[FoundComment(**row) for row in shown] if thing == "comments" else [],
        number=len(found), next=str(following), more_behind=behind,
    )  # fmt: skip


async def _cards(rows: Reader, reader: str, found: Iterable[Row]) -> list[Row]:
    uris = orjson.dumps([row["uri"] for row in found]).decode()
    return await rows.all("feeds.cards", reader=reader, uris=uris)


def _values(store: Store, reader: str, asked: Asked, thing: str) -> dict[str, Any]:
    match = searching.sqlite_match if store.engine == "sqlite" else searching.postgres_match
    before = int(asked.after) if asked.after.isdecimal() and len(asked.after) < 20 else _FROM_THE_TOP
    return {
        "match": match(_tokens(asked, thing)), "before": min(before, _FROM_THE_TOP), "window": WINDOW, "reader": reader,
        "kind": asked.kind, "specialty": asked.specialty, "country": asked.country, "language": asked.language,
        "solved": asked.solved, "count": MOST + 1,
    }  # fmt: skip


def _tokens(asked: Asked, thing: str) -> list[str]:
    """The words, and what narrows the matches before any is looked at; the statement decides all the same."""
    tokens = [searching.stem(word) for word in asked.words]
    tokens.append(searching.thing("post" if thing == "posts" else "comment"))
    if asked.language:
        tokens.append(searching.facet("language", asked.language))
    if thing == "posts" and asked.kind:
        tokens.append(searching.facet("kind", asked.kind))
    if thing == "posts" and asked.specialty:
        tokens.append(searching.facet("specialty", asked.specialty))
    return tokens


async def _people(store: Store, reader: str, asked: Asked, now: int, count: int) -> Found:
    """Colleagues by the beginnings of their names or by handle; what only discussions have finds nobody."""
    words = doctors.words_of(asked.text[: searching.MOST_LETTERS])
    wanted = doctors.Wanted(words=words, country=asked.country, specialty=asked.specialty)
    if asked.discussions_only or (asked.text and not words):
        return Found()
    found = await doctors.find(store, reader, wanted, now, after=asked.after, count=MOST)
    shown = found.doctors[:count]
    more = len(found.doctors) > count
    following = f"{shown[-1].folded}|{shown[-1].uri}" if more else found.next
    return Found(people=shown, number=len(found.doctors) + bool(found.next), next=following)


async def is_being_filled(store: Store, many: int) -> bool:
    """Whether so many posts are still to be made findable that a reader has to be told."""
    row = await store.one("search.behind", count=many)
    return row is not None and row["number"] >= many


def near_specialties(text: str) -> list[str]:
    """Specialties that are called so in any language, or nearly; the nearest first, none where nothing is like it."""
    asked = " ".join(searching.stem(word) for word in searching.asked_words(text))
    if not asked:
        return []
    called = _called()
    if asked in called:
        return [called[asked]]
    inside = [slug for name, slug in called.items() if f" {asked} " in f" {name} "]
    like = [called[name] for name in difflib.get_close_matches(asked, called, n=_NEAR * 2, cutoff=_LIKE)]
    return list(dict.fromkeys((*inside, *like)))[:_NEAR]


@lru_cache(maxsize=1)
def _called() -> dict[str, str]:
    """Every name of every specialty, folded."""
    found: dict[str, str] = {}
    for each in specialties.all():
        for name in searching.specialty_names(each.slug):
            found.setdefault(" ".join(searching.stem(word) for word in searching.asked_words(name)), each.slug)
    return found
