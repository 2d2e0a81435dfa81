"""Did it arrive: for the author of a post, which siblings hold it and since when, and what keeps it from the others.

The copy ledger says what a sibling has answered, the queue what is still to be said. Both are the author's alone:
whoever calls has asked whether the reader is the author, or asks `withdrawn`, which finds nothing for anybody else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from federation.allowlist import Allowlist, Direction, LocalPolicy, Sibling
from instance.services.errors import Missing
from instance.services.sibling_entries import authority_of
from instance.storage.store import Row
from instance.times import to_ms
from instance.views.feed import read_cursor
from instance.views.own import PAGE_SIZE
from instance.views.thread import PostRow
from verification.verdicts import Reason

if TYPE_CHECKING:
    from instance.wiring import Node


class Stand(StrEnum):
    """How a post, a version of it or its withdrawal stands at one sibling."""

    HELD = "held"  #: the sibling has answered that it has it
    WAITING = "waiting"  #: on its way
    KEPT = "kept"  #: kept here until something changes; `why` says what
    REFUSED = "refused"  #: not taken; `why` says why
    NOT_SENT = "not_sent"  #: never meant for it, or not any more; `why` says why
    ASKED = "asked"  #: asked to let go of it
    RELEASED = "released"  #: it has confirmed that it has let go of it
    NOT_RELEASED = "not_released"  #: it has not confirmed, and is not asked any more by itself


#: What keeps something here for a time.
KEPT: Final = ("paused", "list", "standing")
#: Why something was not taken.
REFUSED: Final = ("standing", "kind", "gave_up", "other")
#: Why something is not sent.
NOT_SENT: Final = ("closed", "kind", "audience", "later", "standing", "then")
_STANDING: Final = frozenset(
    {"no_standing", "standing", *(reason.value for reason in Reason if reason is not Reason.OK)}
)
_GROUPS: Final[Mapping[str, str]] = {"kind_not_federated": "kind", "gave_up": "gave_up"}


class Word(Struct, frozen=True, kw_only=True):
    """How what was said last of it stands; times are milliseconds."""

    stand: Stand
    why: str = ""
    #: Since when it is so; None where that says nothing.
    since: int | None = None
    #: When it is tried again; None where that is in a moment, or it is not tried by itself.
    next_at: int | None = None


class Arrival(Struct, frozen=True, kw_only=True):
    """Where a post stands at one sibling."""

    name: str
    word: Word
    #: It has gone from our federation since.
    former: bool = False
    #: It has an earlier version; how the newest stands, where anything was said of it.
    earlier: bool = False
    newest: Word | None = None


class Withdrawn(Struct, frozen=True, kw_only=True):
    """A post its author has withdrawn, and who has confirmed that."""

    at: int
    arrivals: Sequence[Arrival]


class Gone(Struct, frozen=True, kw_only=True):
    """One line of the list of what somebody has withdrawn."""

    slug: str
    at: int
    copies: int
    released: int


class AllGone(Struct, frozen=True, kw_only=True):
    """A page of them, the last first, and the cursor of the next."""

    gone: Sequence[Gone]
    next: str = ""


async def of_post(node: Node, post: PostRow) -> list[Arrival]:
    """Return where a post is, by name: everybody who was sent it, and of those who are listed also the others."""
    allowlist, held = await _held(node, post.uri)
    if post.audience == "national":
        return [arrival for _, arrival in held]
    known = {origin for origin, _ in held}
    others = [
        Arrival(name=sibling.name, word=Word(stand=Stand.NOT_SENT, why=_why_not(sibling, post)))
        for sibling in allowlist
        if sibling.origin not in known
    ]
    return sorted([*(arrival for _, arrival in held), *others], key=lambda each: each.name)


async def withdrawn(node: Node, reader: str, slug: str) -> Withdrawn:
    """Return what became of a post that this reader has withdrawn; raise Missing for everybody and everything else."""
    uri = f"{node.origin}/posts/{slug}"
    row = await node.store.one("posts.withdrawn_by", uri=uri, actor=reader)
    if row is None:
        raise Missing()
    _, held = await _held(node, uri)
    return Withdrawn(at=row["at"], arrivals=[arrival for _, arrival in held])


async def all_withdrawn(node: Node, reader: str, before: str = "", count: int = PAGE_SIZE) -> AllGone:
    """Return a page of the posts that this reader has withdrawn."""
    (at, slug), folder = read_cursor(before), f"{node.origin}/posts/"
    rows = await node.store.all(
        "own.withdrawn", reader=reader, home=node.origin, before_at=at, before_uri=folder + slug, count=count + 1
    )
    gone = [
        Gone(slug=row["uri"].removeprefix(folder), at=row["at"], copies=row["copies"], released=row["released"])
        for row in rows[:count]
    ]
    return AllGone(gone=gone, next=f"{gone[-1].at}-{gone[-1].slug}" if len(rows) > count else "")


async def _held(node: Node, uri: str) -> tuple[Allowlist, list[tuple[str, Arrival]]]:
    allowlist, now = await node.allowlist.refresh_if_changed(), to_ms(node.clock())
    copies = await node.store.all("copies.ledger", object=uri)
    said: dict[str, list[Row]] = defaultdict(list)
    for word in await node.store.all("copies.words", object=uri) if copies else []:
        said[word["origin"]].append(word)
    return allowlist, [
        (row["origin"], arrival_of(row, said[row["origin"]], allowlist.find(row["origin"]), now)) for row in copies
    ]


def arrival_of(copy: Row, said: Sequence[Row], sibling: Sibling | None, now: int) -> Arrival:
    """Say how it stands at one sibling, from the ledger's row, what was said to it in order, and its entry now."""
    name = copy["name"] or authority_of(copy["origin"])
    last = said[-1] if said else None
    former = bool(copy["former"])
    if copy["released_at"] is not None and (last is None or last["type"] == "Delete" or last["state"] == "done"):
        return Arrival(name=name, former=former, word=Word(stand=Stand.RELEASED, since=copy["released_at"]))
    if last is not None and last["type"] == "Delete":
        return Arrival(name=name, former=former, word=_asked(_word(last, said, copy, sibling, now)))
    if copy["delivered_at"] is not None and copy["released_at"] is None:
        word = Word(stand=Stand.HELD, since=copy["delivered_at"])
        open_word = last if last is not None and last["state"] != "done" else None
        newest = _word(open_word, said, copy, sibling, now) if open_word is not None else None
        earlier = bool(copy["earlier"]) or newest is not None
        return Arrival(name=name, former=former, word=word, earlier=earlier, newest=newest)
    if last is None:  # what was settled long ago is forgotten
        return Arrival(name=name, former=former, word=Word(stand=Stand.NOT_SENT, why="then"))
    return Arrival(name=name, former=former, word=_word(last, said, copy, sibling, now))


def _word(last: Row, said: Sequence[Row], copy: Row, sibling: Sibling | None, now: int) -> Word:
    """How what was said last stands; it waits since the first of its kind that is still to be sent was written."""
    state, code = last["state"], last["last_code"]
    if state == "done":
        return Word(stand=Stand.HELD, since=last["settled_at"])
    if state == "dead":
        why = "standing" if code in _STANDING else _GROUPS.get(code, "other")
        return Word(stand=Stand.REFUSED, why=why, since=last["settled_at"])
    if state == "dropped":
        return Word(stand=Stand.NOT_SENT, why="standing" if code == "no_standing" else "closed")
    open_since = min(each["created_at"] for each in said if each["state"] not in ("done", "dead", "dropped"))
    if (kept_by := _kept_by(sibling, state)) is not None:
        return Word(stand=Stand.KEPT, why=kept_by, since=open_since)
    due = max(last["due_at"] if state == "resting" else 0, copy["next_at"])
    return Word(stand=Stand.WAITING, since=open_since, next_at=due if due > now else None)


def _asked(word: Word) -> Word:
    """The same of a withdrawal: what it is called where somebody is asked to let go of something."""
    match word.stand:
        case Stand.HELD:
            return Word(stand=Stand.RELEASED, since=word.since)
        case Stand.WAITING:
            return Word(stand=Stand.ASKED, since=word.since, next_at=word.next_at)
        case Stand.KEPT:
            return Word(stand=Stand.ASKED, why=word.why, since=word.since)
        case _:
            return Word(stand=Stand.NOT_RELEASED)


def _kept_by(sibling: Sibling | None, state: str) -> str | None:
    """What keeps it here: the policy, the federation list, or, at an open sibling, the author's own standing."""
    refusal = None if sibling is None else sibling.refusal(Direction.OUT)
    if refusal is None:
        return "standing" if state == "held" else None
    return "paused" if sibling is not None and sibling.policy is not LocalPolicy.INHERIT else "list"


def _why_not(sibling: Sibling, post: PostRow) -> str:
    """Why a listed sibling was never sent it, as far as that can be told now."""
    if sibling.refusal(Direction.OUT) is not None:
        return "closed"
    if post.kind not in {kind.value for kind in sibling.kinds_out}:
        return "kind"
    if post.audience != "federation":
        return "audience"
    return "later" if to_ms(sibling.since) > post.published_at else "then"
