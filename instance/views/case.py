"""What stands on a case's page beside its text and thread: the coded summary, the poll, its end, what the reader keeps.

Whoever calls has found the post for this reader under the one visibility rule; nothing here is shown for any other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from instance.services import case_parts, polls
from instance.services.case_parts import CLINICAL
from instance.services.tally import OTHERS, Tally
from instance.storage.store import Reader, Row
from instance.times import from_ms
from instance.views.thread import CommentRow, PostRow, Thread
from verification import clinical

PAGE_SIZE: Final = 20
#: In the order in which they are read.
_ORDER: Final = ("ageBand", "sex", "setting", "history", "findings", "question")
_FROM_THE_TOP: Final = (2**62, "~")
_CURSOR: Final = re.compile(r"([0-9]{1,15})-(https?://[!-~]{1,500})\Z")
_LINK: Final = re.compile(r"<a\b([^>]*)>([^<]*)</a>")
_DOCTOR: Final = re.compile(r"https?://([a-z0-9.-]+(?::[0-9]{1,5})?)/doctors/([a-z0-9][a-z0-9._-]{0,63})\Z")
_HREF: Final = re.compile(r'\bhref="([^"]*)"')


class Fact(Struct, frozen=True):
    """A line of the summary: what its codes say in the reader's language, and what the author wrote beside them."""

    field: str
    said: list[str]
    text: str


class Option(Struct, frozen=True):
    """One thing that may be answered; without numbers for whoever is not shown them."""

    place: int
    name: str
    votes: int
    #: Of a hundred.
    share: int
    own: bool


class Part(Struct, frozen=True):
    """What one specialty chose, a number for every option."""

    specialty: str
    number: int
    votes: tuple[int, ...]


class PollView(Struct, frozen=True, kw_only=True):
    """A poll as this reader is shown it."""

    options: list[Option]
    number: int
    parts: list[Part]
    open: bool
    voted: bool
    #: Whether the numbers are shown: to whoever has voted, to the author, and to all once it has ended.
    results: bool
    #: When the home counted last; None where this is the home.
    counted_at: int | None
    closes_at: int | None
    closed_at: int | None


class EndView(Struct, frozen=True, kw_only=True):
    """How a case ended; the answers that helped are those this reader sees."""

    diagnosis: str
    outcome: str
    language: str
    resolved_at: int
    thanked: frozenset[str]


class Kept(Struct, frozen=True, kw_only=True):
    """What the reader keeps of a post."""

    followed_at: int | None = None
    muted_at: int | None = None
    saved_at: int | None = None
    visited_at: int | None = None


class Beside(Struct, frozen=True, kw_only=True):
    """Everything beside the text."""

    facts: list[Fact]
    facts_language: str
    poll: PollView | None
    end: EndView | None
    #: Whether it can have a poll and an end.
    clinical: bool
    mentioned: Mapping[str, Row]

    def linked(self, comment: CommentRow) -> str:
        """An answer's text, with those it mentions by their names and as links to their pages here."""
        return linked(comment.content, self.mentioned)


class Saved(Struct, frozen=True, kw_only=True):
    """A post on the reader's own list; without a title it is gone, or is not for the reader any more."""

    uri: str
    saved_at: int
    slug: str | None
    kind: str | None
    title: str | None
    language: str | None
    solved_at: int | None
    published_at: int | None
    answers: int | None
    name: str | None
    address: str | None
    country: str | None
    gone_at: int | None


class SavedPage(Struct, frozen=True, kw_only=True):
    """A page of them, and the cursor of the next; empty where there is none."""

    posts: list[Saved]
    next: str = ""


async def kept(rows: Reader, reader: str, slug: str) -> Kept:
    """Return what the reader keeps of the post with this slug."""
    row = await rows.one("cases.marks", doctor=reader, slug=slug)
    return Kept(**row) if row is not None else Kept()


async def beside(rows: Reader, reader: str, shown: Thread, language: str, now: int) -> Beside:
    """Return what stands beside the text of a post that this reader is shown."""
    post = shown.post
    row = await rows.one("cases.beside", post=post.uri)
    said = case_parts.summary_in(row["facts"]) if row is not None else clinical.NOTHING
    is_clinical = post.kind in CLINICAL
    named = await rows.all("cases.mentioned", post=post.uri) if shown.answers else []
    return Beside(
        facts=_facts(said, language) if is_clinical else [],
        facts_language=said.language,
        poll=await _poll(rows, reader, post, now) if is_clinical else None,
        end=await end_of(rows, post) if is_clinical else None,
        clinical=is_clinical,
        mentioned={each["uri"]: each for each in named},
    )


async def saved(rows: Reader, reader: str, before: str = "", count: int = PAGE_SIZE) -> SavedPage:
    """Return a page of what the reader saved, the newest first."""
    found = _CURSOR.match(before)
    at, uri = (int(found[1]), found[2]) if found else _FROM_THE_TOP
    lines = await rows.all("cases.saved", reader=reader, before_at=at, before_post=uri, count=count + 1)
    posts = [Saved(**line) for line in lines[:count]]
    return SavedPage(posts=posts, next=f"{posts[-1].saved_at}-{posts[-1].uri}" if len(lines) > count else "")


def linked(content: str, known: Mapping[str, Row]) -> str:
    """Sanitised HTML in which mentions of doctors known here lead to their pages here, under their names.

    Others are looked for; what leads to no doctor is no link.
    """

    def replaced(found: re.Match[str]) -> str:
        target = _HREF.search(found[1])
        if target is None or 'class="mention"' not in found[1]:
            return found[0]
        who = known.get(target[1])
        if who is None or not who["name"]:
            there = _DOCTOR.match(target[1])  # nobody here has met them: they are looked for by their address
            asked = quote(f"{there[2]}@{there[1]}", safe="@:") if there is not None else ""
            return f'<a class="mention" href="/colleagues?q={asked}">{found[2]}</a>' if asked else found[2]
        return f'<a class="mention" href="/doctors/{quote(who["address"], safe="@:")}">@{escape(who["name"])}</a>'

    return _LINK.sub(replaced, content) if 'class="mention"' in content else content


def _facts(said: clinical.Summary, language: str) -> list[Fact]:
    lines = [
        Fact(
            field,
            [clinical.name(field, code, language) for code in said.codes.get(field, ())],
            said.texts.get(field, ""),
        )
        for field in _ORDER
    ]
    return [line for line in lines if line.said or line.text]


async def _poll(rows: Reader, reader: str, post: PostRow, now: int) -> PollView | None:
    row = await rows.one("cases.poll", post=post.uri)
    if row is None:
        return None
    own = await rows.one("cases.vote_of", post=post.uri, voter=reader)
    is_open = polls.is_open(row, from_ms(now))
    results = bool(own is not None or post.own or not is_open)
    tally = await case_parts.counted(rows, row, local=bool(post.local)) if results else None
    if tally is not None and own is not None and not post.local and own["at"] > row["updated_at"]:
        tally = tally.with_one(own["choice"])  # the home has not told of it yet; whoever has voted misses it
    names = case_parts.options_of(row)
    return PollView(
        options=_options(names, tally, own["choice"] if own is not None else None),
        number=tally.number if tally is not None else 0,
        parts=_parts(tally) if tally is not None else [],
        open=is_open,
        voted=own is not None,
        results=results,
        counted_at=None if post.local else row["updated_at"],
        closes_at=row["closes_at"],
        closed_at=row["closed_at"] or (row["closes_at"] if not is_open else None),
    )


def _options(names: Sequence[str], tally: Tally | None, own: int | None) -> list[Option]:
    totals = tally.totals if tally is not None else (0,) * len(names)
    number = max(1, sum(totals))
    return [
        Option(place, name, votes, round(100 * votes / number), place == own)
        for place, (name, votes) in enumerate(zip(names, totals, strict=True))
    ]


def _parts(tally: Tally) -> list[Part]:
    return [Part("" if slug == OTHERS else slug, sum(votes), votes) for slug, votes in tally.by_specialty.items()]


async def end_of(rows: Reader, post: PostRow) -> EndView | None:
    """Return how a case ended; None while it is open."""
    row = await rows.one("cases.resolution", post=post.uri)
    if row is None or row["resolved_at"] is None:
        return None
    return EndView(
        diagnosis=row["diagnosis"],
        outcome=row["outcome"],
        language=row["language"],
        resolved_at=row["resolved_at"],
        thanked=frozenset(json.loads(row["thanked"])),
    )
