"""A post with its thread, its earlier versions, and what its author needs to mend it."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from instance.services.errors import Missing
from instance.storage.store import Reader, Store
from instance.views.bulletins import Shown, shown
from instance.views.marks import Mark, Moment, mark

#: So many answers stand on one page of a thread.
PAGE_SIZE = 50
#: Replies deeper than this stand at this depth, with the name of whom they answer.
MAX_DEPTH = 2
_EVER = 2**53


class PostRow(Struct, frozen=True, kw_only=True):
    """A post as its own page shows it."""

    uri: str
    slug: str
    kind: str
    title: str
    content: str
    source: str
    language: str
    specialties: str
    audience: str
    local: int
    role_then: str
    facts: str
    published_at: int
    updated_at: int | None
    author: str
    asked_country: str
    first_answer_at: int | None
    solved_at: int | None
    address: str
    name: str
    country: str
    author_specialties: str
    standing: str
    valid_until: int | None
    gone_at: int | None
    own: int
    thanks: int
    recommendations: int
    thanked: int
    recommended: int
    edited: int

    @property
    def bulletin(self) -> Shown | None:
        """What it says of itself, where it is news or a report."""
        return shown(self.kind, self.facts)

    def mark(self, at: Moment) -> Mark:
        """Return the author's mark at this moment."""
        return mark(self.standing, self.valid_until, self.address, at)


class CommentRow(Struct, frozen=True, kw_only=True):
    """An answer in a thread."""

    uri: str
    slug: str
    parent: str
    content: str
    source: str
    language: str
    role_then: str
    #: `update` where the author of the case goes on telling.
    kind: str = ""
    published_at: int
    updated_at: int | None
    received_at: int = 0
    author: str
    local: int
    address: str
    name: str
    country: str
    author_specialties: str
    standing: str
    valid_until: int | None
    gone_at: int | None
    own: int
    thanks: int
    thanked: int
    edited: int

    def mark(self, at: Moment) -> Mark:
        """Return the author's mark at this moment."""
        return mark(self.standing, self.valid_until, self.address, at)


class Answer(Struct, frozen=True):
    """An answer at its place: how deep, and to whom where that is not plain from the place."""

    comment: CommentRow
    depth: int
    answers_to: CommentRow | None


class Place(Struct, frozen=True, kw_only=True):
    """Where an answer stands in its thread, and since when."""

    slug: str
    page: int
    at: int


class NamedRow(Struct, frozen=True, kw_only=True):
    """A doctor named by a post, or asked by a question."""

    name: str
    address: str


class Thread(Struct, frozen=True, kw_only=True):
    """Everything on one page of a post and its answers."""

    post: PostRow
    answers: list[Answer]
    #: What of the whole thread came since a moment, and what the author went on telling: slug and page of each.
    fresh: list[Place]
    updates: list[Place]
    #: Whether the reader has answered, on whichever page.
    answered: bool
    #: Until when a reader who has seen this page has seen everything.
    seen_until: int
    #: How many answers there are on all pages, which page this is, and how many there are.
    total: int
    page: int
    pages: int
    named: list[NamedRow]
    #: Answers that the home of the post lists and that are not here: still to come, and kept out by our own rules.
    awaited: int
    closed: int


class Revision(Struct, frozen=True, kw_only=True):
    """An earlier version."""

    #: Of an answer, and of what was kept before kinds were, empty.
    kind: str
    title: str
    content: str
    #: Empty where it was not kept.
    language: str
    facts: str
    at: int

    @property
    def bulletin(self) -> Shown | None:
        """What it said of itself, where it was news or a report."""
        return shown(self.kind, self.facts)


class OneComment(Struct, frozen=True, kw_only=True):
    """One comment with the post it belongs to."""

    uri: str
    slug: str
    content: str
    source: str
    language: str
    author: str
    local: int
    published_at: int
    updated_at: int | None
    post: str
    post_title: str
    post_language: str
    own: int


async def thread(store: Store, reader: str, slug: str, page: int = 1, *, since: int | None = None) -> Thread:
    """Return the post and a page of what this reader may see of its thread; raise Missing where there is nothing.

    A page that is not there is the nearest that is. `since` is when the reader looked last: what came later is fresh,
    and nothing is to somebody who was never here.
    """

    async def look(rows: Reader) -> Thread:
        found = await _post(rows, reader, slug)
        answers = await _answers(rows, reader, slug)
        pages = max(1, -(-len(answers) // PAGE_SIZE))
        here = min(max(page, 1), pages)
        shown = answers[(here - 1) * PAGE_SIZE : here * PAGE_SIZE]
        fresh = [] if since is None else _places(answers, lambda c: c.received_at > since and not c.own)
        names = found.audience == "named" or found.kind == "question"
        named = await rows.all("views.named", object=found.uri) if names else []
        missing = None if found.local else await rows.one("threads.missing", post=found.uri)
        return Thread(
            post=found,
            answers=shown,
            fresh=fresh,
            answered=any(each.comment.own for each in answers),
            updates=_places(answers, lambda c: c.kind == "update"),
            seen_until=_seen_until(answers, shown, since or 0),
            total=len(answers),
            page=here,
            pages=pages,
            named=[NamedRow(**row) for row in named],
            awaited=int(missing["awaited"] or 0) if missing is not None else 0,
            closed=int(missing["closed"] or 0) if missing is not None else 0,
        )

    return await store.read(look)


def _places(answers: list[Answer], wanted: Callable[[CommentRow], bool]) -> list[Place]:
    return [
        Place(slug=each.comment.slug, page=number // PAGE_SIZE + 1, at=each.comment.published_at)
        for number, each in enumerate(answers)
        if wanted(each.comment)
    ]


def _seen_until(answers: list[Answer], shown: list[Answer], since: int) -> int:
    """The moment before the first new answer on another page came; the far future where all are on this one."""
    here = {each.comment.uri for each in shown}
    came = [each.comment.received_at for each in answers if each.comment.uri not in here and not each.comment.own]
    elsewhere = [at for at in came if at > since]
    return min(elsewhere) - 1 if elsewhere else _EVER


async def page_of(store: Store, reader: str, slug: str, comment_slug: str) -> int:
    """Return the page of the thread on which this answer stands; the first where it is not to be seen."""
    answers = await _answers(store, reader, slug)
    places = (place for place, answer in enumerate(answers) if answer.comment.slug == comment_slug)
    return next(places, 0) // PAGE_SIZE + 1


async def others(rows: Reader, reader: str, slug: str) -> list[CommentRow]:
    """Return every answer by somebody else that this reader sees, oldest first."""
    found = [CommentRow(**row) for row in await rows.all("views.comments", reader=reader, slug=slug)]
    return [answer for answer in found if not answer.own]


async def _answers(rows: Reader, reader: str, slug: str) -> list[Answer]:
    return in_order([CommentRow(**row) for row in await rows.all("views.comments", reader=reader, slug=slug)])


async def post(store: Store, reader: str, slug: str) -> PostRow:
    """Return the post alone; raise Missing where there is nothing for this reader."""
    return await _post(store, reader, slug)


async def comment(store: Store, reader: str, slug: str) -> OneComment:
    """Return one comment; raise Missing where there is nothing for this reader."""
    row = await store.one("views.comment", reader=reader, slug=slug)
    if row is None:
        raise Missing
    return OneComment(**row)


async def revisions(store: Store, uri: str) -> list[Revision]:
    """Return the earlier versions of something the reader has already been shown, oldest first."""
    return [Revision(**row) for row in await store.all("views.revisions", object=uri)]


async def _post(rows: Reader, reader: str, slug: str) -> PostRow:
    row = await rows.one("views.post", reader=reader, slug=slug)
    if row is None:
        raise Missing
    return PostRow(**row)


def in_order(comments: list[CommentRow]) -> list[Answer]:
    """Put answers below what they answer, oldest first; an answer to something unseen stands by itself."""
    by_uri = {comment.uri: comment for comment in comments}
    below: dict[str, list[CommentRow]] = {}
    for comment in comments:
        below.setdefault(comment.parent if comment.parent in by_uri else "", []).append(comment)
    placed: list[Answer] = []
    # A stack and a set of those placed: a thread that answers itself in a circle is shown flat, not for ever.
    waiting = [(comment, 0) for comment in reversed(below.get("", []))]
    while waiting:
        comment, depth = waiting.pop()
        parent = by_uri.get(comment.parent)
        placed.append(Answer(comment, min(depth, MAX_DEPTH), parent if depth > 0 else None))
        waiting += [(reply, depth + 1) for reply in reversed(below.pop(comment.uri, []))]
    seen = {answer.comment.uri for answer in placed}
    return placed + [Answer(comment, 0, None) for comment in comments if comment.uri not in seen]
