"""What news and reports say of themselves, as typed, checked whole; and the same as rows keep it.

A conflict-of-interest line is part of every one of them: there is none, declared as a choice, or a text.
Codes raised here: CODES.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import orjson

from federation import bulletins as wire
from federation.errors import Malformed
from federation.uri import BadUri, Uri
from federation.vocabulary import BULLETINS, Citation, Conflict, Post, PostKind
from instance.services.errors import Rejected
from instance.text import one_line

CODES: Final = (
    "conflict_missing", "conflict_text_missing", "conflict_twice", "source_missing", "bad_link", "bad_doi",
    "study_unnamed", "citation_missing", "bad_year", "event_missing", "place_missing", "dates_missing", "bad_dates",
    "field_too_long",
)  # fmt: skip

NONE, SOME = wire.NONE, wire.SOME
#: A congress is held within so many days.
LONGEST: Final = timedelta(days=31)
_DOI_PLACES: Final = (
    "https://doi.org/", "http://doi.org/", "https://dx.doi.org/", "http://dx.doi.org/", "doi.org/", "doi:",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class BulletinDraft:
    """Everything as typed; of it only what belongs to the kind is looked at."""

    #: `none`, `some`, or nothing chosen.
    conflict: str = ""
    conflict_text: str = ""
    source: str = ""
    source_link: str = ""
    doi: str = ""
    authors: str = ""
    study: str = ""
    journal: str = ""
    year: str = ""
    event: str = ""
    event_place: str = ""
    event_from: str = ""
    event_until: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulletin:
    """A draft that can be published; of a kind that is no bulletin, nothing."""

    source: str = ""
    source_link: str = ""
    doi: str = ""
    citation: Citation | None = None
    event: str = ""
    event_place: str = ""
    event_from: date | None = None
    event_until: date | None = None
    conflict: Conflict | None = None

    def words(self) -> dict[str, Any]:
        """The fields of a `Post`."""
        return {name: getattr(self, name) for name in self.__slots__}


UNTYPED: Final = BulletinDraft()
NOTHING: Final = Bulletin()


# ── as typed ──


def check(kind: PostKind, draft: BulletinDraft) -> Bulletin:
    """Return the fields of this kind; raise Rejected naming the first to mend."""
    if kind not in BULLETINS:
        return NOTHING
    source, link = _line(draft.source, "source"), _link(draft.source_link)
    if kind is PostKind.NEWS and not source:
        raise Rejected("source_missing", "source")
    fields: dict[str, Any] = {"source": source, "source_link": link}
    if kind is PostKind.STUDY_REPORT:
        fields |= _study(draft, link)
    elif kind is PostKind.CONGRESS_REPORT:
        fields |= _congress(draft)
    return Bulletin(**fields, conflict=_conflict(draft))


def doi_of(text: str) -> str:
    """Return a DOI without the address it is often written with, empty for nothing; raise Rejected(bad_doi)."""
    typed = one_line(text)
    place = next((place for place in _DOI_PLACES if typed.lower().startswith(place)), "")
    found = typed[len(place) :].strip()
    if found and not wire.DOI.match(found):
        raise Rejected("bad_doi", "doi")
    return found


def _study(draft: BulletinDraft, link: str) -> dict[str, Any]:
    doi = doi_of(draft.doi)
    if not doi and not link:
        raise Rejected("study_unnamed", "doi")
    authors = _required(draft.authors, "authors", "citation_missing", wire.MAX_LONG)
    title = _required(draft.study, "study", "citation_missing", wire.MAX_LONG)
    journal = _required(draft.journal, "journal", "citation_missing")
    year = draft.year.strip()
    # As many digits as a year has.
    known = len(year) == 4 and year.isascii() and year.isdigit()
    if not known or not wire.FIRST_YEAR <= int(year) <= wire.LAST_YEAR:
        raise Rejected("bad_year", "year")
    return {"doi": doi, "citation": Citation(authors=authors, title=title, journal=journal, year=int(year))}


def _congress(draft: BulletinDraft) -> dict[str, Any]:
    event = _required(draft.event, "event", "event_missing")
    place = _required(draft.event_place, "event_place", "place_missing")
    begins, ends = _day(draft.event_from, "event_from"), _day(draft.event_until, "event_until")
    if begins is None:
        raise Rejected("dates_missing", "event_from")
    if ends is not None and not begins <= ends <= begins + LONGEST:
        raise Rejected("bad_dates", "event_until")
    return {
        "event": event, "event_place": place, "event_from": begins, "event_until": None if ends == begins else ends,
    }  # fmt: skip


def _conflict(draft: BulletinDraft) -> Conflict:
    text = _line(draft.conflict_text, "conflict_text", wire.MAX_LONG)
    if draft.conflict not in (NONE, SOME):
        raise Rejected("conflict_missing", "conflict")
    if draft.conflict == SOME and not text:
        raise Rejected("conflict_text_missing", "conflict_text")
    if draft.conflict == NONE and text:
        raise Rejected("conflict_twice", "conflict")
    return Conflict(text=text)


def _line(text: str, field: str, limit: int = wire.MAX_LINE) -> str:
    found = one_line(text)
    if len(found) > limit:
        raise Rejected("field_too_long", field)
    return found


def _required(text: str, field: str, code: str, limit: int = wire.MAX_LINE) -> str:
    found = _line(text, field, limit)
    if not found:
        raise Rejected(code, field)
    return found


def _link(text: str) -> str:
    typed = text.strip()
    if not typed:
        return ""
    try:
        found = Uri.parse(typed)
    except BadUri:
        raise Rejected("bad_link", "source_link") from None
    if found.scheme != "https":
        raise Rejected("bad_link", "source_link")
    return str(found)


def _day(text: str, field: str) -> date | None:
    typed = text.strip()
    if not typed:
        return None
    try:
        found = date.fromisoformat(typed)
    except ValueError:
        raise Rejected("bad_dates", field) from None
    # ISO 8601 has other spellings of a day, and siblings take this one.
    if found.isoformat() != typed or not wire.FIRST_YEAR <= found.year < wire.LAST_YEAR:
        raise Rejected("bad_dates", field)
    return found


# ── as rows keep it ──


def columns(post: Post | Bulletin) -> dict[str, str]:
    """The columns of `posts` that hold what a post carries beside its text."""
    facts = wire.write(post)
    if isinstance(post, Post):
        opaque = {"clinicalSummary": post.clinical_summary, "consent": post.consent, "screening": post.screening}
        facts = {**{name: value for name, value in opaque.items() if value}, **facts}
    interests = "" if post.conflict is None else SOME if post.conflict.text else NONE
    begins = post.event_from.isoformat() if post.event_from else ""
    return {"facts": orjson.dumps(facts).decode(), "interests": interests, "event_from": begins}


def filed(kind: PostKind) -> str:
    """What a post's place under a specialty says of it: its kind, where that is news or a report."""
    return kind.value if kind in BULLETINS else ""


def words(facts: str) -> dict[str, Any]:
    """The fields of a `Post` that a row's facts say."""
    known: Mapping[str, Any] = orjson.loads(facts)
    opaque = {"clinical_summary": "clinicalSummary", "consent": "consent", "screening": "screening"}
    try:
        bulletin = wire.read(known)
    except Malformed:
        bulletin = {}  # kept before these fields had a form
    return {**{name: known.get(key) for name, key in opaque.items()}, **bulletin}


def typed(facts: str) -> BulletinDraft:
    """What the form of a post shows of its facts, to be mended."""
    known = words(facts)
    citation, conflict = known.get("citation"), known.get("conflict")
    days = {name: known[name].isoformat() if known.get(name) else "" for name in ("event_from", "event_until")}
    return BulletinDraft(
        **{name: known.get(name, "") for name in ("source", "source_link", "doi", "event", "event_place")}, **days,
        authors=citation.authors if citation else "", study=citation.title if citation else "",
        journal=citation.journal if citation else "", year=str(citation.year) if citation else "",
        conflict="" if conflict is None else SOME if conflict.text else NONE,
        conflict_text=conflict.text if conflict else "",
    )  # fmt: skip
