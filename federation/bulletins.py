"""What news and reports carry beside their text: where it comes from, what it is about, whose interests it touches.

The same form stands on the wire and in rows. `write` makes it of words, `read` makes words of it and raises `Malformed`
for what has not the form; of two that hold, `read(write(x)) == x`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final, Protocol

from federation import html
from federation.errors import Malformed
from federation.integrity import Json
from federation.jsonld import one
from federation.uri import BadUri, Uri
from federation.vocabulary import Citation, Conflict

MAX_LINE: Final = 200
#: Of the authors and the title of a study, and of a conflict of interest.
MAX_LONG: Final = 500
FIRST_YEAR: Final = 1800
LAST_YEAR: Final = 9998
#: A prefix that the DOI foundation hands out, and whatever the publisher has put behind it (ISO 26324).
DOI: Final = re.compile(r"10\.[0-9]{4,9}/[!-~]{1,180}\Z")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
NONE, SOME = "none", "some"
_KEYS: Final = frozenset(
    ("source", "sourceLink", "doi", "citation", "event", "eventPlace", "eventFrom", "eventUntil", "conflictOfInterest")
)


class Words(Protocol):
    """Whatever has the fields: a post, or one that is to become it."""

    @property
    def source(self) -> str:
        """The publisher."""

    @property
    def source_link(self) -> str:
        """Where it is to be read there."""

    @property
    def doi(self) -> str:
        """The study."""

    @property
    def citation(self) -> Citation | None:
        """How it is cited."""

    @property
    def event(self) -> str:
        """The congress."""

    @property
    def event_place(self) -> str:
        """Where it is held."""

    @property
    def event_from(self) -> date | None:
        """Its first day."""

    @property
    def event_until(self) -> date | None:
        """Its last, where that is another."""

    @property
    def conflict(self) -> Conflict | None:
        """What was declared."""


def write(word: Words) -> dict[str, Json]:
    """Return the fields that say something, by their names on the wire."""
    fields: dict[str, Json] = {
        "source": word.source,
        "sourceLink": word.source_link,
        "doi": word.doi,
        "citation": _citation(word.citation),
        "event": word.event,
        "eventPlace": word.event_place,
        "eventFrom": word.event_from.isoformat() if word.event_from else None,
        "eventUntil": word.event_until.isoformat() if word.event_until else None,
        "conflictOfInterest": _conflict(word.conflict),
    }
    return {name: value for name, value in fields.items() if value}


def read(node: Mapping[str, Json]) -> dict[str, Any]:
    """Return the fields of a post that this node has, by their names in `vocabulary`; raise Malformed."""
    if _KEYS.isdisjoint(node):
        return {}
    begins, ends = _day(node, "eventFrom"), _day(node, "eventUntil")
    if ends is not None and (begins is None or ends < begins):
        raise Malformed("an event that ends before it begins")
    return {
        "source": _line(node, "source"),
        "source_link": _link(node),
        "doi": _doi(node),
        "citation": _read_citation(one(node.get("citation"))),
        "event": _line(node, "event"),
        "event_place": _line(node, "eventPlace"),
        "event_from": begins,
        "event_until": ends,
        "conflict": _read_conflict(one(node.get("conflictOfInterest"))),
    }


def _citation(word: Citation | None) -> Json:
    if word is None:
        return None
    return {"authors": word.authors, "title": word.title, "journal": word.journal, "year": word.year}


def _conflict(word: Conflict | None) -> Json:
    if word is None:
        return None
    return {"declared": SOME, "text": word.text} if word.text else {"declared": NONE}


def _line(node: Mapping[str, Json], key: str, limit: int = MAX_LINE) -> str:
    value = one(node.get(key))
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > limit:
        raise Malformed(f"{key} is no text of at most {limit} characters")
    return html.line(value)


def _link(node: Mapping[str, Json]) -> str:
    value = one(node.get("sourceLink"))
    if value is None:
        return ""
    try:
        found = Uri.parse(value)
    except BadUri:
        raise Malformed("sourceLink is no address") from None
    if found.scheme != "https":
        raise Malformed("sourceLink is not https")
    return str(found)


def _doi(node: Mapping[str, Json]) -> str:
    value = _line(node, "doi")
    if value and not DOI.match(value):
        raise Malformed("doi has not the form of one")
    return value


def _day(node: Mapping[str, Json], key: str) -> date | None:
    value = one(node.get(key))
    if value is None:
        return None
    try:
        found = date.fromisoformat(value) if isinstance(value, str) and _DAY.match(value) else None
    except ValueError:
        found = None
    if found is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise Malformed(f"{key} is no day")
    return found


def _read_citation(value: Json) -> Citation | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Malformed("citation is no object")
    year = value.get("year")
    if type(year) is not int or not FIRST_YEAR <= year <= LAST_YEAR:
        raise Malformed("a citation without its year")
    found = Citation(
        authors=_line(value, "authors", MAX_LONG), title=_line(value, "title", MAX_LONG),
        journal=_line(value, "journal"), year=year,
    )  # fmt: skip
    if not (found.authors and found.title and found.journal):
        raise Malformed("a citation names authors, title and journal")
    return found


def _read_conflict(value: Json) -> Conflict | None:
    if value is None:
        return None
    if not isinstance(value, dict) or value.get("declared") not in (NONE, SOME):
        raise Malformed("conflictOfInterest declares neither none nor some")
    text = _line(value, "text", MAX_LONG)
    if bool(text) is (value["declared"] == NONE):
        raise Malformed("conflictOfInterest says one thing and another")
    return Conflict(text=text)
