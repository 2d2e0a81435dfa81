"""What a post carries beside its text, between rows and the wire: the coded summary, the poll, the end of the case."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from msgspec.structs import replace

from federation import render
from federation.errors import Malformed
from federation.integrity import Json, read_instant
from federation.uri import BadUri, Uri
from federation.vocabulary import Poll, PollOption, Post, PostKind
from instance.services import tally
from instance.services.tally import Tally
from instance.storage.store import Reader, Row
from instance.times import from_ms, to_ms
from verification import clinical

#: Kinds that have a summary, a poll and an end.
CLINICAL: Final = frozenset({PostKind.CASE, PostKind.OBSERVATION, PostKind.QUESTION})
MAX_DIAGNOSIS: Final = 300
MAX_OUTCOME: Final = 4_000
MAX_THANKED: Final = 50
_YEARS: Final = range(1970, 9999)

#: Whether what lies on these origins may be named to whoever is written to.
Lets = Callable[[Sequence[str]], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """How a case ended, as its author says it; without `resolved` it was opened again."""

    diagnosis: str
    outcome: str
    language: str
    thanked: tuple[str, ...]
    resolved: datetime | None
    updated: datetime


def options_of(row: Row) -> tuple[str, ...]:
    """What may be answered in a poll."""
    return tuple(json.loads(row["options"]))


async def counted(reader: Reader, row: Row, *, local: bool) -> Tally:
    """Return what a poll's votes come to: counted here at its home, elsewhere as its home has told."""
    number = len(options_of(row))
    if local:
        rows = await reader.all("cases.votes", post=row["post"])
        return tally.count(((each["choice"], each["specialty"], each["number"]) for each in rows), number)
    totals = tuple(json.loads(row["totals"])) or (0,) * number
    return Tally(totals, {slug: tuple(found) for slug, found in json.loads(row["by_specialty"]).items()})


async def beside(reader: Reader, post: Post, lets: Lets) -> Post:
    """Return an own post with what stands beside its text, as whoever is written to may know it."""
    poll, resolution = await reader.one("cases.poll", post=post.id), await reader.one("cases.resolution", post=post.id)
    return replace(
        post,
        poll=None if poll is None else poll_of(poll, await counted(reader, poll, local=True)),
        resolution=None if resolution is None else write_resolution(resolution, lets),
    )


def poll_of(row: Row, found: Tally) -> Poll:
    """The poll as it stands on the wire."""
    options = zip(options_of(row), found.totals, strict=True)
    return Poll(
        id=Uri.parse(row["uri"]), options=tuple(PollOption(name=name, votes=votes) for name, votes in options),
        closes=_time(row["closes_at"]), closed=_time(row["closed_at"]), updated=from_ms(row["updated_at"]),
        by_specialty={slug: list(numbers) for slug, numbers in found.by_specialty.items()} or None,
    )  # fmt: skip


def poll_values(poll: Poll) -> dict[str, Any]:
    """The same as rows keep it of a sibling's."""
    found = tally.read(poll.by_specialty, len(poll.options))
    return {
        "options": orjson.dumps([option.name for option in poll.options]).decode(),
        "closes_at": None if poll.closes is None else to_ms(poll.closes),
        "closed_at": None if poll.closed is None else to_ms(poll.closed),
        "updated_at": to_ms(poll.updated),
        "totals": orjson.dumps([option.votes for option in poll.options]).decode(),
        "by_specialty": orjson.dumps(found).decode(),
    }


def write_resolution(row: Row, lets: Lets) -> Json:
    """The end of a case as it stands on the wire; thanks name nobody whom the reader's instance may not know of."""
    updated = render.write_time(from_ms(row["updated_at"]))
    if row["resolved_at"] is None:
        return {"updated": updated}
    thanked = [uri for uri in json.loads(row["thanked"]) if lets([Uri.parse(uri).origin])]
    return {
        "diagnosis": row["diagnosis"], "language": row["language"],
        "resolved": render.write_time(from_ms(row["resolved_at"])), "updated": updated,
        **({"outcome": row["outcome"]} if row["outcome"] else {}), **({"thanks": thanked} if thanked else {}),
    }  # fmt: skip


def read_resolution(document: Json) -> Resolution | None:
    """Return the end of a case as a sibling tells it; raise Malformed for one of another form."""
    if document is None:
        return None
    if not isinstance(document, dict):
        raise Malformed("a resolution is an object")
    updated = _instant(document.get("updated"))
    if updated is None:
        raise Malformed("a resolution without a version")
    resolved, diagnosis = _instant(document.get("resolved")), _text(document.get("diagnosis"), MAX_DIAGNOSIS)
    language = document.get("language")
    if resolved is None or not diagnosis:
        return Resolution(diagnosis="", outcome="", language="", thanked=(), resolved=None, updated=updated)
    if not isinstance(language, str) or len(language) != 2 or not (language.isascii() and language.islower()):
        raise Malformed("a resolution in no language")
    return Resolution(
        diagnosis=diagnosis, outcome=_text(document.get("outcome"), MAX_OUTCOME), language=language,
        thanked=_addresses(document.get("thanks")), resolved=resolved, updated=updated,
    )  # fmt: skip


def facts_with(facts: str, summary: clinical.Summary) -> str:
    """The facts of a post with this summary in the place of the one before."""
    found = json.loads(facts)
    found.pop("clinicalSummary", None)
    if (written := clinical.write(summary)) is not None:
        found["clinicalSummary"] = written
    return orjson.dumps(found).decode()


def summary_in(facts: str) -> clinical.Summary:
    """The coded summary among the facts of a post, read strictly."""
    return clinical.read(json.loads(facts).get("clinicalSummary"))


def lines_of(text: str) -> str:
    """Plain text as it may be kept and shown: lines without invisible characters."""
    return "\n".join(clinical.line(line) for line in text.splitlines()).strip()


def _text(value: Json, limit: int) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > limit:
        raise Malformed("a text of a resolution that is none, or too long")
    return lines_of(value)


def _instant(value: Json) -> datetime | None:
    if value is None:
        return None
    try:
        at = read_instant(value if isinstance(value, str) else "")
    except ValueError:
        raise Malformed("a time of a resolution that is none") from None
    if at.year not in _YEARS:
        raise Malformed("a time outside the calendar")
    return at


def _addresses(value: Json) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MAX_THANKED:
        raise Malformed("thanks are a short list of answers")
    try:
        return tuple(dict.fromkeys(Uri.parse(each) for each in value))
    except BadUri:
        raise Malformed("thanks for no address") from None


def _time(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)
