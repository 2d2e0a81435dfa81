"""What every effect of a kept activity is given, what it leaves to be done after the commit, and its notices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from federation.catch_up import LogNumber
from federation.uri import Uri
from federation.vocabulary import AnyActivity, Comment, Post, PostKind
from instance.services import notices
from instance.storage.store import Transaction
from instance.times import to_ms

if TYPE_CHECKING:
    from instance.services.directory import Learned
    from instance.services.effects_relocation import Relocated
    from instance.services.judging import KnownDoctor

#: Kinds of notices, as rows and catalogues name them.
FOLLOW_ASKED: Final = "follow_asked"
FOLLOWED: Final = "followed"
FOLLOW_ACCEPTED: Final = "follow_accepted"
NAMED: Final = "named"
ASKED: Final = "asked"
ANSWER: Final = "answer"
REPLY: Final = "reply"
MENTION: Final = "mention"
LIKE: Final = "like"
RECOMMENDED: Final = "recommended"
REPORTED: Final = "reported"
MOVED: Final = "moved"
CASE_ANSWER: Final = "case_answer"
CASE_UPDATE: Final = "case_update"
RESOLVED: Final = "resolved"
POLL_CLOSED: Final = "vote_result"
STANDING: Final = "standing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """An activity whose origin is proved, with everything its effect needs from outside the transaction."""

    activity: AnyActivity
    body: bytes
    #: The sibling at whose origin the actor lives.
    origin: str
    #: That sibling's instance actor, which may withdraw whatever is its origin's.
    instance: Uri
    now: datetime
    #: Kinds that sibling may send us.
    kinds: frozenset[PostKind]
    #: Kinds that sibling is sent, and may read here.
    kinds_out: frozenset[PostKind]
    #: The doctor who acts; None where the instance does, and for a Delete or Move, in which their standing has no say.
    author: KnownDoctor | None
    #: Whether a thread's home passed it on.
    forwarded_by: str | None = None
    #: Its place in the log of the actor's home, where it came from there under a number that had not come before.
    place: LogNumber | None = None
    #: A new version of a doctor, judged (Update).
    learned: Learned | None = None
    #: The object read at its home, where the activity named only its address (Update).
    fetched: Post | Comment | None = None
    #: Both ends of a move, as their homes show them (Move); None where nothing is to be done.
    relocated: Relocated | None = None

    @property
    def now_ms(self) -> int:
        """The moment as rows keep it."""
        return to_ms(self.now)


@dataclass(slots=True)
class Effects:
    """What is left to do once the transaction is on disk."""

    adopt: list[Learned] = field(default_factory=list)
    forget: list[Uri] = field(default_factory=list)
    wake_deliveries: bool = False


async def notify(
    tx: Transaction, into: Incoming, doctors: Iterable[str], kind: str, *, post: str = "", about: str = ""
) -> None:
    """Tell doctors of ours, each once; who is not ours, or has blocked or muted the actor, hears nothing."""
    for doctor in doctors:
        await notices.put(tx, doctor, kind, into.activity.actor, now=into.now, post=post, about=about)


async def is_withdrawn(tx: Transaction, into: Incoming, uri: Uri) -> bool:
    """Whether its owner withdrew this before it came (A52); a withdrawal by somebody else is dropped."""
    found = await tx.one("apply.tombstone", uri=uri)
    if found is None:
        return False
    if found["actor"] in (into.activity.actor, into.instance):
        await tx.run("logs.forget_words", object=uri, nothing=b"")
        return True
    await tx.run("apply.drop_tombstone", uri=uri)
    return False


async def withdraw(tx: Transaction, into: Incoming, uri: Uri, former_type: str) -> None:
    """Leave a tombstone, so that whatever comes later under this id stays out."""
    await tx.run(
        "apply.add_tombstone", uri=uri, origin=into.origin, actor=into.activity.actor, former_type=former_type,
        now=into.now_ms,
    )  # fmt: skip


def milliseconds(at: datetime | None) -> int | None:
    """A time as rows keep it, or None."""
    return None if at is None else to_ms(at)
