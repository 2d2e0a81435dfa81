"""Doctors: one profile, and the lists on which colleagues are found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from instance.services.errors import Missing
from instance.storage.store import Reader
from instance.views.marks import Mark, Moment, mark
from verification import names

PAGE_SIZE: Final = 30
#: How many are suggested, and how many of them since colleagues of the reader follow them.
SUGGESTED: Final = 18
SUGGESTED_BY_COLLEAGUES: Final = 6
#: How many doctors bear a word that is looked up; and how far is counted.
_FEW: Final = 6_000
_MANY: Final = 20_000
_LAST: Final = "\U0010ffff"
_BETWEEN: Final = re.compile(r"[\s,._-]+")
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
    #: 1 where the reader has muted them.
    muted: int
    #: 1 where their contact rule keeps the reader from following them; of a sibling's doctor only their home knows.
    refuses: int
    home: str | None
    fetched_at: int
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
    #: Why they are suggested: `common` (and how many), `near`, `specialty` or `country`; empty on other lists.
    why: str = ""
    common: int = 0

    def mark(self, at: Moment) -> Mark:
        """Return the mark at this moment."""
        return mark(self.standing, self.valid_until, self.address, at)


class Wanted(Struct, frozen=True, kw_only=True):
    """Whom the reader looks for; `words` are folded as the index is."""

    words: tuple[str, ...] = ()
    country: str = ""
    specialty: str = ""
    role: str = ""
    language: str = ""

    @property
    def facets(self) -> tuple[str, ...]:
        """What is asked for beside words, as the index names it; empty places stay."""
        named = (("specialty", self.specialty), ("language", self.language), ("role", self.role))
        return tuple(f"{what}/{value}" if value else "" for what, value in (*named, ("country", self.country)))


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

    Nobody who has blocked the reader. `suggested` leaves out those the reader follows, has asked, blocked, or muted.
    """
    if wanted == Wanted():
        return Found(doctors=[])
    words, facet = _words(wanted.words), await _rarest(store, wanted)
    values = {"reader": reader, "now": now, "suggested": int(suggested), **_place(after, count), **words}
    if facet is None:
        rows = await store.all("views.doctors_by_word", **values, **_places(wanted.facets))
    else:  # what is walked needs no look of its own
        others = [each if each != facet else "" for each in wanted.facets]
        rows = await store.all("views.doctors_by_facet", facet=facet, **values, **_places(others))
    return _page(rows, count)


async def _rarest(store: Reader, wanted: Wanted) -> str | None:
    """The facet to walk in the order of the list, or None where the words are rare enough to be looked up and sorted.

    Of several conditions the one that fewest meet; where the words alone are frequent, everybody is walked, since soon
    enough are found.
    """
    facets = [facet for facet in wanted.facets if facet]
    if len(facets) + len(wanted.words) <= 1 and facets:
        return facets[0]
    places = _places(wanted.facets)
    rows = await store.all("views.directory_sizes", most=_MANY, **places, **_words(wanted.words))
    sizes = {int(row["place"]): int(row["number"]) for row in rows}
    words = min((size for place, size in sizes.items() if place >= len(places)), default=_MANY)
    place, size = min(((place, size) for place, size in sizes.items() if place < len(places)),
                      key=lambda each: each[1], default=(-1, _MANY))  # fmt: skip
    if words < _FEW and words <= size:
        return None
    return wanted.facets[place] if place >= 0 else ""


def _places(facets: Sequence[str]) -> dict[str, str]:
    return {f"facet{place}": facet for place, facet in enumerate(facets)}


def _page(rows: Sequence[Any], count: int) -> Found:
    doctors = [Colleague(**row) for row in rows[:count]]
    last = doctors[-1] if len(rows) > count else None
    return Found(doctors=doctors, next=f"{last.folded}|{last.uri}" if last else "")


async def suggestions(
    store: Reader, reader: str, specialties: Sequence[str], country: str, now: int
) -> list[Colleague]:
    """Return whom the reader may want to know, each once and with the reason.

    First those whom colleagues of the reader follow, then the reader's specialties in the own country, then everywhere;
    whoever has no specialty is shown the country. Never whom the reader follows, has asked, muted or blocked, nor who
    has blocked the reader.
    """
    rows = await store.all("views.suggested_by_colleagues", reader=reader, now=now, count=SUGGESTED_BY_COLLEAGUES)
    found = {
        row["uri"]: Colleague(
            **{name: row[name] for name in row if name != "number"}, why="common", common=row["number"]
        )
        for row in rows
    }
    near = [("near", Wanted(specialty=each, country=country)) for each in specialties]
    wide = [("specialty", Wanted(specialty=each)) for each in specialties] or [("country", Wanted(country=country))]
    for why, wanted in (*near, *wide):
        if len(found) >= SUGGESTED:
            break
        page = await find(store, reader, wanted, now, count=SUGGESTED + len(found), suggested=True)
        for colleague in page.doctors:
            if len(found) < SUGGESTED:
                found.setdefault(colleague.uri, replace(colleague, why=why))
    return list(found.values())


def _place(after: str, count: int) -> dict[str, Any]:
    """Where a page begins: behind the doctor a cursor names, at the top for anything that is none."""
    cursor = _CURSOR.match(after)
    return {
        "after_name": cursor[1] if cursor else "",
        "after_uri": cursor[2] if cursor else "",
        "count": count + 1,
    }


def words_of(asked: str) -> tuple[str, ...]:
    """The words of a name or handle to look up: folded like names; with a digit in it, it can only be a handle."""
    text = asked.strip().lstrip("@").partition("@")[0]
    if any(letter.isdigit() for letter in text):
        return tuple(word for word in _BETWEEN.split(text.casefold().replace("\0", "")) if word)
    return tuple(names.fold(text).split())


def _words(words: Sequence[str]) -> dict[str, str]:
    first, second, *_ = [*sorted(words, key=len, reverse=True), "", ""]
    return {
        "word": first, "word_end": first + _LAST if first else "",
        "word2": second, "word2_end": second + _LAST if second else "",
    }  # fmt: skip


def _called(words: Sequence[str]) -> dict[str, str]:
    """The word that narrows a list of one's own."""
    found = _words(words)
    return {"word": found["word"], "word_end": found["word_end"]}


#: The lists of oneself, by name: the query of each.
OWN_LISTS: Final = {
    "followers": "views.followers",
    "following": "views.following",
    "blocked": "own.blocked",
    "muted": "own.muted",
}


async def own_list(
    store: Reader, reader: str, which: str, *, words: Sequence[str] = (), after: str = "", count: int = PAGE_SIZE
) -> Found:
    """Return a page of one of the reader's own lists, by name; raise Missing where there is no such list."""
    query = OWN_LISTS.get(which)
    if query is None:
        raise Missing
    return _page(await store.all(query, reader=reader, **_called(words), **_place(after, count)), count)


async def of_list(store: Reader, reader: str, list_id: str, *, after: str = "", count: int = PAGE_SIZE) -> Found:
    """Return a page of the members of a list whose owner is the reader, by name."""
    return _page(await store.all("lists.members", reader=reader, id=list_id, **_place(after, count)), count)


async def requests(store: Reader, reader: str) -> list[Colleague]:
    """Return those who wait for the reader's answer."""
    return [Colleague(**row) for row in await store.all("views.requests", reader=reader)]


class Following(Struct, frozen=True, kw_only=True):
    """How many follow the reader, and whom the reader follows."""

    followers: int
    following: int


async def numbers(store: Reader, reader: str) -> Following:
    """Return the reader's own numbers; nobody else is told them."""
    row = await store.one("views.following_numbers", reader=reader)
    return Following(**row) if row is not None else Following(followers=0, following=0)


async def common(store: Reader, reader: str, doctor: str) -> int:
    """Return how many of those the reader follows follow this doctor; 0 for one alone, of whom it would tell."""
    row = await store.one("views.common", reader=reader, doctor=doctor)
    number = int(row["number"]) if row is not None else 0
    return number if number > 1 else 0
